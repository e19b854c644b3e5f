"""Keeps lights on a black ground, such as stars, from being taken for specks of dust.

Dust lies on prints of any tone, and most of it on light parts. In a photo that is black nearly
everywhere, small bright specks are rather what was photographed.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.imaging import Photo
from unfade.imaging.transforms import LUMA
from unfade.masks import Mask
from unfade.pipeline.enlarge import shrunk

_SIDE = 512  # of the copy that the tone is measured on, pixels
_BLACK = 0.2  # luma of the ground, at most
_SHARE = 0.8  # of the photo that is that dark
_SPECK = 0.03  # longest side of a speck, share of the short side
_SMALLEST = 5  # of this side, pixels
_PIXELS = 4e6  # of the copy that specks are looked for in


def is_night(photo: Photo) -> bool:
    """Whether nearly all of a photo is black."""
    factor = min(1.0, _SIDE / min(photo.height, photo.width))
    size = (max(1, round(factor * photo.height)), max(1, round(factor * photo.width)))
    small = shrunk(photo, size)
    tone = small.srgb(slice(0, size[0]), slice(0, size[1])) @ LUMA
    ground = cv2.medianBlur(np.rint(255 * np.clip(tone, 0, 1)).astype(np.uint8), 5)
    return float((np.asarray(ground) <= 255 * _BLACK).mean()) >= _SHARE


def limit_specks(mask: Mask, lowest: float, limit: float) -> Mask:
    """Limits the probability of specks, in place; longer damage, such as scratches, stays.

    Args:
        mask: (H, W), the probability of damage in 1/255.
        lowest: probability from which a pixel may be part of damage.
        limit: the new probability of a speck, at most.
    """
    height, width = mask.shape
    factor = max(1, math.ceil(math.sqrt(height * width / _PIXELS)))
    found = _block_max((mask >= 255 * lowest).astype(np.uint8), factor)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(found)
    longest = max(_SMALLEST, _SPECK * min(height, width)) / factor
    sides = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    small = np.asarray(sides <= longest)
    small[0] = False  # what is no damage
    specks = small.take(np.asarray(labels, np.intp))  # (ceil(H / factor), ceil(W / factor))
    for y in range(specks.shape[0]):
        rows = mask[y * factor : (y + 1) * factor]
        inside = np.repeat(specks[y], factor)[:width]
        rows[:, inside] = np.minimum(rows[:, inside], math.floor(255 * limit))
    return mask


def _block_max(plane: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """The maximum of each square of factor x factor pixels, (ceil(H/f), ceil(W/f))."""
    if factor == 1:
        return plane
    height, width = plane.shape
    right, below = -width % factor, -height % factor
    padded = cv2.copyMakeBorder(plane, 0, below, 0, right, cv2.BORDER_CONSTANT, value=0)
    squares = np.asarray(padded).reshape(len(padded) // factor, factor, -1, factor)
    return np.ascontiguousarray(squares.max((1, 3)), np.uint8)
