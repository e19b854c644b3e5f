"""Defines the result of a degradation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Mask = NDArray[np.float32]
Value = float | int | str | list[float]
Params = dict[str, Value]


def extent(picture: NDArray[Any]) -> tuple[int, int]:
    """Height and width of an (H, W) or (H, W, C) array."""
    height, width = picture.shape[:2]
    return int(height), int(width)


@dataclass(frozen=True)
class Degraded:
    """A degraded photo with its clean photo, masks and parameters.

    Attributes:
        lq: (h, w, 3) float32, sRGB [0, 1], the degraded photo.
        hq: (H, W, 3) float32, sRGB [0, 1], the clean photo; gray if the colour was lost.
        toned: (H, W, 3) float32, the clean photo with the global change of tone of `lq` and
            nothing else: the target of a network that repairs structure and keeps tone.
        mask: (h, w) float32 in {0, 1}, 1 = visible structured damage.
        lost: (h, w) float32 in {0, 1}, the part of the mask that is a lost edge or corner.
        params: every operation in the order it was applied, with its parameters.
        kinds: (h, w) masks by kind of damage; their union is `mask`. Empty if a recipe does not
            tell kinds apart.
    """

    lq: Image
    hq: Image
    toned: Image
    mask: Mask
    lost: Mask
    params: list[Params] = field(default_factory=list[Params])
    kinds: dict[str, Mask] = field(default_factory=dict[str, Mask])
