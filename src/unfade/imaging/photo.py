"""A photo in its own colour space and depth, with access to regions in sRGB."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import unfade.imaging.exif as exif_block
import unfade.imaging.xmp as xmp_packet
from unfade.imaging.orient import TURNED, Placement, upright_size
from unfade.imaging.transforms import Transform, transform_for

Native = NDArray[np.uint8 | np.uint16]


@dataclass(frozen=True)
class Metadata:
    """Metadata of a photo, as read from its file and corrected for the upright photo."""

    exif: bytes | None  # from the TIFF header on; orientation 1, no thumbnail
    icc: bytes | None
    xmp: bytes | None  # the whole packet
    dpi: tuple[float, float] | None  # x, y
    format: str  # JPEG, PNG, TIFF, WEBP, BMP
    mode: str = ""  # colour mode of the file: 1, L, LA, P, RGB, RGBA, CMYK, ...
    orientation: int = 1  # EXIF orientation that the file had
    iptc: bytes | None = None
    comment: bytes | None = None  # of a JPEG
    quality: int | None = None  # of a JPEG: libjpeg's, 1..100, by its quantisation tables
    compression: str = ""  # of a TIFF: none, lzw, deflate, zstd, ...
    lossless: bool = False  # of a WebP
    alpha_kind: int = 2  # TIFF's ExtraSamples: 0 unspecified, 1 premultiplied, 2 apart
    png_chunks: tuple[tuple[bytes, bytes], ...] = ()  # other chunks of a PNG to be kept

    def upright(self, height: int, width: int) -> Metadata:
        """The metadata as the file has it, made true for the upright photo of this size."""
        stored = upright_size(height, width, self.orientation)
        turn = Placement(self.orientation, stored, (height, width))
        return replace(
            self,
            exif=exif_block.refresh(self.exif, height=height, width=width),
            xmp=xmp_packet.refresh(self.xmp, turn),
            dpi=self.dpi[::-1] if self.dpi and self.orientation in TURNED else self.dpi,
        )

    def resized(self, before: tuple[int, int], after: tuple[int, int]) -> Metadata:
        """The metadata of the photo at another (height, width)."""
        height, width = after
        block = exif_block.refresh(self.exif, height=height, width=width, before=before)
        packet = xmp_packet.refresh(self.xmp, Placement(1, before, after))
        return replace(self, exif=block, xmp=packet)


@dataclass(eq=False)
class Photo:
    """Pixels and metadata of one photo, upright."""

    native: Native  # (H, W, C): C = 1 gray, 3 RGB, 4 CMYK (more ink = larger)
    alpha: Native | None  # (H, W)
    metadata: Metadata

    def __post_init__(self) -> None:
        if self.native.ndim != 3 or self.native.shape[2] not in (1, 3, 4):
            raise ValueError(f"native must be (H, W, 1|3|4), got {self.native.shape}")
        if self.native.dtype.name not in ("uint8", "uint16"):
            raise ValueError(f"native must be uint8 or uint16, got {self.native.dtype}")
        if self.alpha is not None and self.alpha.shape != self.native.shape[:2]:
            raise ValueError(f"alpha is {self.alpha.shape}, the photo {self.native.shape[:2]}")
        if self.alpha is not None and self.alpha.dtype.name != self.native.dtype.name:
            raise ValueError(f"alpha is {self.alpha.dtype}, the photo {self.native.dtype}")

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return self.native.shape[0]

    @property
    def width(self) -> int:
        """Pixels in a row."""
        return self.native.shape[1]

    @property
    def bit_depth(self) -> int:
        """Bits per sample: 8 or 16."""
        return 8 if self.native.dtype == np.uint8 else 16

    @property
    def gray(self) -> bool:
        """Whether there is one channel only."""
        return self.native.shape[2] == 1

    @property
    def _transform(self) -> Transform:
        return transform_for(self.metadata.icc, self.native.shape[2])

    def srgb(self, rows: slice, cols: slice) -> NDArray[np.float32]:
        """A region as sRGB in 0..1: (h, w, 3), gray replicated."""
        return self._transform.to_srgb(self.native[rows, cols])

    def beyond_srgb(self, rows: slice, cols: slice) -> NDArray[np.float32] | None:
        """What `srgb` cut off of a region's colours, (h, w, 3); None: nothing that is known."""
        return self._transform.beyond(self.native[rows, cols])

    def blank(self, *, gray: bool | None = None, size: tuple[int, int] | None = None) -> Photo:
        """A black photo of the same depth, colour space and metadata, to be filled.

        `size` is (height, width): alpha is resized to it. `gray` changes between gray and colour;
        the result is then sRGB, without the profile of the other colour space.
        """
        height, width = size or (self.height, self.width)
        channels, metadata = self.native.shape[2], self.metadata
        if gray is not None and gray != self.gray:
            channels = 1 if gray else 3
            metadata = replace(metadata, icc=None)
        metadata = metadata.resized((self.height, self.width), (height, width))
        native = np.zeros((height, width, channels), self.native.dtype)
        alpha = self.alpha
        if alpha is not None and alpha.shape != (height, width):
            alpha = resize(alpha, (height, width))
        return Photo(native, alpha, metadata)

    def put_srgb(
        self,
        rows: slice,
        cols: slice,
        rgb: NDArray[np.float32],
        *,
        beyond: NDArray[np.float32] | None = None,
        keep: NDArray[np.bool_] | None = None,
        source: Photo | None = None,
    ) -> None:
        """Stores a region given as sRGB (h, w, 3), clipped to 0..1, rounded half up.

        `beyond` (h, w, 3) is added after the clipping: what `beyond_srgb` said of this region of
        a photo in the same colour space. Where `keep` (h, w) is True, the pixels of `source` are
        copied bit for bit instead. A gray photo takes the Rec. 709 luma.
        """
        region = self.native[rows, cols]
        if rgb.shape != (*region.shape[:2], 3):
            raise ValueError(f"the region is {region.shape[:2]}, the colours are {rgb.shape}")
        if np.isnan(rgb).any():
            raise ValueError("the colours hold NaN")
        colours = np.clip(rgb, 0, 1).astype(np.float32, copy=False)
        if beyond is not None:
            colours += beyond
        values = self._transform.from_srgb(colours)
        region[...] = quantise(values, self.native.dtype)
        if keep is None:
            return
        if source is None or source.native.shape[:2] != self.native.shape[:2]:
            raise ValueError("keep needs a source of the same size")
        if source.native.dtype != self.native.dtype:
            raise ValueError("keep needs a source of the same depth")
        if source.native.shape[2] == self.native.shape[2]:
            region[keep] = source.native[rows, cols][keep]
        else:  # gray kept in a photo that is to be coloured, or the reverse
            other = self._transform.from_srgb(source.srgb(rows, cols))
            region[keep] = quantise(other, self.native.dtype)[keep]


def quantise(values: NDArray[np.float32], dtype: np.dtype[Any]) -> Native:
    """Floats in 0..1 as whole numbers of this depth, rounded half up."""
    top = np.float32(np.iinfo(dtype).max)
    return (values * top + np.float32(0.5)).astype(dtype)


def resize(plane: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """One plane (H, W) at another (height, width): by area where smaller, else linear."""
    height, width = size
    shrinks = height <= plane.shape[0] and width <= plane.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(plane), (width, height), interpolation=method)
