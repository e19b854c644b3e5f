"""The arrays that readers fill with decoded blocks, turned upright by the EXIF orientation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unfade.imaging.orient import stored_view, upright_size
from unfade.imaging.photo import Metadata, Native, Photo

BLOCK_PIXELS = 1 << 20


def rows_per_block(width: int) -> int:
    """Rows of about a megapixel."""
    return max(1, BLOCK_PIXELS // max(1, width))


class Canvas:
    """Upright arrays, written through views in the order of the file."""

    def __init__(
        self, height: int, width: int, channels: int, dtype: Any, *, alpha: bool, orientation: int
    ) -> None:
        size = upright_size(height, width, orientation)
        self.channels = channels
        native: Native = np.zeros((*size, channels), np.dtype(dtype))
        plane: Native = np.zeros(size if alpha else (0, 0), np.dtype(dtype))
        self.native = native
        self.alpha = plane if alpha else None
        self._native_view = stored_view(native, orientation)
        self._alpha_view = stored_view(plane, orientation) if alpha else None

    def put(self, row: int, col: int, block: NDArray[Any]) -> None:
        """Stores a block (h, w, channels [+ 1 for alpha]) or (h, w), cut at the photo's edges."""
        if block.ndim == 2:
            block = block[..., None]
        height, width = self._native_view.shape[:2]
        block = block[: height - row, : width - col]
        rows, cols = slice(row, row + block.shape[0]), slice(col, col + block.shape[1])
        self._native_view[rows, cols] = block[..., : self.channels]
        if self._alpha_view is not None:
            self._alpha_view[rows, cols] = block[..., self.channels]

    def put_plane(self, row: int, col: int, channel: int, plane: NDArray[Any]) -> None:
        """Stores a block (h, w) of one channel; the one after the last is alpha."""
        view = self._alpha_view if channel == self.channels else self._native_view[..., channel]
        if view is None:
            return
        plane = plane[: view.shape[0] - row, : view.shape[1] - col]
        view[row : row + plane.shape[0], col : col + plane.shape[1]] = plane

    def photo(self, metadata: Metadata) -> Photo:
        """The photo on the canvas."""
        return Photo(self.native, self.alpha, metadata)
