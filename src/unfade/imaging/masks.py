"""Reads masks from any picture, and writes them as 8-bit gray PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import unfade.imaging.formats as formats
import unfade.imaging.write_png as write_png
from unfade.errors import InputError, OutputError
from unfade.files import atomic_file
from unfade.imaging.canvas import rows_per_block
from unfade.imaging.photo import Photo, quantise, resize
from unfade.imaging.reading import read_photo
from unfade.imaging.transforms import luma, transform_for, unit

_ASPECT_TOLERANCE = 0.01


def read_mask(
    path: Path, *, size: tuple[int, int] | None, max_pixels: int = formats.MAX_PIXELS
) -> NDArray[np.uint8]:
    """A mask (H, W), 255 = damaged, at `size` (height, width) if that is given.

    White marks damage; a painted layer is taken over black. Another size is accepted, and
    resized, where its proportions are the photo's within 1 %.
    """
    photo = read_photo(path, max_pixels=max_pixels)
    mask = _flatten(photo)
    if size is None or mask.shape == size:
        return mask
    height, width = size
    ratio = (photo.width * height) / (photo.height * width)
    if abs(ratio - 1) > _ASPECT_TOLERANCE:
        raise InputError(
            f"a mask of {photo.width} x {photo.height} pixels",
            f"the proportions of the photo, {width} x {height}",
            "make the mask from this photo, at its size",
            path=Path(path),
        )
    return resize(mask, size)


def _flatten(photo: Photo) -> NDArray[np.uint8]:
    """Luma over black, in 8 bits. Profiles mean nothing in a mask."""
    plain = transform_for(None, photo.native.shape[2])
    mask = np.empty((photo.height, photo.width), np.uint8)
    step = rows_per_block(photo.width)
    for top in range(0, photo.height, step):
        rows = slice(top, top + step)
        values = luma(plain.to_srgb(photo.native[rows]))[..., 0]
        if photo.alpha is not None:
            values = values * unit(photo.alpha[rows])
        mask[rows] = quantise(np.clip(values, 0, 1), mask.dtype)
    return mask


def write_mask(path: Path, mask: NDArray[np.uint8]) -> None:
    """A mask (H, W), 0..255, as 8-bit gray PNG, whole or not at all."""
    path = Path(path)
    if mask.ndim != 2 or mask.dtype != np.uint8:
        raise ValueError(f"a mask is uint8 (H, W), got {mask.dtype} {mask.shape}")
    if path.suffix.lower() != ".png":
        raise OutputError(repr(path.suffix), "the suffix .png", "rename the mask", path=path)
    height, width = mask.shape
    step = rows_per_block(width)
    blocks = (mask[top : top + step, :, None] for top in range(0, height, step))
    with atomic_file(path) as file:
        write_png.encode(file, height, width, 1, 8, blocks)
