"""Protects pixels from a restoration: reads their masks, and restores their values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unfade.errors import InputError
from unfade.imaging import Photo, read_mask
from unfade.masks import Mask
from unfade.pipeline.holes import weight_rows
from unfade.pipeline.tiling import bands

_PROTECTED_LEVEL = 128  # least value of a protected pixel
_ROWS = 512  # rows of a band
#: Mean change, 0..1, that was undone in a region, from which a warning is logged.
OTHER_TONE = 0.02


def read_protected(photo: Photo, files: Sequence[Path], max_pixels: int) -> Mask | None:
    """The union of the protected regions, (H, W): 255 = protected; None where no file is given.

    Args:
        photo: the masks are brought to its size.
        files: masks, white = protected.
        max_pixels: a mask with more is refused.

    Raises:
        InputError: a mask cannot be read, has other proportions than the photo, or is all black.
    """
    protected: Mask | None = None
    for path in files:
        mask = read_mask(path, size=(photo.height, photo.width), max_pixels=max_pixels)
        white = (mask >= _PROTECTED_LEVEL).astype(np.uint8) * np.uint8(255)
        if not white.any():
            fix = "paint what is to be protected white, or leave the mask out"
            raise InputError("a mask that protects nothing", "some white", fix, path=path)
        protected = white if protected is None else np.maximum(protected, white)
    return protected


def remove_protected(mask: Mask, protected: Mask) -> Mask:
    """A mask, changed in place, with no damage where a pixel is protected."""
    mask[protected > 0] = 0
    return mask


def restore_protected(results: Sequence[Photo], photo: Photo, protected: Mask | None) -> float:
    """Gives the protected pixels of each result, in place, the exact values of the photo.

    A soft edge outside of the protected region blends the two.

    Args:
        results: of the photo's size and depth; one may be in the list several times.
        photo: as it was read.
        protected: (H, W), 255 = protected; None changes nothing.

    Returns:
        The mean change of the protected pixels that was undone, of the channel with the largest,
        0..1.
    """
    if protected is None:
        return 0.0
    max_change = 0.0
    for result in {id(result): result for result in results}.values():
        change, total = np.zeros(result.native.shape[2]), 0.0
        for rows in bands(photo.height, _ROWS):
            weight = weight_rows(protected, 0.5, rows)[..., None]  # (h, W, 1)
            if not weight.any():
                continue
            result_values = result.native[rows].astype(np.float32)  # (h, W, C)
            photo_values = _photo_values(result, photo, rows)
            mixed = result_values + weight * (photo_values - result_values)
            change += (mixed - result_values).sum((0, 1), dtype=np.float64)
            total += float(weight.sum(dtype=np.float64))
            result.native[rows] = (mixed + np.float32(0.5)).astype(result.native.dtype)
        full = np.iinfo(result.native.dtype).max * max(total, 1.0)
        max_change = max(max_change, float(np.abs(change).max()) / full)
    return max_change


def _photo_values(result: Photo, photo: Photo, rows: slice) -> NDArray[np.float32]:
    """Rows of a photo, (h, W, C), with the channels of the result, which may be sRGB."""
    if photo.native.shape[2] == result.native.shape[2]:
        return photo.native[rows].astype(np.float32)
    everything = slice(None)
    height = rows.stop - rows.start
    shape = (height, photo.width, result.native.shape[2])
    band = Photo(np.empty(shape, result.native.dtype), None, result.metadata)
    band.put_srgb(everything, everything, photo.srgb(rows, everything))
    return band.native.astype(np.float32)
