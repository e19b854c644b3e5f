from __future__ import annotations

import numpy as np
import pytest

from unfade.degrade.reduce import cubic, reduced
from unfade.rng import generator


@pytest.fixture
def photo() -> np.ndarray:
    """(64, 96, 3), smooth."""
    y, x = np.mgrid[:64, :96].astype(np.float32)
    waves = [0.5 + 0.4 * np.sin(x / a) * np.cos(y / b) for a, b in ((17, 23), (31, 13), (20, 40))]
    return np.stack(waves, 2).astype(np.float32)


def test_reducing_keeps_smooth_pictures_and_makes_fine_stripes_gray(photo: np.ndarray) -> None:
    flat = np.full((16, 16, 3), 0.3, np.float32)
    assert np.allclose(reduced(flat, 4), 0.3, atol=1e-6)
    centre = reduced(photo, 2)[4:-4, 4:-4]
    means = photo.reshape(32, 2, 48, 2, 3).mean((1, 3))[4:-4, 4:-4]
    assert np.abs(centre - means).max() < 0.01
    stripes = np.zeros((32, 32, 3), np.float32)
    stripes[:, ::2] = 1
    assert np.abs(reduced(stripes, 4)[2:-2, 2:-2] - 0.5).max() < 0.05


def test_cubic_weights_interpolate_and_sum_to_one() -> None:
    assert cubic(np.array([0.0, 1.0, 2.0, 3.0])).tolist() == [1, 0, 0, 0]
    for shift in generator(0, "shift").random(5):
        assert cubic(np.abs(np.arange(-3, 4) - shift)).sum() == pytest.approx(1)
