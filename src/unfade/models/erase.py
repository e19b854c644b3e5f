"""Damage mask -> the hole that the first stage fills."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Hole = NDArray[np.float32]


def _disc(radius: int) -> NDArray[np.uint8]:
    size = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)


def grown(hole: Hole, radius: int) -> Hole:
    """(H, W) -> (H, W): each pixel takes the largest value within `radius` pixels."""
    return np.asarray(cv2.dilate(hole, _disc(radius)), np.float32)


def erased(mask: NDArray[np.uint8], limit: float, radius: int) -> Hole:
    """The pixels that the first stage does not see and fills.

    Each pixel of the mask that reaches the threshold is filled completely, whatever its
    probability, so a soft mask and the same mask thresholded to 0 and 255 give the same hole.

    Args:
        mask: (H, W), probability of damage in 1/255.
        limit: the threshold in (0, 1) from which a pixel counts as damaged.
        radius: the hole reaches this many pixels beyond the damaged ones.

    Returns:
        (H, W): 1 in the hole, 0 elsewhere.
    """
    return grown((mask >= limit * 255).astype(np.float32), radius)
