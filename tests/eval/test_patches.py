from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.signal import convolve2d

from unfade.errors import InputError
from unfade.eval.distances import frechet_distance, kernel_distance, standardised
from unfade.eval.patches import FEATURES, patch_statistics

GABOR = np.s_[0:4]  # of the first octave


def grating(angle: float, wavelength: float) -> np.ndarray:
    y, x = np.mgrid[:128, :128]
    phase = 2 * np.pi / wavelength * (x * np.cos(angle) + y * np.sin(angle))
    return np.repeat(0.5 + 0.3 * np.sin(phase)[..., None], 3, axis=2).astype(np.float32)


def test_one_row_for_each_whole_patch(photo: np.ndarray) -> None:
    rows = patch_statistics(photo)
    assert rows.shape == ((300 // 64) * (451 // 64), FEATURES)
    assert np.isfinite(rows).all()
    assert np.allclose(patch_statistics(photo[:64, :64])[0, 1:3], rows[0, 1:3], atol=0.5)
    with pytest.raises(InputError, match="at least 64"):
        patch_statistics(photo[:63])


@pytest.mark.parametrize("direction", range(4))
def test_energy_lies_in_the_direction_of_the_grating(direction: int) -> None:
    rows = patch_statistics(grating(np.pi * direction / 4, 4.0))
    assert (rows[:, GABOR].argmax(1) == direction).all()


@pytest.mark.parametrize("octave", range(4))
def test_energy_lies_in_the_octave_of_the_grating(octave: int) -> None:
    rows = patch_statistics(grating(0.0, 4.0 * 2**octave))
    assert rows.mean(0)[[0, 7, 14, 21]].argmax() == octave


def test_energy_equals_a_complex_convolution(photo: np.ndarray) -> None:
    crop = photo[:192, :192]
    gray = crop.astype(float) @ [0.299, 0.587, 0.114]
    y, x = np.mgrid[-6:7, -6:7]
    envelope = np.exp(-(x**2 + y**2) / (2 * (0.56 * 4) ** 2))
    envelope /= envelope.sum()
    wave = 2 * np.pi / 4 * (x + y) / np.sqrt(2)
    even = envelope * np.cos(wave)
    even -= envelope * even.sum()
    response = convolve2d(gray, even, "same") + 1j * convolve2d(
        gray, envelope * np.sin(wave), "same"
    )
    expected = np.log((np.abs(response) ** 2)[64:128, 64:128].mean() + 1 / (12 * 255**2))
    assert patch_statistics(crop)[4, 1] == pytest.approx(expected, abs=2e-3)


def test_tone_counts_little_and_texture_much(photo: np.ndarray) -> None:
    rows = patch_statistics(photo)
    brighter = patch_statistics((photo * 0.8 + 0.2).astype(np.float32))
    strong = rows[:, GABOR] > -10  # far above the floor
    change = (brighter - rows)[:, GABOR][strong]
    assert strong.sum() > 10 and np.allclose(change, 2 * np.log(0.8), atol=0.02)
    flat = patch_statistics(np.full((64, 64, 3), 0.7, np.float32))
    assert np.allclose(flat[0, GABOR], np.log(1 / (12 * 255**2)))


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_distance_grows_with_blur_and_with_noise(photos, distance) -> None:
    clean = [photos[name][:192, :256] for name in ("astronaut", "coffee", "cat")]
    rng = np.random.default_rng(0)

    def features(images: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([patch_statistics(image) for image in images])

    reference = features(clean)

    def away(images: list[np.ndarray]) -> float:
        return distance(
            standardised(features(images), reference), standardised(reference, reference)
        )

    for damage in (
        lambda p, s: cv2.GaussianBlur(p, (0, 0), 10 * s),
        lambda p, s: np.clip(p + s * rng.standard_normal(p.shape), 0, 1).astype(np.float32),
    ):
        values = [away(clean), *(away([damage(p, s) for p in clean]) for s in (0.1, 0.3))]
        assert values == sorted(values)
