"""Computes the gradient magnitude similarity deviation (GMSD)."""

from __future__ import annotations

import cv2
import numpy as np

from unfade.eval.images import Image, Plane, luma, require_same_size, require_side

_STABILISER = 170  # c of the paper, for values in 0..255
_PREWITT = np.array([[1, 0, -1], [1, 0, -1], [1, 0, -1]]) / 3


def gmsd(image: Image, target: Image) -> float:
    """GMSD, Xue et al. (2014), Eq. 1 to 6; 0 for equal images, more is worse.

    Luma of BT.601 in 0..255, halved by 2 x 2 means, Prewitt gradients with zeros beyond the
    border, c = 170, sample deviation of the similarity map.

    Args:
        image, target: (H, W, 3) [0, 1].

    Raises:
        InputError: the sizes differ, or a side has fewer than 4 pixels.
    """
    require_same_size(image, target)
    require_side(image, 4, "GMSD")
    x, y = _gradient(image), _gradient(target)
    similarity = (2 * x * y + _STABILISER) / (x * x + y * y + _STABILISER)
    return float(similarity.std(ddof=1))


def _gradient(image: Image) -> Plane:
    """Gradient magnitude at half the size: (H, W, 3) -> (H / 2, W / 2), rounded up."""
    gray = 255 * luma(image)  # (H, W)
    height, width = gray.shape
    even = np.pad(gray, ((0, height % 2), (0, width % 2)))
    half = even.reshape((height + 1) // 2, 2, (width + 1) // 2, 2).mean((1, 3))
    across = cv2.filter2D(half, cv2.CV_64F, _PREWITT, borderType=cv2.BORDER_CONSTANT)
    down = cv2.filter2D(half, cv2.CV_64F, _PREWITT.T, borderType=cv2.BORDER_CONSTANT)
    return np.hypot(across, down)
