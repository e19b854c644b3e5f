"""Cuts a plane into tiles with a margin, and computes it tile by tile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from unfade.timing import Progress, ignore

Region = tuple[slice, slice]  # rows, columns


@dataclass(frozen=True)
class Span:
    """One tile along one axis, in pixels: [start, stop) is computed, [first, last) is its core."""

    start: int
    stop: int
    first: int
    last: int


@dataclass(frozen=True)
class Tile:
    """One tile of a plane."""

    rows: Span
    cols: Span

    @property
    def computed(self) -> Region:
        """The region of the tile with its context, in the plane."""
        return slice(self.rows.start, self.rows.stop), slice(self.cols.start, self.cols.stop)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the computed region."""
        return self.rows.stop - self.rows.start, self.cols.stop - self.cols.start

    @property
    def core(self) -> Region:
        """The region of the core in the plane: tiles write their result there."""
        return self.core_at(1)

    @property
    def inner(self) -> Region:
        """The region of the core in the computed region."""
        return self.inner_at(1)

    def core_at(self, scale: int) -> Region:
        """As `core`, in a plane that is `scale` times as large."""
        rows, cols = self.rows, self.cols
        return (
            slice(scale * rows.first, scale * rows.last),
            slice(scale * cols.first, scale * cols.last),
        )

    def inner_at(self, scale: int) -> Region:
        """As `inner`, for a computed region that is `scale` times as large."""
        top, left = self.rows.start, self.cols.start
        rows, cols = self.rows, self.cols
        return (
            slice(scale * (rows.first - top), scale * (rows.last - top)),
            slice(scale * (cols.first - left), scale * (cols.last - left)),
        )

    @property
    def area(self) -> int:
        """The number of pixels of the core."""
        return (self.rows.last - self.rows.first) * (self.cols.last - self.cols.first)


def spans(length: int, tile: int, margin: int, stride: int) -> list[Span]:
    """Cuts an axis into tiles whose cores meet without gap or overlap.

    Every pixel is in the core of exactly one tile, at least `margin` pixels from that tile's edge
    (the photo's own edge excepted), and tiles start at multiples of the network's stride: a
    tiled run computes what an untiled one does.

    Args:
        length: pixels along the axis, >= 1.
        tile: the most pixels computed at once, at least the network's stride.
        margin: context on each side, pixels; less where the tile is too small for it.
        stride: of the network, pixels.
    """
    if length <= tile:
        return [Span(0, length, 0, length)]
    margin = max(0, min(margin, (tile - stride) // 2)) // stride * stride
    core = max(stride, (tile - 2 * margin) // stride * stride)
    count = -(-(length - 2 * margin) // core)
    core = -(-(length - 2 * margin) // (count * stride)) * stride
    out: list[Span] = []
    first = 0
    while first < length:
        start = max(0, first - margin)
        last = start + 2 * margin + core - margin
        if start == 0:
            last = margin + core
        if last + margin >= length:
            last = length
        out.append(Span(start, min(length, last + margin), first, last))
        first = last
    return out


def tiles(height: int, width: int, tile: int, margin: int, stride: int) -> Iterator[Tile]:
    """Every tile of a plane, row by row; arguments as of `spans`."""
    columns = spans(width, tile, margin, stride)
    for rows in spans(height, tile, margin, stride):
        for cols in columns:
            yield Tile(rows, cols)


def map_tiles(
    height: int, width: int, compute: Callable[[Tile], None], *, tile: int, margin: int,
    stride: int, progress: Progress = ignore,
) -> None:  # fmt: skip
    """Computes every tile of a plane, row by row, and reports the share that is done.

    Args:
        compute: called with each tile.
        tile, margin, stride: as of `spans`.
    """
    finished_area = 0
    for part in tiles(height, width, tile, margin, stride):
        compute(part)
        finished_area += part.area
        progress(finished_area / (height * width))


def bands(height: int, rows: int) -> Iterator[slice]:
    """The rows of a plane in bands of at most `rows`, from top to bottom."""
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))
