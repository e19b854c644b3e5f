"""Hole and blending weights of a damage mask, computed band by band."""

from __future__ import annotations

import cv2
import numpy as np

from unfade.masks import Hole, Mask, dilated, inpainting_hole
from unfade.pipeline.tiling import bands

#: Pixels around a region that can affect it.
MARGIN = 96
_ROWS = 512  # rows of a band


def stroke_radius(height: int, width: int) -> int:
    """How far the hole reaches beyond the damaged pixels, in pixels, for a photo of this size."""
    return min(MARGIN // 12, max(1, round(min(height, width) / 900)))


def feather(hole: Hole, radius: int) -> Hole:
    """Blending weights of a result, (H, W) in [0, 1]: 1 in the hole, 0 from 4 radii beyond."""
    inside = (hole > 0).astype(np.float32)
    soft = cv2.blur(dilated(inside, 2 * radius), (4 * radius + 1, 4 * radius + 1))
    return np.asarray(np.maximum(soft, inside), np.float32)


def hole_map(mask: Mask, threshold: float) -> Mask:
    """The hole of a mask (`masks.inpainting_hole`), (H, W): 255 in it, else 0; made by bands.

    Args:
        mask: (H, W), probability of damage in 1/255.
        threshold: the probability, 0..1, from which a pixel is damaged.
    """
    out = np.empty_like(mask)
    for rows in bands(len(mask), _ROWS):
        hole, inner = _around(mask, threshold, rows)
        out[rows] = np.rint(hole[inner] * 255).astype(np.uint8)
    return out


def weight_rows(mask: Mask, threshold: float, rows: slice) -> Hole:
    """The weights (`feather`) of a result in some rows, (h, W) in [0, 1]; see `hole_map`."""
    hole, inner = _around(mask, threshold, rows)
    return feather(hole, stroke_radius(*mask.shape))[inner]


def _around(mask: Mask, threshold: float, rows: slice) -> tuple[Hole, slice]:
    """The hole in some rows and MARGIN beyond, and where these rows are in it."""
    top, stop = max(0, rows.start - MARGIN), min(len(mask), rows.stop + MARGIN)
    hole = inpainting_hole(mask[top:stop], threshold, stroke_radius(*mask.shape))
    return hole, slice(rows.start - top, rows.stop - top)
