"""The classical pipeline, as a baseline: OpenCV's inpainting, denoising and contrast."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def classical(lq: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mends a photo without learning.

    Telea inpainting (2004) of the mask grown by a pixel, non-local means with OpenCV's default
    strength, then each channel stretched from its 0.5th to its 99.5th percentile.

    Args:
        lq: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8, non-zero = damaged.
    """
    hole = cv2.dilate((mask > 0).astype(np.uint8), np.ones((3, 3), np.uint8))
    filled = cv2.inpaint(lq, hole, 3, cv2.INPAINT_TELEA)
    smooth = cv2.fastNlMeansDenoisingColored(filled, None, 3, 3, 7, 21)
    low, high = np.percentile(smooth, [0.5, 99.5], axis=(0, 1))  # (3,), (3,)
    stretched = (smooth - low) / np.maximum(high - low, 1) * 255
    return np.rint(np.clip(stretched, 0, 255)).astype(np.uint8)
