"""Groups of places: each place in one, of any rank, hidden where half of it is."""

import itertools

import numpy as np
import pytest

from jepa.masks import groups


@pytest.mark.parametrize("grid", [(8, 8), (7, 5), (14, 14), (3, 9), (11,), (16,), (4, 6, 5)])
@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_groups_are_boxes_of_places(grid: tuple[int, ...], level: int) -> None:
    made, size = groups(grid, level), 2**level
    places = itertools.product(*(range(n) for n in made.grid))
    for g, place in enumerate(places):  # in raster order
        box = np.zeros(grid, np.float32)
        box[tuple(slice(k * size, (k + 1) * size) for k in place)] = 1  # cut off at the border
        assert np.array_equal(made.members[g], box.reshape(-1))
        assert np.allclose(made.centers[g], np.argwhere(box).mean(axis=0))
    assert g + 1 == len(made.members)
    assert np.array_equal(made.members.sum(axis=0), np.ones(np.prod(grid)))  # each place in one group
    assert np.allclose(made.pool().sum(axis=1), 1)


def test_a_group_is_a_target_if_half_of_it_is_hidden() -> None:
    level = groups((3, 4), 1)  # 2 x 2 groups; the lower two have one row only
    mask = np.array([[1, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0]], bool)
    assert level.hidden(mask).tolist() == [[True, False, True, False]]  # 2 of 4; 1 of 4; 1 of 2; 0 of 2
    weights = level.hidden_mean(mask)[0]
    assert np.allclose(weights[0], [0.5, 0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])  # the mean of the hidden ones


def test_what_is_kept_for_all_is_not_written_to() -> None:
    assert groups((4, 4), 1) is groups((4, 4), 1)
    with pytest.raises(ValueError, match="read-only"):
        groups((4, 4), 1).members[0, 0] = 2
