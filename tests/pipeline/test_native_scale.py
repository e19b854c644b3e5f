from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from unfade.imaging import Metadata, Photo
from unfade.pipeline.native_scale import native_factor

PICTURES = {"astronaut": data.astronaut(), "coffee": data.coffee(), "rocket": data.rocket()}
WAYS = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC, "lanczos": cv2.INTER_LANCZOS4}


def scan(rgb: np.ndarray) -> Photo:
    native = np.ascontiguousarray(np.clip(rgb, 0, 255).astype(np.uint8))
    return Photo(native, None, Metadata(exif=None, icc=None, xmp=None, dpi=None, format="PNG"))


def small(name: str) -> np.ndarray:
    """A sharp picture: half of one that is a little soft."""
    return cv2.resize(PICTURES[name], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("noise", [0, 3])
@pytest.mark.parametrize("way", WAYS)
def test_enlarged_scans_are_told_from_sharp_ones(name: str, noise: float, way: str) -> None:
    rng = np.random.default_rng(0)
    for factor in (1, 2, 4):
        large = cv2.resize(small(name), None, fx=factor, fy=factor, interpolation=WAYS[way])
        noisy = large + noise * rng.standard_normal(large.shape)
        assert native_factor(scan(noisy), 40) == factor


def test_repeated_pixels_are_no_detail() -> None:
    large = np.repeat(np.repeat(small("rocket"), 4, 0), 4, 1)
    assert native_factor(scan(large), 40) == 4


def test_a_scan_is_never_reduced_below_the_shortest_side() -> None:
    large = cv2.resize(small("coffee"), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    side = min(large.shape[:2])
    assert native_factor(scan(large), side // 2) == 2
    assert native_factor(scan(large), side // 2 + 1) == 1


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (3, 2), (64, 64)])
def test_flat_and_tiny_photos_are_taken_as_they_are(size: tuple[int, int]) -> None:
    assert native_factor(scan(np.full((*size, 3), 90)), 1) == 1
