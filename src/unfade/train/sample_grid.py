"""Writes grids of sample pictures as PNG, and measures their PSNR."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from torch import Tensor

from unfade.files import atomic_file


def write_sample_grid(path: Path, rows: list[list[Tensor]]) -> None:
    """Writes a grid of (3 or 1, H, W) pictures in [0, 1], all of one size, as PNG.

    Raises:
        OutputError: the file cannot be written.
    """
    strips = [
        np.concatenate([p.expand(3, -1, -1).permute(1, 2, 0).numpy() for p in row], 1)
        for row in rows
    ]
    grid = np.rint(np.clip(np.concatenate(strips, 0), 0, 1) * 255).astype(np.uint8)
    code = cv2.imencode(".png", np.ascontiguousarray(grid[..., ::-1]))[1]
    with atomic_file(path) as file:
        file.write(code.tobytes())


def write_comparison_grid(path: Path, lq: Tensor, out: Tensor, hq: Tensor) -> None:
    """Writes degraded, restored and clean pictures side by side, two photos in a row.

    Args:
        lq, out, hq: (N, 3, H, W) in [0, 1].
    """
    row = [p for pictures in zip(lq.cpu(), out.cpu(), hq.cpu(), strict=True) for p in pictures]
    write_sample_grid(path, [row[i : i + 6] for i in range(0, len(row) - 5, 6)])


def mean_psnr(out: Tensor, hq: Tensor) -> float:
    """Mean over pictures of the peak signal-to-noise ratio, dB; (N, 3, H, W) in [0, 1]."""
    mse = (out.float() - hq).square().mean((1, 2, 3)) + 1e-6
    return float(-10 * mse.log10().mean())
