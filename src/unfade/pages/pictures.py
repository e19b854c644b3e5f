"""Encodes pictures for a page of HTML."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_FULL_CHROMA = 0x111111


def jpeg(rgb: NDArray[np.uint8], *, quality: int = 90) -> bytes:
    """(H, W, 3) as a JPEG without loss of colour resolution; `quality` is 0..100."""
    flags = [
        cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, _FULL_CHROMA,
    ]  # fmt: skip
    done, code = cv2.imencode(".jpg", np.ascontiguousarray(rgb[..., ::-1]), flags)
    if not done:
        raise ValueError(f"a picture of {rgb.shape} that cannot be a JPEG")
    return code.tobytes()
