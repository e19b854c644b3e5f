"""Composites a result and the photo: which pixels of the output come from which of the two."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unfade.imaging import Photo
from unfade.masks import Hole


def put_blended(
    out: Photo, source: Photo, rows: slice, cols: slice, rgb: NDArray[np.float32], weight: Hole
) -> None:
    """Stores a region of a result, sRGB (h, w, 3), over the source by its weights (h, w).

    Where the weight is zero, the pixels of the source are kept, bit for bit.
    """
    original = source.srgb(rows, cols)
    mixed = np.asarray(original + weight[..., None] * (rgb - original), np.float32)
    beyond = kept_beyond(source, rows, cols, weight)
    out.put_srgb(rows, cols, mixed, beyond=beyond, keep=weight <= 0, source=source)


def kept_beyond(source: Photo, rows: slice, cols: slice, lost: Hole) -> NDArray[np.float32] | None:
    """The part of a region's colours outside sRGB (`Photo.beyond_srgb`), where pixels are kept.

    Networks work in sRGB; this is added to their result.

    Args:
        lost: (h, w) in [0, 1], how much of every pixel is replaced.
    """
    beyond = source.beyond_srgb(rows, cols)
    return None if beyond is None else beyond * (1 - lost)[..., None]
