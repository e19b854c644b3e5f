"""GMSD against a literal transcription of Xue et al. (2014)."""

from __future__ import annotations

import numpy as np
import pytest

from unfade.eval.gmsd import gmsd


def literal(first: np.ndarray, second: np.ndarray) -> float:
    """Pixel by pixel: halve, Prewitt with zeros outside, similarity, sample deviation."""

    def gradient(rgb: np.ndarray) -> np.ndarray:
        gray = 255 * (rgb.astype(float) @ [0.299, 0.587, 0.114])
        half = (gray[::2, ::2] + gray[1::2, ::2] + gray[::2, 1::2] + gray[1::2, 1::2]) / 4
        wide = np.pad(half, 1)
        out = np.zeros_like(half)
        for i in range(half.shape[0]):
            for j in range(half.shape[1]):
                box = wide[i : i + 3, j : j + 3]
                across = (box[:, 0].sum() - box[:, 2].sum()) / 3
                down = (box[0].sum() - box[2].sum()) / 3
                out[i, j] = np.sqrt(across**2 + down**2)
        return out

    x, y = gradient(first), gradient(second)
    similarity = (2 * x * y + 170) / (x**2 + y**2 + 170)
    centred = similarity - similarity.mean()
    return float(np.sqrt((centred**2).sum() / (similarity.size - 1)))


def noisy(photo: np.ndarray, sigma: float) -> np.ndarray:
    noise = sigma * np.random.default_rng(0).standard_normal(photo.shape)
    return np.clip(photo + noise, 0, 1).astype(np.float32)


def test_gmsd_equals_the_formula(photo: np.ndarray) -> None:
    target = photo[:60, :80]
    image = noisy(target, 0.1)
    assert gmsd(image, target) == pytest.approx(literal(image, target), rel=1e-9)


def test_gmsd_is_zero_for_equal_images_symmetric_and_grows_with_noise(photo: np.ndarray) -> None:
    image = noisy(photo, 0.1)
    assert gmsd(photo, photo) == 0
    assert gmsd(image, photo) == pytest.approx(gmsd(photo, image))
    odd = photo[:101, :133]
    values = [gmsd(noisy(odd, sigma), odd) for sigma in (0.01, 0.05, 0.2)]
    assert values == sorted(values)
