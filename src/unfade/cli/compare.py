"""Writes the comparison picture: the photo, the filled mask and the result side by side."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.files import atomic_file
from unfade.imaging import Photo
from unfade.pages.pictures import panel, panel_size

PANEL_PX = 1600  # the longer side of a panel, at most
_GAP_PX = 8


def write_compare(path: Path, before: Photo, mask: NDArray[np.uint8] | None, after: Photo) -> None:
    """Writes the panels, scaled to at most PANEL_PX, as an 8-bit RGB PNG.

    Args:
        path: of the picture.
        before: the input.
        mask: (H, W) 0..255, 255 where it was filled; None leaves its panel out.
        after: the result.

    Raises:
        OutputError: the picture cannot be written.
    """
    height, width = panel_size(after.height, after.width, PANEL_PX)
    panels = [panel(before, height, width)]
    if mask is not None:
        gray = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
        panels.append(np.repeat(gray[..., None], 3, axis=2))
    panels.append(panel(after, height, width))
    gap = np.full((height, _GAP_PX, 3), 255, np.uint8)
    row = [part for panel in panels for part in (panel, gap)][:-1]
    with atomic_file(path) as file:
        file.write(_png(np.concatenate(row, axis=1)))


def _png(rgb: NDArray[np.uint8]) -> bytes:
    encoded, data = cv2.imencode(".png", np.ascontiguousarray(rgb[..., ::-1]))
    if not encoded:
        raise ValueError(f"a picture of {rgb.shape} that cannot be a PNG")
    return data.tobytes()
