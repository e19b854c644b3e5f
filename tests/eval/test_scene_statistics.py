from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import correlate

from unfade.errors import InputError
from unfade.eval.scene_statistics import normalised, scene_statistics


def gaussian() -> np.ndarray:
    y, x = np.mgrid[-3:4, -3:4]
    window = np.exp(-(x**2 + y**2) / (2 * (7 / 6) ** 2))
    return window / window.sum()


def cubic(distance: float) -> float:
    """Keys' kernel with a = -0.5, as MATLAB's imresize has it."""
    d = abs(distance)
    if d <= 1:
        return 1.5 * d**3 - 2.5 * d**2 + 1
    return -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2 if d < 2 else 0.0


def halved(gray: np.ndarray) -> np.ndarray:
    """Pixel i of the result lies at 2 i + 0.5; borders are mirrored."""
    for axis in (0, 1):
        size = gray.shape[axis]
        matrix = np.zeros((size // 2, size))
        for i in range(size // 2):
            for j in range(2 * i - 6, 2 * i + 8):
                mirrored = j if 0 <= j < size else (-1 - j if j < 0 else 2 * size - 1 - j)
                matrix[i, mirrored] += cubic((j - 2 * i - 0.5) / 2) / 2
        gray = np.moveaxis(np.tensordot(matrix, gray, (1, axis)), 0, axis)
    return gray


def fitted(values: np.ndarray) -> tuple[float, float, float]:
    """Shape, left and right scale of a block, straight from the formulas."""
    left = math.sqrt(np.mean(values[values < 0] ** 2))
    right = math.sqrt(np.mean(values[values > 0] ** 2))
    g = left / right
    r = np.mean(np.abs(values)) ** 2 / np.mean(values**2) * (g**3 + 1) * (g + 1) / (g * g + 1) ** 2
    grid = np.arange(0.2, 10.0005, 0.001)
    description = [math.gamma(2 / a) ** 2 / (math.gamma(1 / a) * math.gamma(3 / a)) for a in grid]
    a = grid[np.argmin((np.array(description) - r) ** 2)]
    narrow = math.sqrt(math.gamma(1 / a) / math.gamma(3 / a))
    return a, left * narrow, right * narrow


def described(block: np.ndarray) -> list[float]:
    shape, left, right = fitted(block)
    features = [shape, (left + right) / 2]
    for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
        shape, left, right = fitted(block * np.roll(block, shift, (0, 1)))
        mean = (right - left) * math.gamma(2 / shape) / math.gamma(1 / shape)
        features += [shape, mean, left, right]
    return features


def test_normalised_equals_the_formula(photo: np.ndarray) -> None:
    gray = 255 * photo[:50, :60, 0].astype(float)
    mean = correlate(gray, gaussian(), mode="nearest")
    deviation = np.sqrt(np.abs(correlate(gray**2, gaussian(), mode="nearest") - mean**2))
    found, spread = normalised(gray)
    assert np.allclose(spread, deviation, atol=1e-6)
    assert np.allclose(found, (gray - mean) / (deviation + 1), atol=1e-6)


def test_features_equal_a_transcription_block_by_block(photo: np.ndarray) -> None:
    image = photo[:200, 100:300]  # 2 x 2 whole blocks
    gray = 255 * (image.astype(float) @ [0.299, 0.587, 0.114])[:192, :192]
    found = scene_statistics(image)
    fine, deviation = normalised(gray)
    coarse, _ = normalised(halved(gray))
    for block, (row, col) in enumerate([(0, 0), (0, 96), (96, 0), (96, 96)]):
        box = np.s_[row : row + 96, col : col + 96]
        half = np.s_[row // 2 : row // 2 + 48, col // 2 : col // 2 + 48]
        expected = [*described(fine[box]), *described(coarse[half])]
        assert np.allclose(found.features[block], expected, atol=2e-3)
        assert found.sharpness[block] == pytest.approx(deviation[box].mean())


def test_features_are_not_numbers_without_contrast_and_refused_under_one_block(
    photo: np.ndarray,
) -> None:
    image = photo[:96, :192].copy()
    image[:, 90:] = 0.5
    found = scene_statistics(image)
    assert found.features.shape == (2, 36)
    assert np.isfinite(found.features[0]).all() and np.isnan(found.features[1]).any()
    with pytest.raises(InputError, match="at least 96"):
        scene_statistics(photo[:95])
