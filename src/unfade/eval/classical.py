"""Classical restoration as a baseline, by OpenCV: inpainting, denoising, sharpening, contrast.

Photos are (H, W, 3) uint8 RGB, masks (H, W) uint8, non-zero = damaged.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def classical(lq: Pixels, mask: Pixels) -> Pixels:
    """Restores a photo without learning: inpainting, then denoising, then contrast."""
    return stretched(denoised(inpainted(lq, mask)))


def inpainted(lq: Pixels, mask: Pixels) -> Pixels:
    """Telea inpainting (2004) of the mask grown by a pixel."""
    hole = cv2.dilate((mask > 0).astype(np.uint8), np.ones((3, 3), np.uint8))
    return _pixels(cv2.inpaint(lq, hole, 3, cv2.INPAINT_TELEA))


def denoised(lq: Pixels, strength: float = 3) -> Pixels:
    """Denoises with OpenCV's non-local means."""
    return _pixels(cv2.fastNlMeansDenoisingColored(lq, None, strength, strength, 7, 21))


def noise_level(lq: Pixels) -> float:
    """Standard deviation of the noise, in levels of 255 (Immerkaer, 1996).

    From what a difference of two Laplacians leaves, which straight edges do not pass.
    """
    gray = cv2.cvtColor(lq, cv2.COLOR_RGB2GRAY).astype(np.float64)
    left = cv2.filter2D(gray, cv2.CV_64F, np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], float))
    return float(np.sqrt(np.pi / 2) * np.abs(left[1:-1, 1:-1]).mean() / 6)


def sharpened(lq: Pixels) -> Pixels:
    """Unsharp masking: what a Gaussian of sigma 1 takes away is added once more."""
    return _pixels(cv2.addWeighted(lq, 2, cv2.GaussianBlur(lq, (0, 0), 1), -1, 0))


def stretched(lq: Pixels) -> Pixels:
    """Each channel stretched from its 0.5th to its 99.5th percentile."""
    low, high = np.percentile(lq, [0.5, 99.5], axis=(0, 1))  # (3,), (3,)
    out = (lq - low) / np.maximum(high - low, 1) * 255
    return np.rint(np.clip(out, 0, 255)).astype(np.uint8)


def _pixels(image: object) -> Pixels:
    return np.asarray(image, np.uint8)
