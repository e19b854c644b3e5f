from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from unfade.degrade import SEVERITIES, Degraded, old_photo
from unfade.degrade.severity import HEAVY, MODERATE
from unfade.degrade.types import Image
from unfade.rng import generator

MakeImage = Callable[..., Image]


def check(d: Degraded, size: tuple[int, int]) -> None:
    for image in (d.lq, d.hq, d.toned):
        assert image.shape == (*size, 3) and image.dtype == np.float32
        assert np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1
    for mask in (d.mask, d.lost):
        assert mask.shape == size and mask.dtype == np.float32
        assert set(np.unique(mask)) <= {0.0, 1.0}
    assert (d.lost <= d.mask).all()
    assert all(isinstance(note["op"], str) for note in d.params)
    assert json.loads(json.dumps(d.params)) == d.params


@pytest.mark.parametrize("name", SEVERITIES)
@pytest.mark.parametrize("unit", [None, 0.6, 3.0])
def test_old_photo_is_pure_and_sound(picture: MakeImage, name: str, unit: float | None) -> None:
    image = picture(72, 96)
    kept = image.copy()
    equal = 0
    for number in range(12):
        a = old_photo(image, generator(0, "x", number), SEVERITIES[name], unit=unit)
        b = old_photo(image, generator(0, "x", number), SEVERITIES[name], unit=unit)
        other = old_photo(image, generator(1, "x", number), SEVERITIES[name], unit=unit)
        check(a, (72, 96))
        for field in ("lq", "hq", "toned", "mask", "lost"):
            np.testing.assert_array_equal(getattr(a, field), getattr(b, field))
        assert a.params == b.params
        equal += np.array_equal(a.lq, other.lq)
    assert equal == 0
    np.testing.assert_array_equal(image, kept)


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (200, 1), (3, 5)])
def test_old_photo_takes_tiny_photos(picture: MakeImage, size: tuple[int, int]) -> None:
    for number in range(60):
        check(old_photo(picture(*size), generator(0, "tiny", number), HEAVY), size)


def test_old_photo_has_no_mask_when_it_is_not_damaged(picture: MakeImage) -> None:
    whole = replace(MODERATE, clean=1.0)
    for number in range(10):
        d = old_photo(picture(), generator(0, "clean", number), whole)
        assert not d.mask.any() and not d.lost.any()
        assert not {str(n["op"]) for n in d.params} & {"scratches", "cracks", "torn", "dust"}


def test_old_photo_always_has_damage_when_it_is_heavy(picture: MakeImage) -> None:
    masks = [old_photo(picture(), generator(0, "h", i), HEAVY).mask.mean() for i in range(20)]
    assert np.mean([m > 0 for m in masks]) > 0.8
    assert 0.005 < np.mean(masks) < 0.4


def test_old_photo_differs_from_its_tone_in_the_mask_above_all(picture: MakeImage) -> None:
    quiet = replace(HEAVY, blur=0.0, noise=0.0, jpeg=98)
    inside: list[float] = []
    outside: list[float] = []
    for number in range(12):
        d = old_photo(picture(128, 128), generator(0, "m", number), quiet)
        notes = {str(n["op"]) for n in d.params}
        if not d.mask.any() or notes & {"halftone", "stain", "fold"}:
            continue
        change = np.abs(d.lq - d.toned).max(2)
        inside.append(float(change[d.mask > 0].mean()))
        outside.append(float(change[d.mask == 0].mean()))
    assert np.mean(inside) > 8 * np.mean(outside)


def test_old_photo_gives_a_gray_target_when_it_took_all_colour(picture: MakeImage) -> None:
    seen = set[bool]()
    for number in range(60):
        d = old_photo(picture(), generator(0, "gray", number))
        tone = next(n for n in d.params if n["op"] == "tone")
        gray = bool(np.ptp(d.hq, axis=2).max() < 1e-6)
        assert gray == (tone["saturation"] == 0)
        seen.add(gray)
    assert seen == {False, True}


def test_old_photo_blurs_in_proportion_to_the_photo() -> None:
    edge = np.zeros((16, 800, 3), np.float32)
    edge[:, 400:] = 1
    blur_only = replace(HEAVY, noise=0, jpeg=98, fade=0, damage=0, clean=1.0, blur=1.8, only=True)
    slopes = [
        float(
            np.abs(
                np.diff(old_photo(edge, generator(0, "b", 3), blur_only, unit=u).lq[8, :, 0])
            ).max()
        )
        for u in (1.0, 2.0, 8.0)
    ]
    assert slopes[0] / slopes[1] == pytest.approx(2, rel=0.15)
    assert slopes[0] / slopes[2] == pytest.approx(8, rel=0.15)
