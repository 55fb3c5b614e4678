"""Every setting that has an end moves to it linearly, numbers and ranges alike, and the log says where it is."""

from dataclasses import fields

import pytest

from jepa.parts import ROLES, load
from jepa.tasks import MultiView, Saccade

MOVING = [
    (kind, field.name.removesuffix("_end"))
    for kind in ROLES["task"]
    for field in fields(load("task", kind).Settings)
    if field.name.endswith("_end")
]


@pytest.mark.parametrize(("kind", "name"), MOVING)
def test_a_setting_with_an_end_exists_and_is_of_the_same_kind(kind, name):
    settings = {field.name: field for field in fields(load("task", kind).Settings)}
    assert settings[f"{name}_end"].type == settings[name].type | None


def test_a_range_moves():
    task = MultiView(crop=(0.8, 1.0), crop_end=(0.2, 0.4), small=1, small_crop_end=(0.05, 0.1))
    assert task.values(0.5) == pytest.approx(
        {"crop_min": 0.5, "crop_max": 0.7, "small_crop_min": 0.05, "small_crop_max": 0.2}
    )
    assert task.at(1.0).settings.crop == pytest.approx((0.2, 0.4)) and task.at(1.0).settings.crop_end is None


def test_a_number_moves():
    task = Saccade(angle=10.0, angle_end=90.0, shift=0.0, shift_end=0.4)
    assert task.values(0.25) == pytest.approx({"angle": 30.0, "shift": 0.1})
    assert (task.at(0.25).settings.angle, task.at(2.0).settings.shift) == pytest.approx((30.0, 0.4))
