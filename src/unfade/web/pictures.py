"""Pictures for the page: reduced copies of photos as JPEG, PNG or data URL."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

import unfade.imaging.exif as exif
from unfade.imaging import Metadata, Photo
from unfade.imaging.canvas import Canvas
from unfade.imaging.orient import upright_size

Pixels = NDArray[np.uint8]
Depth = TypeVar("Depth", np.uint8, np.uint8 | np.uint16)

_ROWS = 512
_QUALITY = 92
#: Long side of a picture in the strip of photos, pixels.
THUMB = 160


@dataclass(frozen=True)
class Sketch:
    """A small copy of a photo, and the size (height, width) of the whole, upright."""

    photo: Photo
    size: tuple[int, int]


def quick_sketch(path: Path, side: int, *, max_pixels: int) -> Sketch | None:
    """Decodes a JPEG at an eighth, a quarter or half of its size, in a fifth of the time.

    None for other formats, small photos, more pixels than are allowed, and faulty files; reading
    the whole photo then raises the error.

    Args:
        side: the least long side of the copy, pixels.
        max_pixels: of the whole photo.
    """
    try:
        with Image.open(path, formats=["JPEG"]) as image:
            width, height = image.size
            if image.mode not in ("L", "RGB") or width * height > max_pixels:
                return None
            image.draft(image.mode, (side * width // max(image.size), 1))
            if image.size == (width, height):
                return None
            turn = exif.orientation(exif.strip_prefix(image.info.get("exif")))
            icc = image.info.get("icc_profile")
            pixels = np.asarray(image)  # (h, w) or (h, w, 3), as it is stored
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    channels = 1 if pixels.ndim == 2 else 3
    canvas = Canvas(
        pixels.shape[0], pixels.shape[1], channels, np.uint8, alpha=False, orientation=turn
    )
    canvas.put(0, 0, pixels)
    photo = canvas.photo(Metadata(None, icc, None, None, "JPEG"))
    return Sketch(photo, upright_size(height, width, turn))


def sketch(photo: Photo, size: tuple[int, int]) -> Photo:
    """A copy reduced to (height, width), with the colour profile as its only metadata."""
    native = shrink(photo.native, size)
    native = native[..., None] if native.ndim == 2 else native
    kind = photo.metadata
    return Photo(native, None, Metadata(None, kind.icc, None, None, kind.format))


def display(photo: Photo) -> Pixels:
    """The photo as 8-bit sRGB at full size, (H, W, 3)."""
    out = np.empty((photo.height, photo.width, 3), np.uint8)
    for top in range(0, photo.height, _ROWS):
        rows = slice(top, min(top + _ROWS, photo.height))
        band = photo.srgb(rows, slice(0, photo.width))
        out[rows] = cv2.convertScaleAbs(band, alpha=255)
    return out


def shrink(pixels: NDArray[Depth], size: tuple[int, int]) -> NDArray[Depth]:
    """A smaller picture of (height, width), reduced by area."""
    if pixels.shape[:2] == size:
        return pixels
    smaller = cv2.resize(pixels, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    return smaller.astype(pixels.dtype)


def limited(rgb: Pixels, side: int) -> Pixels:
    """The picture, reduced if its long side has more than `side` pixels."""
    scale = min(1.0, side / max(rgb.shape[:2]))
    height, width = (max(1, round(length * scale)) for length in rgb.shape[:2])
    return shrink(rgb, (height, width))


def jpeg(rgb: Pixels) -> bytes:
    """(H, W, 3) as a JPEG."""
    return _encode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])


def data_url(kind: str, data: bytes) -> str:
    """An encoded picture as a data URL."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def png(pixels: Pixels) -> bytes:
    """(H, W), or (H, W, 4) in RGBA, as a PNG."""
    bgra = pixels if pixels.ndim == 2 else pixels[..., [2, 1, 0, 3]]
    return _encode(".png", bgra, [])


def _encode(suffix: str, pixels: Pixels, options: list[int]) -> bytes:
    encoded, data = cv2.imencode(suffix, np.ascontiguousarray(pixels), options)
    if not encoded:
        raise ValueError(f"a picture of {pixels.shape} that cannot be written as {suffix}")
    return data.tobytes()
