"""EXIF orientations as views, so that turning a photo costs no copy of it."""

from __future__ import annotations

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
