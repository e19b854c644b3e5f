"""Tiles: what is computed, and which part of it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """One tile along one axis, in pixels: [start, stop) is computed, [first, last) is kept."""

    start: int
    stop: int
    first: int
    last: int


def spans(length: int, tile: int, margin: int, stride: int) -> list[Span]:
    """Cuts an axis into tiles whose kept parts meet without gap or overlap.

    Every pixel is kept from exactly one tile, at least `margin` pixels from that tile's edge
    (the photo's own edge excepted), and tiles start at multiples of the network's stride: a
    tiled run sees what an untiled one sees.

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


def tiles(
    height: int, width: int, tile: int, margin: int, stride: int
) -> Iterator[tuple[Span, Span]]:
    """Rows and columns of every tile, row by row; arguments as of `spans`."""
    columns = spans(width, tile, margin, stride)
    for rows in spans(height, tile, margin, stride):
        for cols in columns:
            yield rows, cols
