"""Sheets of pictures, to look at."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from torch import Tensor


def write_sheet(path: Path, rows: list[list[Tensor]]) -> None:
    """Writes a grid of (3 or 1, H, W) pictures in [0, 1], all of one size, as PNG."""
    lines = [
        np.concatenate([p.expand(3, -1, -1).permute(1, 2, 0).numpy() for p in row], 1)
        for row in rows
    ]
    sheet = np.rint(np.clip(np.concatenate(lines, 0), 0, 1) * 255).astype(np.uint8)
    cv2.imwrite(str(path), np.ascontiguousarray(sheet[..., ::-1]))
