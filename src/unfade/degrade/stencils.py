"""Places scanned shapes of real damage on photos, at random size, rotation and position."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from unfade.degrade.types import Mask, extent
from unfade.errors import InputError

#: Kind of damage that a folder of shapes stands for.
KINDS = {
    "dirt": "specks", "dots": "blobs", "hair": "hairs", "hair-short": "hairs", "lint": "hairs",
    "scratches": "scratches", "smut": "blobs", "spots": "specks", "sprinkles": "specks",
    "stain": "stains",
}  # fmt: skip
_TYPICAL = 300.0  # pixels, the longer side of most shapes


@dataclass(frozen=True)
class Stencil:
    """An encoded 8-bit coverage (255 = covered) and its kind of damage."""

    kind: str
    code: bytes

    def decode(self) -> Mask:
        """(h, w) float32 in [0, 1]. InputError if the bytes are no picture."""
        code = np.frombuffer(self.code, np.uint8)
        plane = cv2.imdecode(code, cv2.IMREAD_GRAYSCALE) if code.size else None
        if plane is None:
            raise InputError(f"an undecodable shape of {self.kind}", "a PNG", "remove it")
        return np.asarray(plane, np.float32) / np.float32(255)


def lay(
    stencil: Stencil,
    h: int,
    w: int,
    rng: np.random.Generator,
    unit: float,
    *,
    least: float = 30,
    most: float = 300,
) -> Mask:
    """Places a shape at a random position, size and rotation.

    Args:
        h, w: of the photo.
        unit: pixels for 1/256 of the photo's short side.
        least, most: longer side of a typical shape, in units.

    Returns:
        (h, w) float32 coverage in [0, 1].
    """
    shape = stencil.decode()
    size = math.exp(rng.uniform(math.log(least), math.log(most))) * unit
    factor = min(size / _TYPICAL, 4.0)
    if factor < 0.7:
        small = (max(1, round(shape.shape[1] * factor)), max(1, round(shape.shape[0] * factor)))
        shape = np.asarray(cv2.resize(shape, small, interpolation=cv2.INTER_AREA), np.float32)
        shape = np.minimum(shape * np.float32(1 / max(factor, 0.35)), np.float32(1))
        factor = 1.0
    sh, sw = extent(shape)
    turn = rng.uniform(0, 2 * math.pi)
    c, s = factor * math.cos(turn), factor * math.sin(turn)
    if rng.random() < 0.5:
        shape = np.ascontiguousarray(shape[:, ::-1])
    cx, cy = rng.uniform(0, w), rng.uniform(0, h)
    matrix = np.array(
        [[c, -s, cx - c * sw / 2 + s * sh / 2], [s, c, cy - s * sw / 2 - c * sh / 2]], np.float32
    )
    out = cv2.warpAffine(shape, matrix, (w, h), flags=cv2.INTER_LINEAR)
    return np.asarray(out, np.float32)
