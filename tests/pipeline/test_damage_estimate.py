from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from unfade.convert import from_array
from unfade.imaging import Photo
from unfade.pipeline import damage_estimate
from unfade.pipeline.damage_estimate import Damage, estimate_damage


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
    assert estimate_damage(grainy(sigma), None, 0.5).grain == pytest.approx(sigma, rel=0.1)


def test_grain_is_measured_beside_the_damage() -> None:
    mask = np.zeros((400, 500), np.uint8)
    mask[:, ::3] = 255
    rgb = scene()
    rgb[mask > 0] = np.random.default_rng(2).uniform(0, 1, (int((mask > 0).sum()), 3))
    assert estimate_damage(photo(rgb), None, 0.5).grain > 0.05
    assert estimate_damage(photo(rgb), mask, 0.5).grain < 0.01


def test_blur_is_measured() -> None:
    rgb = scene()
    blurs = [estimate_damage(photo(rgb), None, 0.5).blur] + [
        estimate_damage(photo(cv2.GaussianBlur(rgb, (0, 0), s).astype(np.float32)), None, 0.5).blur
        for s in (1.0, 2.0, 4.0)
    ]
    assert blurs == sorted(blurs) and blurs[0] < 0.2 and blurs[-1] > 0.7


def test_share_is_that_of_the_pixels_from_the_threshold_on() -> None:
    mask = np.zeros((400, 500), np.uint8)
    mask[:100] = 255
    mask[100:200] = 100
    assert estimate_damage(photo(scene()), mask, 0.5).share == 0.25
    assert estimate_damage(photo(scene()), mask, 0.3).share == 0.5
    assert estimate_damage(photo(scene()), None, 0.5).share == 0


def test_large_scan_is_measured_as_it_is_seen() -> None:
    rgb = cv2.resize(scene(1024, 1100), (3300, 3072), interpolation=cv2.INTER_CUBIC)
    rgb = np.asarray(rgb, np.float32)
    assert estimate_damage(photo(rgb), None, 0.5).blur < damage_estimate.BLUR[0]
    assert estimate_damage(photo(rgb[:1000, :1000]), None, 0.5).blur > damage_estimate.BLUR[0]


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (3, 2)])
def test_any_size_and_a_flat_photo_can_be_measured(size: tuple[int, int]) -> None:
    flat = photo(np.full((*size, 3), 0.5, np.float32))
    assert estimate_damage(flat, None, 0.5) == Damage(0, 0, 0)
    assert estimate_damage(flat, np.full(size, 255, np.uint8), 0.5) == Damage(1, 0, 0)
