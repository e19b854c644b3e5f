"""The hole that a mask leaves in a photo, and the weights by which a result fades into it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.imaging import Photo
from unfade.models.erase import Hole, erased, grown

#: Pixels around a region from which on nothing reaches into it.
MARGIN = 96
_ROWS = 512  # looked at together

Mask = NDArray[np.uint8]


def stroke_radius(height: int, width: int) -> int:
    """How far damage is taken to reach beyond what was found, in pixels, for a photo's size."""
    return min(MARGIN // 12, max(1, round(min(height, width) / 900)))


def feather(hole: Hole, radius: int) -> Hole:
    """Blending weights of a result, (H, W) in [0, 1]: 1 in the hole, 0 from 4 radii beyond."""
    inside = (hole > 0).astype(np.float32)
    soft = cv2.blur(grown(inside, 2 * radius), (4 * radius + 1, 4 * radius + 1))
    return np.asarray(np.maximum(soft, inside), np.float32)


def hole_map(mask: Mask, limit: float) -> Mask:
    """The hole of a mask (`models.erase`), (H, W): 255 in it, 0 elsewhere, made band by band.

    Args:
        mask: (H, W), probability of damage in 1/255.
        limit: the probability from which a pixel is damage.
    """
    out = np.empty_like(mask)
    for top in range(0, len(mask), _ROWS):
        rows = slice(top, min(top + _ROWS, len(mask)))
        hole, inner = _around(mask, limit, rows)
        out[rows] = np.rint(hole[inner] * 255).astype(np.uint8)
    return out


def weight_rows(mask: Mask, limit: float, rows: slice) -> Hole:
    """The weights (`feather`) of a result in some rows, (h, W) in [0, 1]; see `hole_map`."""
    hole, inner = _around(mask, limit, rows)
    return feather(hole, stroke_radius(*mask.shape))[inner]


def put_faded(
    out: Photo, source: Photo, rows: slice, cols: slice, rgb: NDArray[np.float32], weight: Hole
) -> None:
    """Stores a region of a result, sRGB (h, w, 3), by its weights (h, w).

    Where the weight is zero, the pixels of the source are kept, bit for bit.
    """
    own = source.srgb(rows, cols)
    mixed = np.asarray(own + weight[..., None] * (rgb - own), np.float32)
    beyond = kept_beyond(source, rows, cols, weight)
    out.put_srgb(rows, cols, mixed, beyond=beyond, keep=weight <= 0, source=source)


def kept_beyond(source: Photo, rows: slice, cols: slice, lost: Hole) -> NDArray[np.float32] | None:
    """What a region's colours have outside of sRGB (`Photo.beyond_srgb`), but for what is lost.

    Networks see, and give, colours in sRGB; this is added to what they give.

    Args:
        lost: (h, w) in [0, 1], how much of every pixel is replaced.
    """
    found = source.beyond_srgb(rows, cols)
    return None if found is None else found * (1 - lost)[..., None]


def _around(mask: Mask, limit: float, rows: slice) -> tuple[Hole, slice]:
    """The hole in some rows and MARGIN beyond, and where these rows are in it."""
    top, stop = max(0, rows.start - MARGIN), min(len(mask), rows.stop + MARGIN)
    hole = erased(mask[top:stop], limit, stroke_radius(*mask.shape))
    return hole, slice(rows.start - top, rows.stop - top)
