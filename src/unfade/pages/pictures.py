"""Reduces photos to the size of a panel, and encodes them as JPEG for an HTML page."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.imaging import Photo

_FULL_CHROMA = 0x111111
_BLOCK_PIXELS = 4_000_000  # read at once


def jpeg(rgb: NDArray[np.uint8], *, quality: int = 90) -> bytes:
    """(H, W, 3) as a JPEG without loss of colour resolution; `quality` is 0..100."""
    flags = [
        cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, _FULL_CHROMA,
    ]  # fmt: skip
    done, code = cv2.imencode(".jpg", np.ascontiguousarray(rgb[..., ::-1]), flags)
    if not done:
        raise ValueError(f"a picture of {rgb.shape} that cannot be a JPEG")
    return code.tobytes()


def panel_size(height: int, width: int, longest: int) -> tuple[int, int]:
    """The (height, width) at which the longer side has so many pixels, at most."""
    scale = min(1.0, longest / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def panel(photo: Photo, height: int, width: int) -> NDArray[np.uint8]:
    """The photo as 8-bit sRGB (height, width, 3), reduced block by block."""
    step = max(1, min(photo.height // height, photo.width // width))
    rows_per_block = max(1, _BLOCK_PIXELS // photo.width // step) * step
    blocks: list[NDArray[np.float32]] = []
    for top in range(0, photo.height, rows_per_block):
        rows = slice(top, min(top + rows_per_block, photo.height))
        block = photo.srgb(rows, slice(0, photo.width))
        size = (max(1, photo.width // step), max(1, block.shape[0] // step))
        blocks.append(cv2.resize(block, size, interpolation=cv2.INTER_AREA).astype(np.float32))
    small = np.concatenate(blocks, axis=0)
    small = cv2.resize(small, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.convertScaleAbs(small, alpha=255).astype(np.uint8)
