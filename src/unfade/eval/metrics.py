"""Fidelity of a restoration to its clean photo, per image.

Images are (H, W, 3) float32, sRGB [0, 1], data range 1, no border cropped.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Plane = NDArray[np.float64]


def psnr(image: Image, target: Image) -> float:
    """Peak signal-to-noise ratio over all channels, dB; infinite for equal images."""
    mse = float(np.mean(np.square(image.astype(np.float64) - target)))
    return float("inf") if mse == 0 else -10 * float(np.log10(mse))


def ssim(image: Image, target: Image) -> float:
    """Structural similarity as Wang et al. (2004) define it: Gaussian window of sigma 1.5.

    Needs the extra `bench` (scikit-image); mean over pixels and channels.
    """
    from skimage.metrics import structural_similarity  # pyright: ignore[reportUnknownVariableType]

    similarity = cast(Any, structural_similarity)
    value = similarity(
        image, target, data_range=1.0, channel_axis=2, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False,
    )  # fmt: skip
    return float(value)


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


def f1(found: NDArray[np.bool_], true: NDArray[np.bool_], tolerance: int = 0) -> NDArray[np.int64]:
    """Counts from which F1 is pooled over images.

    Args:
        found, true: (H, W).
        tolerance: pixels by which a found pixel may miss a true one, and the reverse.

    Returns:
        (4,): found pixels that are right, found, true pixels that are found, true.
    """
    import cv2

    kernel = np.ones((2 * tolerance + 1, 2 * tolerance + 1), np.uint8)
    wide_true = cv2.dilate(true.astype(np.uint8), kernel) > 0
    wide_found = cv2.dilate(found.astype(np.uint8), kernel) > 0
    right, hit = np.sum(found & wide_true), np.sum(true & wide_found)
    return np.array([right, found.sum(), hit, true.sum()], np.int64)


def pooled_f1(counts: NDArray[np.int64]) -> tuple[float, float, float]:
    """Precision, recall and F1 of summed `f1` counts."""
    precision = float(counts[0] / max(1, counts[1]))
    recall = float(counts[2] / max(1, counts[3]))
    return precision, recall, 2 * precision * recall / max(1e-12, precision + recall)
