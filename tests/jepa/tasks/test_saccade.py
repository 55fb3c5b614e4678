"""Saccades: what the views show, what is told of them, that borders tell nothing, and the way back."""

from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa.assembly import check_fit
from jepa.encoders import CNN
from jepa.encoders.mlp import MLP as Rows
from jepa.errors import ConfigError
from jepa.learner import JEPA
from jepa.objectives import Saccade as Loss
from jepa.objectives import VICReg
from jepa.predictors import MLP, Identity, Pose
from jepa.projectors import Linear
from jepa.sources import Arrays
from jepa.tasks import Saccade, Views, generators
from jepa.tasks.saccade import Pose as Asked
from jepa.transforms import ImageChanges, Noise
from jepa.transforms.pose import moved

N = 200


def plane(height: int = 32, width: int = 32, n: int = N) -> Any:
    """Return images whose two channels say where a pixel lies, from the center: (n, 2, h, w)."""
    y, x = np.mgrid[:height, :width] - np.array([(height - 1) / 2, (width - 1) / 2])[:, None, None]
    return np.tile(np.stack([x, y]).astype(np.float32), (n, 1, 1, 1))


def window(batch: Any, unit: float) -> tuple[Any, Any]:
    """Return for each pixel of the second view where it lies in the first, as told, and where both lie in the image."""
    true = batch.true[:, 0]
    height, width = true.shape[2:]
    y, x = np.mgrid[:height, :width] - np.array([(height - 1) / 2, (width - 1) / 2])[:, None, None]
    points = np.stack([x, y], axis=-1).reshape(1, -1, 2)
    pose = batch.asked.pose * [1, unit, unit]
    return moved(pose, points), true.reshape(len(true), 2, -1).swapaxes(1, 2)


@pytest.mark.parametrize("shape, settings", [((32, 32), {}), ((40, 32), {"view": 0.5, "angle": 45.0, "shift": 0.2})])
def test_what_is_told_says_where_the_second_view_lies_in_the_first(shape: Any, settings: Any) -> None:
    x = plane(*shape)
    batch = Saccade(**settings).ask(x, (4, 4), generators(N))
    sides = [settings.get("view", 0.6) * k for k in shape]
    step = [side / k for side, k in zip(sides, batch.seen.shape[2:], strict=True)]
    in_first, in_image = window(batch, min(sides) / step[0])
    first = batch.seen.reshape(N, 2, *batch.seen.shape[2:])  # linear in the image, so that it can be extended
    center = first.mean(axis=(2, 3))
    across = (first[:, :, 0, -1] - first[:, :, 0, 0]) / (first.shape[3] - 1)
    down = (first[:, :, -1, 0] - first[:, :, 0, 0]) / (first.shape[2] - 1)
    extended = center[:, None] + in_first[..., :1] * across[:, None] + in_first[..., 1:] * down[:, None]
    if step[0] == pytest.approx(step[1]):
        np.testing.assert_allclose(extended, in_image, atol=1e-3)
    pose, s = batch.asked.pose, Saccade(**settings).settings
    assert np.abs(pose[:, 0]).max() == pytest.approx(np.deg2rad(s.angle), rel=0.05)
    half = np.stack([-pose[:, 0] / 2, *np.zeros((2, N))], axis=1)
    shift = moved(half, pose[:, None, 1:])[:, 0]  # as it is drawn, in the frame between the views
    assert np.abs(shift).max(axis=0) == pytest.approx(s.shift, rel=0.05)


def test_poses_of_the_way_back_are_of_the_same_kind() -> None:
    asked = Saccade().ask(plane(), (4, 4), generators(N)).asked
    half = np.stack([asked.pose[:, 0] / 2, *np.zeros((2, N))], axis=1)
    back = asked.back().pose
    np.testing.assert_allclose(back[:, 0], -asked.pose[:, 0])
    there, again = moved(-half, asked.pose[:, None, 1:]), moved(half, back[:, None, 1:])
    np.testing.assert_allclose(again, -there, atol=1e-6)
    np.testing.assert_allclose(asked.back().back().pose, asked.pose, atol=1e-6)


def test_no_view_tells_the_pose_by_its_place() -> None:
    """The middle of each view is spread over the image alike, whichever way the other one lies."""
    drawn = Saccade().draw(plane(n=2000), generators(2000))
    told = drawn.batch.asked.pose
    for poses in drawn.poses:
        assert abs(np.corrcoef(told[:, 0], poses[:, 1])[0, 1]) < 0.08
    assert np.abs(drawn.batch.seen).max() <= 15.5 and np.abs(drawn.batch.true).max() <= 15.5  # inside of the image


def test_views_change_apart_and_flips_together() -> None:
    x = np.random.default_rng(0).random((40, 3, 32, 32)).astype(np.float32)
    noisy = Saccade(Noise(scale=0, noise=0.1), angle=0, shift=0).ask(x, (4, 4), generators(40))
    assert abs((noisy.seen - noisy.true[:, 0]).std() - 0.1 * 2**0.5) < 0.01
    flipped = Saccade(ImageChanges(flip=1.0, jitter_p=0, grayscale=0), view=1.0, angle=0, shift=0)
    batch = flipped.ask(x, (4, 4), generators(40))
    np.testing.assert_allclose(batch.seen, x[..., ::-1], atol=1e-6)
    np.testing.assert_allclose(batch.true[:, 0], batch.seen, atol=1e-6)
    alone = Saccade(ImageChanges()).ask(x[39:], (4, 4), generators(40)._replace(examples=generators(40).examples[39:]))
    together = Saccade(ImageChanges()).ask(x, (4, 4), generators(40))  # in chunks of 32, or alone
    np.testing.assert_allclose(together.true[39:], alone.true, atol=1e-6)


def test_code_and_names() -> None:
    asked = Asked(np.array([[np.pi / 6, 0.1, -0.2], [0.0, 0.0, 0.4]], np.float32))
    np.testing.assert_allclose(asked.code, [[0.5, 3**0.5 / 2, 0.1, -0.2], [0, 1, 0, 0.4]], atol=1e-6)
    named = asked.named(2 * asked.code)
    np.testing.assert_allclose(named["rotation"], asked.pose[:, :1], atol=1e-6)  # whatever the length of (sin, cos)
    np.testing.assert_allclose(named["shift"], 2 * asked.pose[:, 1:], atol=1e-6)
    np.testing.assert_array_equal(asked.rolled().pose, asked.pose[::-1])
    back = asked.back().code
    np.testing.assert_allclose(back[:, :2], asked.code[:, :2] * [-1, 1], atol=1e-6)  # cos keeps its sign


# -- through the learner -----------------------------------------------------------------------------------------------


def learner(kind: Any = Pose, target: str = "ema", objective: Any = None, **sizes: Any) -> JEPA:
    mt.manual_seed(0)
    encoder = CNN((2, 32, 32), widths=(4, 8))
    settings = {"width": 16, "depth": 1} if kind is not Identity else {}
    predictor = kind(8, encoder.grid, **settings)
    return JEPA(encoder, predictor, objective=objective or Loss(), target=target, projector=Linear(8, dim=8))


def test_the_way_back_goes_through_the_predictor_with_the_inverse_pose() -> None:
    model, batch = learner().eval(), Saccade().ask(plane(n=12) / 16, (16, 16), generators(12))
    z = model.embed(batch)
    (there,) = model.predictor(z.context, None, None, batch.asked)
    np.testing.assert_allclose(z.predictions[0].numpy(), there.numpy(), atol=1e-6)
    (back,) = model.predictor(there, None, None, batch.asked.back())
    np.testing.assert_allclose(z.returned[0].numpy(), back.numpy(), atol=1e-6)
    (wrong,) = model.predictor(there, None, None, batch.asked)
    assert np.abs(wrong.numpy() - back.numpy()).max() > 1e-4
    assert learner(objective=VICReg()).embed(batch).returned == []


class Turned(Pose):
    """A toy: the code is a point of the plane, which the predictor moves as the other view sees it."""

    def forward(self, tokens: Any, valid: Any, keep: Any, asked: Any) -> list[mt.Tensor]:
        back = asked.back().pose  # where a point of the first view lies in the second
        cos, sin = (mt.Tensor(f(back[:, :1])) for f in (np.cos, np.sin))
        x, y = tokens[:, 0, :1], tokens[:, 0, 1:]
        return [(mt.concatenate([cos * x - sin * y, sin * x + cos * y], axis=1) + mt.Tensor(back[:, 1:]))[:, None]]


def test_a_linear_toy_comes_back_exactly() -> None:
    asked = Saccade().ask(plane(n=30), (4, 4), generators(30)).asked
    toy, c = Turned(2, (4, 4), width=2), mt.randn((30, 1, 2))
    (there,) = toy(c, None, None, asked)
    (back,) = toy(there, None, None, asked.back())
    np.testing.assert_allclose(back.numpy(), c.numpy(), atol=1e-5)
    negated = Asked(-asked.pose)
    assert np.abs(toy(there, None, None, negated)[0].numpy() - c.numpy()).max() > 0.01


@pytest.mark.parametrize("target", ["ema", "stopgrad", "shared", "own"])
@pytest.mark.parametrize("kind", [Pose, MLP, Identity])
def test_every_target_and_predictor_trains(kind: Any, target: str) -> None:
    model = learner(kind, target)
    x = np.random.default_rng(0).random((16, 2, 32, 32)).astype(np.float32)
    batch = Saccade().ask(x, (16, 16), generators(16))
    optimizer, losses = mt.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01), []
    for step in range(10):
        optimizer.zero_grad()
        parts, _ = model.loss(batch)
        parts["loss"].backward()
        optimizer.step()
        model.after_step(step, 10)
        losses.append(float(parts["loss"]))
    assert losses[-1] < losses[0] and "cycle" in parts
    found = model.held_out([batch])
    assert "cycle" in found["parts"]
    assert (found["ratio"] == pytest.approx(1)) == (kind is not Pose)  # the others are told nothing


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_settings_that_leave_the_image_are_refused() -> None:
    Saccade().check((3, 32, 32), (4, 4))
    for changed in ({"view": 0.63}, {"angle": 60.0}, {"shift": 0.5}):
        with pytest.raises(ConfigError, match="task.view=.* turned by .* leaves the source's images of 32 x 32: lower"):
            Saccade(**changed).check((3, 32, 32), (4, 4))
    with pytest.raises(ConfigError, match=r"task=saccade turns images .* the source has \(2, 64\): take task=views"):
        Saccade().check((2, 64), (16,))
    with pytest.raises(ConfigError, match="size=0.5 with view=0.6: a view of fewer pixels than it shows would alias"):
        Saccade(size=0.5)


@pytest.mark.parametrize("settings", [{}, {"view": 0.3, "angle": 180.0}, {"view": 0.5, "angle": 90.0, "size": 1.0}])
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 24, 50), (1, 57, 24)])
def test_what_is_not_refused_stays_inside(settings: Any, shape: Any) -> None:
    task = Saccade(**settings)
    try:
        task.check(shape, (4, 4))
    except ConfigError:
        return
    x = np.random.default_rng(0).random((300, *shape)).astype(np.float32)
    batch = task.ask(x, (4, 4), generators(300))  # seen_from raises for what leaves the image
    seen = task.sees(shape, (1,))
    assert batch.seen.shape[1:] == (next(iter(seen.values())) if seen else shape)


def test_parts_that_do_not_fit_are_refused() -> None:
    source, task = Arrays(np.random.default_rng(0).random((20, 2, 32, 32)).astype(np.float32)), Saccade()
    check_fit(learner(), task, source)
    encoder = Rows((2, 32, 32), width=8, depth=1)
    rows = JEPA(encoder, Identity(8, encoder.grid), objective=VICReg(), target="shared")
    check_fit(rows, Saccade(size=1.0), source)
    with pytest.raises(ConfigError, match="task.view=0.6: .*encoder=mlp"):
        check_fit(rows, task, source)
    back = r"objective=saccade compares the way back .* task=views asks for none: take task=saccade, or objective.cycle"
    with pytest.raises(ConfigError, match=back):
        check_fit(learner(MLP), Views(), source)
    check_fit(learner(MLP, objective=Loss(cycle=None)), Views(), source)
