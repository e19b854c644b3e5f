"""Computes PSNR, SSIM and the F1 score of masks, against a reference.

Images are (H, W, C) float32, C = 1 or 3, sRGB [0, 1], data range 1, no border cropped.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.eval.images import (
    Image,
    Plane,
    gaussian_kernel,
    require_same_size,
    require_side,
    separable,
)

SSIM_WINDOW = 11  # pixels
_SSIM_SIGMA = 1.5
_C1, _C2 = 0.01**2, 0.03**2  # K1, K2 of Wang et al. at data range 1


def psnr(image: Image, target: Image) -> float:
    """Peak signal-to-noise ratio over all channels, dB; infinite for equal images."""
    require_same_size(image, target)
    mse = float(np.mean(np.square(image.astype(np.float64) - target)))
    return float("inf") if mse == 0 else -10 * float(np.log10(mse))


def ssim(image: Image, target: Image) -> float:
    """Structural similarity, Wang et al. (2004), Eq. 13; at most 1.

    Gaussian window of 11 pixels and sigma 1.5, K1 = 0.01, K2 = 0.03; mean over channels and over
    the pixels whose window lies inside the image.

    Raises:
        InputError: the sizes differ, or a side has fewer than 11 pixels.
    """
    require_same_size(image, target)
    require_side(image, SSIM_WINDOW, "SSIM")
    total = 0.0
    for channel in range(image.shape[2]):
        luminance, structure = similarity_maps(image[..., channel], target[..., channel])
        total += float(np.mean(luminance * structure))
    return total / image.shape[2]


def similarity_maps(
    image: NDArray[np.floating], target: NDArray[np.floating]
) -> tuple[Plane, Plane]:
    """SSIM's two factors at each pixel, Wang et al. (2004), Eq. 6 and Eq. 9 times 10.

    Args:
        image, target: (H, W) [0, 1], at least 11 pixels a side.

    Returns:
        Luminance, and contrast times structure: (H - 10, W - 10) each.
    """
    x, y = image.astype(np.float64), target.astype(np.float64)
    mean_x, mean_y = _windowed(x), _windowed(y)
    variance_x = _windowed(x * x) - mean_x * mean_x
    variance_y = _windowed(y * y) - mean_y * mean_y
    covariance = _windowed(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x * mean_x + mean_y * mean_y + _C1)
    structure = (2 * covariance + _C2) / (variance_x + variance_y + _C2)
    return luminance, structure


def _windowed(values: Plane) -> Plane:
    """Mean under the window wherever it fits: (H, W) -> (H - 10, W - 10)."""
    r = SSIM_WINDOW // 2
    kernel = gaussian_kernel(r, _SSIM_SIGMA)
    return separable(values, kernel, kernel)[r:-r, r:-r]


def aligned(image: Image, target: Image) -> Image:
    """The best affine fit of each channel to the target, clipped to [0, 1].

    What then remains is structure: tone and cast are taken out of the comparison.
    """
    out = np.empty_like(image)
    for c in range(image.shape[2]):
        x: Plane = image[..., c].astype(np.float64)
        y: Plane = target[..., c].astype(np.float64)
        x_mean, y_mean = float(x.mean()), float(y.mean())
        spread = float(np.square(x - x_mean).mean())
        shared = float(np.multiply(x - x_mean, y - y_mean).mean())
        gain = shared / spread if spread > 1e-12 else 0.0
        fit: Plane = np.clip(gain * (x - x_mean) + y_mean, 0.0, 1.0)
        out[..., c] = fit
    return out


def f1(
    predicted: NDArray[np.bool_], true: NDArray[np.bool_], tolerance: int = 0
) -> NDArray[np.int64]:
    """Counts from which F1 is pooled over images.

    Args:
        predicted, true: (H, W).
        tolerance: pixels by which a predicted pixel may miss a true one, and the reverse.

    Returns:
        (4,): correct predicted pixels, predicted pixels, hit true pixels, true pixels.
    """
    kernel = np.ones((2 * tolerance + 1, 2 * tolerance + 1), np.uint8)
    wide_true = cv2.dilate(true.astype(np.uint8), kernel) > 0
    wide_predicted = cv2.dilate(predicted.astype(np.uint8), kernel) > 0
    right, hit = np.sum(predicted & wide_true), np.sum(true & wide_predicted)
    return np.array([right, predicted.sum(), hit, true.sum()], np.int64)


def pooled_f1(counts: NDArray[np.int64]) -> tuple[float, float, float]:
    """Precision, recall and F1 of summed `f1` counts."""
    precision = float(counts[0] / max(1, counts[1]))
    recall = float(counts[2] / max(1, counts[3]))
    return precision, recall, 2 * precision * recall / max(1e-12, precision + recall)
