from __future__ import annotations

import cv2
import numpy as np
import pytest

from unfade.errors import InputError
from unfade.eval.spectrum import BINS, radial_spectrum, spectrum_distance


def gray(plane: np.ndarray) -> np.ndarray:
    return np.repeat(plane[..., None], 3, axis=2).astype(np.float32)


def test_white_noise_has_its_variance_at_every_frequency_and_a_flat_picture_no_power() -> None:
    noise = 0.5 + 0.1 * np.random.default_rng(0).standard_normal((400, 500))
    assert np.allclose(radial_spectrum(gray(noise))[2:], 0.01, rtol=0.15)
    assert radial_spectrum(np.full((80, 90, 3), 0.7, np.float32)).max() < 1e-10


@pytest.mark.parametrize("frequency", [0.1, 0.3])
def test_wave_lies_in_the_ring_of_its_frequency(frequency: float) -> None:
    y, x = np.mgrid[:256, :320]
    wave = gray(0.5 + 0.3 * np.sin(2 * np.pi * frequency * (0.6 * x + 0.8 * y)))
    assert radial_spectrum(wave).argmax() == int(frequency * 2 * BINS)


def test_distance_is_zero_for_mirrored_images_and_grows_with_blur(photo: np.ndarray) -> None:
    assert spectrum_distance(photo, photo) == 0
    assert spectrum_distance(np.flip(photo, 1), photo) == pytest.approx(0, abs=1e-3)
    values = [
        spectrum_distance(cv2.GaussianBlur(photo, (0, 0), s).astype(np.float32), photo)
        for s in (0.5, 1, 2)
    ]
    assert values == sorted(values)
    with pytest.raises(InputError, match="at least 64"):
        radial_spectrum(photo[:63])


def test_distance_is_the_gain_in_decibel_when_contrast_is_doubled() -> None:
    noise = np.random.default_rng(0).standard_normal((256, 256))
    low, high = gray(0.5 + 0.05 * noise), gray(0.5 + 0.1 * noise)
    assert spectrum_distance(high, low) == pytest.approx(20 * np.log10(2), abs=0.02)
