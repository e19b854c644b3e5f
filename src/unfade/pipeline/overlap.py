"""Cuts a plane into overlapping tiles, and blends them with weights that sum to one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Piece:
    """One tile along one axis: [start, stop), and its blending weights, (size,)."""

    start: int
    stop: int
    weights: Tensor

    @property
    def slice(self) -> slice:
        """As a slice."""
        return slice(self.start, self.stop)


Tile = tuple[Piece, Piece]  # rows, columns


@dataclass(frozen=True)
class Grid:
    """Every tile of a plane. All are of one size, so they can be computed together.

    Attributes:
        skipped: row and column of the tiles that are left out.
    """

    rows: list[Piece]
    cols: list[Piece]
    skipped: frozenset[tuple[int, int]] = frozenset()

    def __len__(self) -> int:
        """How many tiles there are, without those left out."""
        return len(self.rows) * len(self.cols) - len(self.skipped)

    def tiles(self, tiles_per_pass: int) -> Iterator[list[Tile]]:
        """The tiles, row by row, `tiles_per_pass` at a time, without those left out."""
        tiles = [
            (row, col)
            for i, row in enumerate(self.rows)
            for j, col in enumerate(self.cols)
            if (i, j) not in self.skipped
        ]
        for i in range(0, len(tiles), tiles_per_pass):
            yield tiles[i : i + tiles_per_pass]


def pieces(length: int, tile: int, overlap: int, multiple: int) -> list[Piece]:
    """Cuts an axis into equal pieces that overlap; their weights sum to one everywhere.

    A weight rises linearly over the overlap: no edge of a tile can be seen.

    Args:
        length: cells along the axis, a multiple of `multiple`.
        tile: the most cells in a piece. Pieces are as small as their number allows.
        overlap: the least that neighbours share; at most half a tile.
        multiple: pieces start at multiples of it and are as long; networks ask for that.
    """
    tile = max(multiple, tile // multiple * multiple)
    if length <= tile:
        return [Piece(0, length, torch.ones(length))]
    overlap = min(overlap, tile // 2) // multiple * multiple
    count = -(-(length - overlap) // (tile - overlap))
    size = -(-(length + (count - 1) * overlap) // (count * multiple)) * multiple
    room = (length - size) // multiple
    starts = [room * i // (count - 1) * multiple for i in range(count)]
    ramps = [_ramp(starts, i, size) for i in range(count)]
    total = torch.zeros(length)
    for start, ramp in zip(starts, ramps, strict=True):
        total[start : start + size] += ramp
    return [
        Piece(start, start + size, ramp / total[start : start + size])
        for start, ramp in zip(starts, ramps, strict=True)
    ]


def _ramp(starts: Sequence[int], i: int, size: int) -> Tensor:
    """(size,), rising and falling where piece i meets its neighbours."""
    positions = torch.arange(size) + 0.5
    ramp = torch.ones(size)
    if i > 0:
        shared = max(1, starts[i - 1] + size - starts[i])
        ramp = torch.minimum(ramp, positions / shared)
    if i + 1 < len(starts):
        shared = max(1, starts[i] + size - starts[i + 1])
        ramp = torch.minimum(ramp, (size - positions) / shared)
    return ramp


def weight(tile: Tile) -> Tensor:
    """The blending weights of a tile, (h, w)."""
    return tile[0].weights[:, None] * tile[1].weights


def blend(grid: Grid, tiles_per_pass: int, compute: Callable[[list[Tile]], Tensor]) -> Tensor:
    """A plane from its tiles.

    Args:
        tiles_per_pass: tiles in one call of `compute`.
        compute: tiles -> (their number * N, C, h, w), tile by tile.

    Returns:
        (N, C, H, W), float32; 0 where no tile was computed.
    """
    out: Tensor | None = None
    height, width = grid.rows[-1].stop, grid.cols[-1].stop
    total = torch.zeros(height, width)
    for tiles in grid.tiles(tiles_per_pass):
        values = compute(tiles).float()
        for tile, value in zip(tiles, values.chunk(len(tiles)), strict=True):
            if out is None:
                out = value.new_zeros((*value.shape[:2], height, width))
            share = weight(tile)
            total[tile[0].slice, tile[1].slice] += share
            out[..., tile[0].slice, tile[1].slice] += share.to(value.device) * value
    assert out is not None, "a grid has a tile"
    if grid.skipped:
        out /= torch.where(total > 0, total, 1).to(out.device)
    return out
