"""Damage masks as arrays: thresholds, shares, and the hole that is filled."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]  # (H, W), probability of damage in 1/255
Hole = NDArray[np.float32]  # (H, W) in [0, 1]

_BLOCK = 1 << 22  # pixels that are looked at together


def _level(threshold: float) -> int:
    """The least mask value, 1..255, that reaches a threshold in 0..1."""
    return max(1, min(255, -int(-threshold * 255 // 1)))


def harden(mask: Mask, threshold: float) -> Mask:
    """A mask with 255 where a pixel reaches the threshold (0..1), and 0 elsewhere."""
    damaged = (mask >= _level(threshold)).view(np.uint8)
    damaged *= 255  # in place: a mask of a large scan is large
    return damaged


def share_of(mask: Mask, threshold: float) -> float:
    """The share of pixels that reach the threshold (0..1), rounded to six digits."""
    level, rows = _level(threshold), max(1, _BLOCK // max(1, mask.shape[1]))
    tops = range(0, len(mask), rows)
    count = sum(int(np.count_nonzero(mask[top : top + rows] >= level)) for top in tops)
    return round(count / mask.size, 6)


def _disc(radius: int) -> NDArray[np.uint8]:
    size = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)


def grown(hole: Hole, radius: int) -> Hole:
    """(H, W) -> (H, W): each pixel takes the largest value within `radius` pixels."""
    return np.asarray(cv2.dilate(hole, _disc(radius)), np.float32)


def erased(mask: Mask, limit: float, radius: int) -> Hole:
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
