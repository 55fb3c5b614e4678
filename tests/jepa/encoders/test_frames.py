"""The encoder of frames: each by itself, as the image encoder sees it; frames that are not kept are not looked at."""

import numpy as np
import pytest

import minitensor as mt
from jepa.contracts import Keep
from jepa.encoders import FrameEncoder
from jepa.errors import ConfigError


@pytest.fixture
def encoder() -> FrameEncoder:
    mt.manual_seed(0)
    found = FrameEncoder((2, 5, 8, 12), widths=(4, 6))
    found.eval()
    return found


X = np.random.default_rng(0).normal(size=(3, 2, 5, 8, 12)).astype(np.float32)


def test_each_frame_is_seen_as_an_image(encoder: FrameEncoder) -> None:
    assert encoder.grid == (5, 4, 6)
    found = encoder.tokens(mt.Tensor(X)).numpy().reshape(3, 5, 24, 6)
    for t in range(5):
        np.testing.assert_allclose(found[:, t], encoder.image.tokens(mt.Tensor(X[:, :, t])).numpy(), atol=1e-6)


def test_a_token_a_frame_is_the_mean_over_its_places(encoder: FrameEncoder) -> None:
    mt.manual_seed(0)
    means = FrameEncoder((2, 5, 8, 12), widths=(4, 6), places=False)
    means.eval()
    expected = encoder.tokens(mt.Tensor(X)).numpy().reshape(3, 5, 24, 6).mean(axis=2)
    assert means.grid == (5,)
    np.testing.assert_allclose(means.tokens(mt.Tensor(X)).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("places", [True, False])
@pytest.mark.parametrize("whole", [True, False])
def test_what_is_not_kept_has_no_influence(places: bool, whole: bool) -> None:
    mt.manual_seed(0)
    encoder = FrameEncoder((2, 5, 9, 13), widths=(4, 6), places=places)  # the last row and column are left over
    encoder.eval()
    each = int(np.prod(encoder.grid[1:]))
    index = np.arange(2 * each, 4 * each) if whole or not places else np.array([2, each + 3, 3 * each + 1])
    keep = Keep(np.broadcast_to(index, (3, 1, len(index))))
    x = np.random.default_rng(1).normal(size=(3, 2, 5, 9, 13)).astype(np.float32)
    y = x.copy()
    frames = np.unique(index // each)
    y[:, :, np.setdiff1d(np.arange(5), frames)] = 7
    if not whole and places:
        y[:, :, 0, 4:], y[:, :, 3, :, :2] = 7, 7
    found = [encoder.tokens(mt.Tensor(v), keep).numpy() for v in (x, y)]
    np.testing.assert_array_equal(*found)
    if whole or not places:
        np.testing.assert_allclose(found[0], encoder.tokens(mt.Tensor(x)).numpy()[:, index], atol=1e-6)


def test_contexts_of_an_example_are_hidden_from_each_other(encoder: FrameEncoder) -> None:
    keep = Keep(np.array([[[0, 24], [1, 25]]] * 3))
    both = encoder.tokens(mt.Tensor(X), keep).numpy()
    for e in (0, 1):
        alone = encoder.tokens(mt.Tensor(X), Keep(keep.index[:, e : e + 1])).numpy()
        np.testing.assert_allclose(both.reshape(3, 2, 2, 6)[:, e], alone, atol=1e-6)


def test_clips_of_other_lengths_have_other_grids(encoder: FrameEncoder) -> None:
    assert encoder.grid_of((2, 9, 8, 8)) == (9, 4, 4)
    assert encoder.tokens(mt.Tensor(X[:, :, :3])).shape == (3, 3 * 24, 6)
    for shape in ((2, 8, 12), (2, 100)):
        with pytest.raises(ConfigError, match="encoder=frames takes clips .*: take encoder=cnn for images, .* another"):
            FrameEncoder(shape)
