"""Helpers for enlarging: passes of a scale, bicubic interpolation by region, print size."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from torch import Tensor

import unfade.imaging.exif as exif
from unfade.errors import InputError
from unfade.imaging import Photo
from unfade.imaging.photo import resize
from unfade.models.tensors import from_array

_REACH = 3  # pixels of the photo that bicubic interpolation looks at on each side


def passes(scale: float) -> list[int]:
    """The factors, 2 or 4, of the passes that enlarge a photo.

    Their product is the scale, or the next larger one that such factors give.

    Args:
        scale: 1 or more.
    """
    factors: list[int] = []
    while scale > 4:
        factors.append(4)
        scale /= 4
    return [*factors, 2 if scale <= 2 else 4]


def check_size(photo: Photo, scale: float, max_pixels: int) -> None:
    """Raises InputError if a pass would make more than `max_pixels` pixels."""
    product = int(np.prod(passes(scale)))
    height, width = product * photo.height, product * photo.width
    if height * width > max_pixels:
        got = f"a photo that would be {width} x {height} pixels at scale {scale:g}"
        fix = "choose a smaller scale, or raise the limit of pixels (max_pixels)"
        raise InputError(got, f"at most {max_pixels}", fix)


@dataclass(frozen=True)
class EnlargedSource:
    """One photo, `scale` times as large by bicubic interpolation, made region by region.

    Training shows the photos to enlarge in the same way (`data.restoration`).

    Attributes:
        photo: as it was read.
        scale: a whole number.
    """

    photo: Photo
    scale: int

    @property
    def count(self) -> int:
        """1."""
        return 1

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return self.photo.height * self.scale

    @property
    def width(self) -> int:
        """Pixels in a row."""
        return self.photo.width * self.scale

    def read(self, rows: slice, cols: slice) -> Tensor:
        """A region, (1, 3, h, w) in [0, 1]."""
        y, inner_y = self._source(rows, self.photo.height)
        x, inner_x = self._source(cols, self.photo.width)
        small = self.photo.srgb(y, x)
        size = (small.shape[1] * self.scale, small.shape[0] * self.scale)
        large = cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)[inner_y, inner_x]
        rgb = np.clip(np.asarray(large, np.float32), 0, 1)
        return from_array(np.ascontiguousarray(rgb.transpose(2, 0, 1)))[None]

    def read_mask(self, rows: slice, cols: slice) -> Tensor | None:
        """None: there is no mask."""
        return None

    def _source(self, region: slice, length: int) -> tuple[slice, slice]:
        """The pixels that a region depends on, and the region within their enlargement."""
        start = max(0, region.start // self.scale - _REACH)
        stop = min(length, -(-region.stop // self.scale) + _REACH)
        first = region.start - start * self.scale
        return slice(start, stop), slice(first, first + region.stop - region.start)


def shrunk(photo: Photo, size: tuple[int, int]) -> Photo:
    """A photo at (height, width), which is smaller or its own size, plane by plane."""
    if size == (photo.height, photo.width):
        return photo
    out = photo.blank(size=size)
    for channel in range(photo.native.shape[2]):
        out.native[..., channel] = resize(photo.native[..., channel], size)
    return out


def with_print_size(photo: Photo, factor: float) -> Photo:
    """The photo with a density of `factor` times as many dots to the inch.

    A print of an enlarged scan is then as large as the original: what was 10 cm stays 10 cm.
    """
    metadata = photo.metadata
    if metadata.dpi is None:
        return photo
    x, y = metadata.dpi
    dpi = (x * factor, y * factor)
    block = metadata.exif
    if exif.block_dpi(block) is not None:
        block = exif.with_dpi(block, dpi)
    return replace(photo, metadata=replace(metadata, dpi=dpi, exif=block))
