from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from unfade.convert import from_array
from unfade.imaging import Photo
from unfade.models.presets import Defaults
from unfade.options import REACHES, RestoreOptions
from unfade.pipeline import auto
from unfade.pipeline.auto import Damage, effort, measure

SHARES = st.floats(0, 1)


def scene(height: int = 400, width: int = 500) -> NDArray[np.float32]:
    """Rectangles with sharp edges, in [0, 1]."""
    rng = np.random.default_rng(0)
    out = np.full((height, width, 3), 0.5, np.float32)
    for _ in range(150):
        y, x = int(rng.integers(height)), int(rng.integers(width))
        h, w = rng.integers(5, 60, 2)
        out[y : y + h, x : x + w] = rng.uniform(0.1, 0.9, 3)
    return out


def photo(rgb: NDArray[np.float32]) -> Photo:
    values = np.clip(rgb * 255, 0, 255).round().astype(np.uint8)
    return from_array(values, max_pixels=10**9)


def grainy(sigma: float, height: int = 400, width: int = 500) -> Photo:
    rgb = scene(height, width)
    noise = np.random.default_rng(1).normal(0, sigma, (*rgb.shape[:2], 1))
    return photo((0.2 + 0.6 * rgb + noise).astype(np.float32))


@pytest.mark.parametrize("sigma", [0.02, 0.05, 0.1])
def test_grain_is_measured(sigma: float) -> None:
    assert measure(grainy(sigma), None, 0.5).grain == pytest.approx(sigma, rel=0.1)


def test_grain_is_measured_beside_the_damage() -> None:
    mask = np.zeros((400, 500), np.uint8)
    mask[:, ::3] = 255
    rgb = scene()
    rgb[mask > 0] = np.random.default_rng(2).uniform(0, 1, (int((mask > 0).sum()), 3))
    assert measure(photo(rgb), None, 0.5).grain > 0.05
    assert measure(photo(rgb), mask, 0.5).grain < 0.01


def test_blur_is_measured() -> None:
    rgb = scene()
    blurs = [measure(photo(rgb), None, 0.5).blur] + [
        measure(photo(cv2.GaussianBlur(rgb, (0, 0), s).astype(np.float32)), None, 0.5).blur
        for s in (1.0, 2.0, 4.0)
    ]
    assert blurs == sorted(blurs) and blurs[0] < 0.2 and blurs[-1] > 0.7


def test_share_is_that_of_the_pixels_from_the_threshold_on() -> None:
    mask = np.zeros((400, 500), np.uint8)
    mask[:100] = 255
    mask[100:200] = 100
    assert measure(photo(scene()), mask, 0.5).share == 0.25
    assert measure(photo(scene()), mask, 0.3).share == 0.5
    assert measure(photo(scene()), None, 0.5).share == 0


def test_large_scan_is_measured_as_it_is_seen() -> None:
    rgb = cv2.resize(scene(1024, 1100), (3300, 3072), interpolation=cv2.INTER_CUBIC)
    rgb = np.asarray(rgb, np.float32)
    assert measure(photo(rgb), None, 0.5).blur < auto.BLUR[0]
    assert measure(photo(rgb[:1000, :1000]), None, 0.5).blur > auto.BLUR[0]


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (3, 2)])
def test_any_size_and_a_flat_photo_can_be_measured(size: tuple[int, int]) -> None:
    flat = photo(np.full((*size, 3), 0.5, np.float32))
    assert measure(flat, None, 0.5) == Damage(0, 0, 0)
    assert measure(flat, np.full(size, 255, np.uint8), 0.5) == Damage(1, 0, 0)


@settings(max_examples=100, deadline=None)
@given(SHARES, SHARES, SHARES, SHARES, SHARES, SHARES)
def test_more_damage_never_gives_less_strength_or_more_fidelity(
    a: float, b: float, c: float, x: float, y: float, z: float
) -> None:
    for reach in REACHES:
        options = RestoreOptions(reach=reach)
        less = effort(options, Damage(min(a, x), min(b, y), min(c, z)), cfw=True)
        more = effort(options, Damage(max(a, x), max(b, y), max(c, z)), cfw=True)
        assert 0 <= less.strength <= more.strength <= auto.MOST_STRENGTH["old-photo"]
        assert 1 >= less.fidelity >= more.fidelity >= auto.LEAST_FIDELITY


def test_photo_that_is_hardly_damaged_is_not_touched() -> None:
    damage, options = Damage(auto.SHARE[0] * 1.1, auto.GRAIN[0], auto.BLUR[0]), RestoreOptions()
    for own in (options, replace(options, reach="all")):
        assert effort(own, damage, cfw=True).strength == 0
        most = auto.MOST_STRENGTH["old-photo"]
        assert effort(own, Damage(share=1), cfw=True).strength == most


def test_damage_is_filled_by_diffusion_where_it_is_heavy() -> None:
    light, heavy = (Damage(auto.HEAVY_SHARE * f, 1.0, 1.0) for f in (0.99, 1.0))
    assert effort(RestoreOptions(), light, cfw=True).strength == 0
    assert effort(RestoreOptions(), heavy, cfw=True).strength == auto.MOST_STRENGTH["old-photo"]


def test_options_go_before_the_measure() -> None:
    options = RestoreOptions(strength=0.7, fidelity=0.2)
    for damage in (Damage(), Damage(1, 1, 1)):
        assert effort(options, damage, cfw=True) == auto.Effort(0.7, 0.2, auto.STEPS, 1)


@pytest.mark.parametrize("task", ["super-resolution", "colorize"])
def test_other_tasks_cannot_do_without_the_model(task: str) -> None:
    options = RestoreOptions(task=task)  # pyright: ignore[reportArgumentType]
    assert effort(options, Damage(), cfw=True) == auto.Effort(
        1.0, 0.0 if task == "colorize" else 1.0
    )


def test_fidelity_is_the_presets_where_it_has_one_and_nothing_is_asked_for() -> None:
    own, damage = Defaults(fidelity={"old-photo": 0.9}), Damage(1, 1, 1)
    assert effort(RestoreOptions(), damage, cfw=True, defaults=own).fidelity == 0.9
    asked = RestoreOptions(fidelity=0.2)
    assert effort(asked, damage, cfw=True, defaults=own).fidelity == 0.2
    large = RestoreOptions(task="super-resolution")
    assert effort(large, damage, cfw=True, defaults=own).fidelity == auto.LEAST_FIDELITY


def test_fidelity_is_zero_when_colours_are_to_be_found() -> None:
    options = RestoreOptions(task="colorize")
    assert effort(options, Damage(), cfw=True).fidelity == 0
    assert effort(replace(options, fidelity=0.5), Damage(), cfw=True).fidelity == 0.5


def test_fidelity_is_zero_when_there_is_no_cfw() -> None:
    assert effort(RestoreOptions(), Damage(), cfw=False).fidelity == 0


def test_effort_takes_the_strength_of_the_preset() -> None:
    own = Defaults({"old-photo": 0.0, "super-resolution": 0.3})
    worst = Damage(share=1)
    assert effort(RestoreOptions(), worst, cfw=True, defaults=own).strength == 0
    small = RestoreOptions(task="super-resolution")
    assert effort(small, worst, cfw=True, defaults=own).strength == 0.3
    assert effort(RestoreOptions(task="colorize"), worst, cfw=True, defaults=own).strength == 1
    assert effort(RestoreOptions(strength=0.7), worst, cfw=True, defaults=own).strength == 0.7


def test_effort_takes_steps_and_draws_of_the_preset_unless_they_are_given() -> None:
    own = Defaults(steps={"colorize": 1}, draws={"colorize": 4}, saturation={"colorize": 0.8})
    colour = RestoreOptions(task="colorize")
    found = effort(colour, Damage(), cfw=False, defaults=own)
    assert (found.steps, found.draws, found.saturation) == (1, 4, 0.8)
    given = effort(replace(colour, steps=20), Damage(), cfw=False, defaults=own)
    assert (given.steps, given.draws) == (20, 4)
    told = auto.effort(
        RestoreOptions(task="colorize", prompt="a red dress"), Damage(), cfw=False, defaults=own
    )
    assert (told.draws, told.saturation) == (4, 1.0)
    old = effort(RestoreOptions(), Damage(), cfw=False, defaults=own)
    assert (old.steps, old.draws, old.saturation) == (auto.STEPS, 1, 1.0)
