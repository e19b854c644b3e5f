"""Pictures for the page: what a photo looks like, and where it was changed."""

from __future__ import annotations

import base64

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.imaging import Photo

Pixels = NDArray[np.uint8]

_ROWS = 512
_QUALITY = 92
#: An alignment of this and less is shown at full heat.
COLDEST = 0.8
#: A pixel counts as changed where its colour moved by more than this share of the range.
CHANGED = 0.04


def display(photo: Photo) -> Pixels:
    """The photo as 8-bit sRGB at full size, (H, W, 3)."""
    out = np.empty((photo.height, photo.width, 3), np.uint8)
    for top in range(0, photo.height, _ROWS):
        rows = slice(top, min(top + _ROWS, photo.height))
        band = photo.srgb(rows, slice(0, photo.width))
        out[rows] = cv2.convertScaleAbs(band, alpha=255)
    return out


def shrink(rgb: Pixels, size: tuple[int, int]) -> Pixels:
    """A smaller picture of (height, width), reduced by area."""
    if rgb.shape[:2] == size:
        return rgb
    return cv2.resize(rgb, (size[1], size[0]), interpolation=cv2.INTER_AREA).astype(np.uint8)


def jpeg(rgb: Pixels) -> bytes:
    """(H, W, 3) as a JPEG."""
    return _encode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])


def data_url(kind: str, data: bytes) -> str:
    """An encoded picture as text that a page shows without another request."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def png(gray: Pixels) -> bytes:
    """(H, W) as a gray PNG."""
    return _encode(".png", gray, [])


def change_map(before: Pixels, after: Pixels) -> tuple[Pixels, float]:
    """Where a result differs from its photo, and the share of pixels that do (`CHANGED`).

    Args:
        before, after: (H, W, 3); `after` may be of another size and is brought to the photo's.

    Returns:
        (H, W, 3), dark where nothing changed, bright where much did, and
        the share, 0..1.
    """
    height, width = before.shape[:2]
    if after.shape[:2] != (height, width):
        after = shrink(after, (height, width))
    difference = cv2.absdiff(before, after).max(axis=2)
    share = float(np.count_nonzero(difference > 255 * CHANGED)) / difference.size
    strong = np.minimum(difference.astype(np.float32) * 3, 255).astype(np.uint8)
    bgr = np.asarray(cv2.applyColorMap(strong, cv2.COLORMAP_INFERNO), np.uint8)
    return bgr[..., ::-1], share


def heat_map(before: Pixels, places: NDArray[np.float32]) -> Pixels:
    """Where a result shows something else than its photo, over the photo in gray.

    Args:
        before: (h, w, 3).
        places: (h, w), -1..1, the alignment (`Restored.alignment_map`).

    Returns:
        (h, w, 3): the dimmed photo where both show the same, over purple and red to yellow where
        the alignment is `COLDEST` or less.
    """
    heat = np.clip((1 - places) / np.float32(1 - COLDEST), 0, 1)
    hot = cv2.applyColorMap((heat * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    gray = cv2.cvtColor(before, cv2.COLOR_RGB2GRAY)[..., None] * np.float32(0.7)
    cover = np.minimum(2 * heat, 1)[..., None]
    return (gray * (1 - cover) + hot * cover).astype(np.uint8)


def _encode(suffix: str, pixels: Pixels, options: list[int]) -> bytes:
    done, data = cv2.imencode(suffix, np.ascontiguousarray(pixels), options)
    if not done:
        raise ValueError(f"a picture of {pixels.shape} that cannot be written as {suffix}")
    return data.tobytes()
