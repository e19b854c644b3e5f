"""Cuts windows of photos that are aligned with the latent grid, so that latents can be cached.

A photo is cached in a few fixed views (scaled or mirrored): the latent of each view, and the
pixels of each size. A training sample is a window of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.data.pairs import photo_index
from unfade.degrade.types import Image, extent
from unfade.errors import UsageError
from unfade.rng import generator

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class ViewOptions:
    """Sizes of the cached views of a photo, and of the windows of samples.

    Attributes:
        sides: short sides of the views, pixels. A photo is never made larger than it is, but
            for the smallest of these.
        mirrored: see each view in a mirror too.
        size: side of the square window in pixels; at most the smallest of `sides`.
    """

    sides: list[int] = field(default_factory=lambda: [144, 208, 320])
    mirrored: bool = True
    size: int = 128

    @property
    def views(self) -> int:
        """The number of views of a photo."""
        return len(self.sides) * (2 if self.mirrored else 1)


@dataclass(frozen=True)
class Window:
    """A square of a view, in cells of the latent."""

    photo: int
    view: int
    y: int
    x: int
    cells: int

    def slices(self, cell: int = 1) -> tuple[slice, slice]:
        """Its rows and columns, in units of 1/`cell` of a latent cell."""
        y, x, side = cell * self.y, cell * self.x, cell * self.cells
        return slice(y, y + side), slice(x, x + side)


def check_views(options: ViewOptions, cell: int) -> None:
    """UsageError if windows are larger than the views or no multiple of `cell` pixels."""
    if options.size % cell or not options.sides or options.size > min(options.sides):
        raise UsageError(
            f"windows of {options.size} in views of {options.sides} pixels",
            f"a multiple of {cell}, at most the smallest side",
            "change size or sides",
        )


def _scaled(options: ViewOptions, view: int, height: int, width: int) -> tuple[int, int]:
    side = options.sides[view % len(options.sides)]
    short = min(height, width)
    side = side if side <= short else max(short, min(options.sides))
    return round(side / short * height), round(side / short * width)


def scale_photo(image: Image, options: ViewOptions, view: int) -> Pixels:
    """A photo (H, W, 3) at the size of a view, whole and not mirrored, (h, w, 3)."""
    height, width = _scaled(options, view, *extent(image))
    if (height, width) != extent(image):
        mode = cv2.INTER_AREA if height < extent(image)[0] else cv2.INTER_CUBIC
        image = np.asarray(cv2.resize(image, (width, height), interpolation=mode), np.float32)
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def make_view(scaled: Pixels, options: ViewOptions, view: int, cell: int) -> Image:
    """A view of a scaled photo, cut to whole cells at its lower and right edges."""
    height, width = extent(scaled)
    if view >= len(options.sides):
        scaled = scaled[:, ::-1]
    return as_image(scaled[: height // cell * cell, : width // cell * cell])


def columns_of(view: int, options: ViewOptions, columns: slice, width: int) -> slice:
    """The columns of a scaled photo (h, width, 3) that are these columns of a view."""
    if view < len(options.sides):
        return columns
    return slice(width - columns.stop, width - columns.start)


def as_image(pixels: Pixels) -> Image:
    """uint8 -> float32 in [0, 1]."""
    return pixels.astype(np.float32) / np.float32(255)


def draw_window(
    shapes: Sequence[Sequence[tuple[int, int]]], seed: int, index: int, cells: int
) -> Window:
    """The window of sample `index`; larger views are drawn more often.

    Args:
        shapes: height and width in cells of each view of each photo.
        cells: side of the window.
    """
    rng = generator(seed, "window", index)
    photo = photo_index(seed, index, len(shapes))
    area = np.sqrt([h * w for h, w in shapes[photo]])
    view = int(rng.choice(len(area), p=area / area.sum()))
    height, width = shapes[photo][view]
    y, x = (int(rng.integers(0, n - cells + 1)) for n in (height, width))
    return Window(photo, view, y, x, cells)
