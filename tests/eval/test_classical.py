"""The classical baseline does what its name says."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.data import astronaut

from unfade.eval.classical import classical, denoised, inpainted, noise_level, sharpened, stretched


def test_classical_fills_a_scratch_and_stretches_the_contrast() -> None:
    photo = np.ascontiguousarray(astronaut()[::2, ::2])
    faded = (photo * 0.5 + 60).astype(np.uint8)
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[100:103, 20:220] = 255
    damaged = faded.copy()
    damaged[mask > 0] = 255
    out = classical(damaged, mask)
    assert out.dtype == np.uint8 and out.shape == photo.shape
    assert np.ptp(out) > np.ptp(faded)
    error = np.abs(out[mask > 0].astype(int) - photo[mask > 0]).mean()
    assert error < np.abs(255 - photo[mask > 0].astype(int)).mean() / 2


def test_each_part_does_one_thing() -> None:
    photo = np.ascontiguousarray(astronaut()[::4, ::4])
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[60:62, 10:100] = 255
    filled = inpainted(photo, mask)
    assert np.array_equal(filled[70:], photo[70:]) and not np.array_equal(filled, photo)
    noise = np.random.default_rng(0).normal(0, 10, (128, 128, 3))
    noisy = np.clip(128 + noise, 0, 255).astype(np.uint8)
    assert noisy.std() > 2 * denoised(noisy, 10).std()
    ramp = np.repeat(np.linspace(80, 160, 64).astype(np.uint8)[None, :, None], 64, 0).repeat(3, 2)
    assert stretched(ramp).min() == 0 and stretched(ramp).max() == 255
    step = np.where(np.arange(64) < 32, 80, 160).astype(np.uint8)[None, :, None]
    step = np.ascontiguousarray(step.repeat(64, 0).repeat(3, 2))
    assert np.ptp(sharpened(step)) > np.ptp(step) == 80


@pytest.mark.parametrize("sigma", [2, 5, 15])
def test_noise_is_measured(sigma: float) -> None:
    ramp = np.linspace(60, 190, 256)[None, :, None]
    noise = np.random.default_rng(0).normal(0, sigma, (256, 256, 1))
    noisy = np.rint(ramp + noise).astype(np.uint8).repeat(3, 2)
    assert noise_level(noisy) == pytest.approx(sigma, rel=0.1)
