"""Operations on damage masks: thresholding, the damaged share, the hole to inpaint."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]  # (H, W), probability of damage in 1/255
Hole = NDArray[np.float32]  # (H, W) in [0, 1]

_BLOCK = 1 << 22  # pixels that are counted at a time
_SIDE, _WIDE = 256, 2  # of the copy in which large areas are sought; their least radius in it
#: The share of a photo, 0..1, from which on its large holes are told.
LARGE = 0.03


def _level(threshold: float) -> int:
    """The smallest mask value, 1..255, that reaches a threshold in 0..1."""
    return max(1, min(255, -int(-threshold * 255 // 1)))


def harden(mask: Mask, threshold: float) -> Mask:
    """Binarizes a mask: 255 where a pixel reaches the threshold (0..1), 0 elsewhere."""
    damaged = (mask >= _level(threshold)).view(np.uint8)
    damaged *= 255  # in place, to save memory for large scans
    return damaged


def damaged_share(mask: Mask, threshold: float) -> float:
    """The share of pixels that reach the threshold (0..1), rounded to six digits."""
    level, rows = _level(threshold), max(1, _BLOCK // max(1, mask.shape[1]))
    tops = range(0, len(mask), rows)
    count = sum(int(np.count_nonzero(mask[top : top + rows] >= level)) for top in tops)
    return round(count / mask.size, 6)


def large_share(damaged: Mask) -> float:
    """The share of a photo in large holes, 0..1: those that hold a disc of 1/51 of its long side.

    Args:
        damaged: (H, W), 255 where the photo is filled in, else 0.
    """
    height, width = damaged.shape
    factor = max(1, round(max(height, width) / _SIDE))
    size = (max(1, width // factor), max(1, height // factor))
    small = cv2.resize(damaged, size, interpolation=cv2.INTER_AREA)  # (h, w)
    wide = cv2.morphologyEx((small >= 128).astype(np.uint8), cv2.MORPH_OPEN, _disc(_WIDE))
    return float(np.count_nonzero(wide)) / wide.size


def _disc(radius: int) -> NDArray[np.uint8]:
    size = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)


def dilated(hole: Hole, radius: int) -> Hole:
    """Dilates (H, W): each pixel takes the largest value within `radius` pixels."""
    return np.asarray(cv2.dilate(hole, _disc(radius)), np.float32)


def inpainting_hole(mask: Mask, threshold: float, radius: int) -> Hole:
    """The hole that the first stage inpaints: the damaged pixels and their surroundings.

    Pixels that reach the threshold are replaced completely, whatever their probability: a soft
    mask and the same mask binarized give the same hole.

    Args:
        mask: (H, W), probability of damage in 1/255.
        threshold: the threshold in (0, 1) from which a pixel counts as damaged.
        radius: pixels by which the hole extends beyond the damaged pixels.

    Returns:
        (H, W): 1 in the hole, 0 elsewhere.
    """
    return dilated((mask >= threshold * 255).astype(np.float32), radius)
