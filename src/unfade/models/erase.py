"""Probabilities of damage -> how much of every pixel is erased before the first stage."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_LEAST = 0.25  # of a pixel is erased where the detector just reaches its threshold

Hole = NDArray[np.float32]


def _disc(radius: int) -> NDArray[np.uint8]:
    size = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)


def grown(hole: Hole, radius: int) -> Hole:
    """(H, W) -> (H, W), every value spread over a disc."""
    return np.asarray(cv2.dilate(hole, _disc(radius)), np.float32)


def erased(mask: NDArray[np.uint8], limit: float, radius: int) -> Hole:
    """How much of every pixel is erased: nothing below the limit, all of what is sure.

    The mean of fill and photo, weighted by the probability of damage, has the least expected
    square error; so a doubtful find costs little. But a patch goes whole: half a blot is a blot.

    Args:
        mask: (H, W), probability of damage in 1/255.
        limit: the probability from which a pixel is damage, in (0, 1).
        radius: of the strokes, in pixels; a find from three times as wide is a patch.

    Returns:
        (H, W) in [0, 1], `radius` wider than what was found.
    """
    p, least = mask.astype(np.float32) / np.float32(255), np.float32(limit)
    found = (mask >= limit * 255).astype(np.float32)
    share = np.clip((p - least) / np.maximum(1 - least, np.float32(1e-6)), _LEAST, 1) * found
    patches = cv2.morphologyEx(found, cv2.MORPH_OPEN, _disc(3 * radius))
    return grown(np.maximum(share, patches).astype(np.float32), radius)
