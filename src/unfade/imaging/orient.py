"""EXIF orientations: turned views of arrays, and the mapping of coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Pixel = TypeVar("Pixel", bound=np.generic)

UPRIGHT = 1
TURNED = frozenset({5, 6, 7, 8})  # width and height change places


def stored_view(upright: NDArray[Pixel], orientation: int) -> NDArray[Pixel]:
    """The upright array seen in the order in which the file stores its pixels.

    Writing into the view turns the photo upright. Rows and columns are the first two axes.
    """
    view: NDArray[Any] = upright
    if orientation in TURNED:
        view = view.swapaxes(0, 1)  # 5 is the transpose itself
    flip_rows, flip_cols = _FLIPS.get(orientation, (False, False))
    if flip_rows:
        view = view[::-1]
    if flip_cols:
        view = view[:, ::-1]
    return view


def upright_size(height: int, width: int, orientation: int) -> tuple[int, int]:
    """(height, width) of the upright photo whose stored size is given."""
    return (width, height) if orientation in TURNED else (height, width)


# Stored axes to be flipped (rows, columns) after the swap, by EXIF orientation.
_FLIPS: dict[int, tuple[bool, bool]] = {
    2: (False, True),
    3: (True, True),
    4: (True, False),
    6: (True, False),
    7: (True, True),
    8: (False, True),
}


@dataclass(frozen=True)
class Placement:
    """The mapping of coordinates of the stored photo to the upright, resized photo.

    Attributes:
        orientation: EXIF's, 1..8.
        stored: (height, width) in the order in which the file stores the pixels.
        final: (height, width) of the photo after the turn and the resizing.
    """

    orientation: int
    stored: tuple[int, int]
    final: tuple[int, int]

    @property
    def upright(self) -> tuple[int, int]:
        """(height, width) after the turn."""
        return upright_size(*self.stored, self.orientation)

    @property
    def scale(self) -> tuple[float, float]:
        """How much larger the upright photo becomes: (down, across)."""
        height, width = self.upright
        return self.final[0] / height, self.final[1] / width

    @property
    def unchanged(self) -> bool:
        """Whether every pixel stays where it is."""
        return self.orientation == UPRIGHT and self.stored == self.final

    def without_turn(self) -> Placement:
        """The resizing alone, for coordinates on the upright photo."""
        return replace(self, orientation=UPRIGHT, stored=self.upright)

    def relative(self, x: float, y: float) -> tuple[float, float]:
        """A point in shares of the width and the height, 0..1."""
        return _turn(x, y, 1.0, 1.0, self.orientation)

    def relative_size(self, width: float, height: float) -> tuple[float, float]:
        """A (width, height) in shares of the photo's."""
        return (height, width) if self.orientation in TURNED else (width, height)

    def pixel(
        self, x: float, y: float, *, within: tuple[float, float] | None = None
    ) -> tuple[float, float]:
        """A point in pixels, from the left and upper edges.

        Args:
            within: (height, width) that the point counts in; None is the size stored.
        """
        height, width = within or self.stored
        x, y = _turn(x, y, width, height, self.orientation)
        return x * self.scale[1], y * self.scale[0]

    def pixel_size(self, width: float, height: float) -> tuple[float, float]:
        """A (width, height) in pixels."""
        width, height = self.relative_size(width, height)
        return width * self.scale[1], height * self.scale[0]

    def subject(self, values: Sequence[int]) -> list[int]:
        """EXIF's SubjectArea: x, y of the pixel in the centre [, diameter | , width, height]."""
        if not 2 <= len(values) <= 4:
            return list(values)
        height, width = self.stored
        x, y = _turn(values[0], values[1], width - 1, height - 1, self.orientation)
        down, across = self.scale
        size = [float(value) for value in values[2:]]
        if len(size) == 2:
            size = list(self.pixel_size(*size))
        else:
            size = [value * across for value in size]
        return [round(value) for value in (x * across, y * down, *size)]


def _turn(x: float, y: float, width: float, height: float, orientation: int) -> tuple[float, float]:
    """A point of a stored photo of this size as it lies in the upright one."""
    flip_rows, flip_cols = _FLIPS.get(orientation, (False, False))
    if flip_rows:  # of the stored photo, as `stored_view` flips it
        y = height - y
    if flip_cols:
        x = width - x
    return (y, x) if orientation in TURNED else (x, y)
