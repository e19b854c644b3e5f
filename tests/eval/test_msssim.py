"""MS-SSIM against a transcription of the paper on scipy and scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import correlate

from unfade.errors import InputError
from unfade.eval.metrics import ssim
from unfade.eval.msssim import MIN_SIDE, ms_ssim


def literal(x: np.ndarray, y: np.ndarray) -> float:
    """Wang, Simoncelli and Bovik (2003), Eq. 7, on one channel, window by window."""
    taps = np.exp(-(np.arange(-5, 6)[:, None] ** 2 + np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = taps / taps.sum()

    def mean(values: np.ndarray) -> np.ndarray:
        return correlate(values, window, mode="constant")[5:-5, 5:-5]

    value, weights = 1.0, [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]
    for scale, weight in enumerate(weights):
        mx, my = mean(x), mean(y)
        vx, vy, cxy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
        cs = (2 * cxy + 0.0009) / (vx + vy + 0.0009)
        luminance = (2 * mx * my + 0.0001) / (mx**2 + my**2 + 0.0001)
        value *= np.mean(cs if scale < 4 else luminance * cs) ** weight
        x, y = ((p[::2, ::2] + p[1::2, ::2] + p[::2, 1::2] + p[1::2, 1::2]) / 4 for p in (x, y))
    return float(value)


def test_ms_ssim_equals_the_formula(photo: np.ndarray) -> None:
    target = photo[:192, :256, :1]
    rng = np.random.default_rng(0)
    image = np.clip(target + 0.1 * rng.standard_normal(target.shape), 0, 1).astype(np.float32)
    expected = literal(image[..., 0].astype(float), target[..., 0].astype(float))
    assert ms_ssim(image, target) == pytest.approx(expected, abs=1e-9)
    assert abs(ms_ssim(image, target) - ssim(image, target)) > 0.1


def test_ms_ssim_of_colour_is_the_mean_of_its_channels(photo: np.ndarray) -> None:
    target, image = photo[:170, :200], photo[60:230, 100:300]
    channels = [ms_ssim(image[..., c : c + 1], target[..., c : c + 1]) for c in range(3)]
    assert ms_ssim(image, target) == pytest.approx(np.mean(channels))


def test_ms_ssim_is_in_range_from_the_least_size_on(photo: np.ndarray) -> None:
    least = photo[:MIN_SIDE, :MIN_SIDE]
    assert ms_ssim(least, least) == pytest.approx(1)
    assert 0 <= ms_ssim(1 - photo, photo) < 0.5
    with pytest.raises(InputError, match="at least 161"):
        ms_ssim(photo[: MIN_SIDE - 1], photo[: MIN_SIDE - 1])
