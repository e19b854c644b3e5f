"""A photo converted to what an output format supports, in blocks of rows for the writer."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import unfade.imaging.formats as formats
from unfade.errors import printable
from unfade.imaging.canvas import rows_per_block
from unfade.imaging.photo import Metadata, Photo, quantise
from unfade.imaging.transforms import SrgbPixels, luma, transform_for

logger = logging.getLogger(__name__)

_SIXTEEN_BIT = (formats.PNG, formats.TIFF)
_WITHOUT_ALPHA = (formats.JPEG, formats.BMP)
_WITHOUT_INK = (formats.PNG, formats.WEBP, formats.BMP)
_PREMULTIPLIED = 1


@dataclass(frozen=True)
class Sheet:
    """The input of a writer: size, layout, metadata, and the pixels block by block."""

    photo: Photo
    channels: int  # colours: 1, 3 or 4
    depth: int  # 8 or 16
    alpha: bool
    convert: bool  # to sRGB: the format has no place for the photo's own colours
    divide: bool  # colours premultiplied by alpha are divided by it

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return self.photo.height

    @property
    def width(self) -> int:
        """Pixels in a row."""
        return self.photo.width

    @property
    def samples(self) -> int:
        """Numbers in a pixel, alpha included."""
        return self.channels + self.alpha

    @property
    def metadata(self) -> Metadata:
        """The photo's metadata."""
        return self.photo.metadata

    @property
    def icc(self) -> bytes | None:
        """The profile that holds for the blocks."""
        return None if self.convert else self.photo.metadata.icc

    def blocks(self, step: int | None = None) -> Iterator[NDArray[Any]]:
        """All rows from the top, `step` at a time: (h, W, samples), contiguous."""
        step = step or rows_per_block(self.width)
        for top in range(0, self.height, step):
            yield self._block(slice(top, min(top + step, self.height)))

    def _block(self, rows: slice) -> NDArray[Any]:
        photo = self.photo
        if self.convert:
            rgb = photo.srgb(rows, slice(None))
            colours = quantise(luma(rgb) if self.channels == 1 else rgb, photo.native.dtype)
        else:
            colours = photo.native[rows]
            if self.channels == 3 and colours.shape[2] == 1:
                colours = np.repeat(colours, 3, axis=2)
        if self.alpha and photo.alpha is not None:
            alpha = photo.alpha[rows][..., None]
            if self.divide:
                colours = _divide(colours, alpha)
            colours = np.concatenate([colours, alpha], axis=2)
        if self.depth == 8 and colours.dtype == np.uint16:
            colours = ((colours.astype(np.uint32) + 128) // 257).astype(np.uint8)
        return np.ascontiguousarray(colours)


def _divide(colours: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    top = int(np.iinfo(alpha.dtype).max)
    below = np.maximum(alpha, 1).astype(np.uint64)
    whole = (colours.astype(np.uint64) * top + below // 2) // below
    return np.minimum(whole, top).astype(colours.dtype)


def fit(photo: Photo, kind: str, path: Path) -> Sheet:
    """Converts a photo to what a format supports; warns of what is lost."""
    channels = photo.native.shape[2]
    has_profile = not isinstance(transform_for(photo.metadata.icc, channels), SrgbPixels)
    convert = channels == 4 and kind in _WITHOUT_INK
    if has_profile and channels != 4:
        convert = kind == formats.BMP or (kind == formats.WEBP and photo.gray)
    depth = photo.bit_depth if kind in _SIXTEEN_BIT else 8
    lost: list[str] = []
    if depth < photo.bit_depth:
        lost.append("16-bit samples: written with 8 bits")
    alpha = photo.alpha is not None
    if photo.alpha is not None and kind in _WITHOUT_ALPHA:
        alpha = False
        if int(photo.alpha.min()) < np.iinfo(photo.alpha.dtype).max:
            lost.append("transparency: left out")
    if convert:
        lost.append("CMYK: converted to sRGB" if channels == 4 else "this profile: now sRGB")
    for what in lost:
        logger.warning("%s: %s cannot hold %s", printable(path), kind, what)
    wide = kind == formats.WEBP or (convert and channels == 4)
    return Sheet(
        photo=photo,
        channels=3 if wide else channels,
        depth=depth,
        alpha=alpha,
        convert=convert,
        divide=photo.metadata.alpha_kind == _PREMULTIPLIED and kind != formats.TIFF,
    )
