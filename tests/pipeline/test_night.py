from __future__ import annotations

import cv2
import numpy as np
import pytest

from unfade.imaging import Metadata, Photo
from unfade.pipeline import night
from unfade.pipeline.first_stage import FirstStage


@pytest.fixture(scope="module")
def compact() -> FirstStage:
    return FirstStage.from_pretrained("compact", device="cpu")


def as_photo(gray: np.ndarray) -> Photo:
    native = np.repeat(np.clip(gray, 0, 255).astype(np.uint8)[..., None], 3, 2)
    return Photo(native, None, Metadata(exif=None, icc=None, xmp=None, dpi=None, format="PNG"))


def sky(height: int = 220, width: int = 300, lights: int = 90) -> tuple[np.ndarray, np.ndarray]:
    """A night sky, and where its stars are."""
    rng = np.random.default_rng(4)
    stars = np.zeros((height, width), np.float32)
    for _ in range(lights):
        y, x = int(rng.integers(4, height - 4)), int(rng.integers(4, width - 4))
        stars[y, x] += float(rng.uniform(150, 1500))
    stars = np.asarray(cv2.GaussianBlur(stars, (0, 0), 0.9), np.float32)
    ground = 10 + rng.normal(0, 2, (height, width))
    return ground + stars, stars > 40


def test_stars_are_no_damage_and_high_sensitivity_finds_them(compact: FirstStage) -> None:
    gray, stars = sky()
    mask = compact.detect(as_photo(gray), tile=512) / np.float32(255)
    limits = compact.thresholds
    assert (mask[stars] >= limits["normal"]).mean() < 0.02
    assert (mask[stars] >= limits["high"]).mean() > 0.3  # they do look like dust


def test_a_scratch_through_the_night_is_still_damage(compact: FirstStage) -> None:
    gray, _ = sky()
    line = np.zeros(gray.shape, np.uint8)
    cv2.line(line, (150, 5), (160, 215), 1, 2)
    gray[line > 0] = 235
    mask = compact.detect(as_photo(gray), tile=512) / np.float32(255)
    assert (mask[line > 0] >= compact.thresholds["normal"]).mean() > 0.7


@pytest.mark.parametrize(("dark", "expected"), [(1.0, True), (0.85, True), (0.6, False)])
def test_night_is_where_nearly_all_is_black(dark: float, expected: bool) -> None:
    gray, _ = sky()
    gray[round(dark * len(gray)) :] = 120
    assert night.is_night(as_photo(gray)) == expected


def test_only_specks_are_limited_also_in_a_reduced_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = np.zeros((201, 303), np.uint8)
    mask[50:53, 20:23] = 255  # a speck
    mask[100:104, 20:200] = 255  # a scratch
    mask[200, 302] = 230  # a speck in the corner
    for pixels in (4e6, 2e4):
        monkeypatch.setattr(night, "_PIXELS", pixels)
        out = night.limit_specks(mask.copy(), 0.65, 0.75)
        assert out[50:53, 20:23].max() == 191 and out[200, 302] == 191
        assert (out[100:104, 20:200] == 255).all() and (out == 0).sum() == (mask == 0).sum()
