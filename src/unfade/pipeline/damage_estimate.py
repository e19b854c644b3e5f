"""Estimates how damaged a photo is: the share of damaged pixels, its grain and its blur.

Each measure is mapped linearly to 0..1 between two fixed values; the largest is the severity.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.imaging import Photo
from unfade.imaging.transforms import luma
from unfade.masks import Mask

#: For each measure: the values that are mapped to severity 0 and 1.
SHARE = (0.01, 0.15)  # of the pixels damaged
GRAIN = (0.035, 0.12)  # standard deviation, sRGB values in 0..1
BLUR = (0.35, 0.70)
_SHORT_SIDE = 1024  # pixels, from twice of which on a photo is measured at a smaller size
_WINDOW = 256  # pixels there; photos are measured in a grid of such windows
_GRID = 5
_BOX = 9  # pixels, of the blur that a photo is compared with
_NORMAL = 0.6745  # the median of |x| for a normal x of deviation 1


@dataclass(frozen=True)
class Damage:
    """Measures of how damaged a photo is.

    Attributes:
        share: of the pixels that are damaged, 0..1.
        grain: standard deviation of the noise, sRGB values in 0..1.
        blur: 0..1, from sharp to blurred (`blur_of`).
    """

    share: float = 0.0
    grain: float = 0.0
    blur: float = 0.0

    @property
    def severity(self) -> float:
        """0..1: the largest of the mapped measures; 0 = no damage."""
        return max(_ramp(self.share, SHARE), _ramp(self.grain, GRAIN), _ramp(self.blur, BLUR))


def estimate_damage(photo: Photo, mask: Mask | None, threshold: float) -> Damage:
    """Measures a photo on windows spread over it; masked pixels count for the damaged share only.

    A large scan is reduced first, so that grain and blur are measured at viewing size.

    Args:
        mask: (H, W), probability of damage in 1/255.
        threshold: the probability, 0..1, from which a pixel is damaged.
    """
    share = 0.0 if mask is None else float(np.count_nonzero(mask >= threshold * 255)) / mask.size
    factor = max(1, min(photo.height, photo.width) // _SHORT_SIDE)
    bands: list[NDArray[np.float32]] = []
    steps = np.zeros((2, 2))
    for rows in _windows(photo.height, factor):
        for cols in _windows(photo.width, factor):
            gray = _smaller(luma(photo.srgb(rows, cols))[..., 0], factor)
            undamaged = np.ones(gray.shape, bool)
            if mask is not None:
                damaged = (mask[rows, cols] >= threshold * 255).astype(np.float32)
                undamaged = _smaller(damaged, factor) == 0
            bands.append(finest_band(gray, undamaged))
            steps += differences(gray, undamaged)
    grain = grain_of(np.concatenate(bands))
    return Damage(round(share, 6), round(grain, 6), round(blur_of(steps), 6))


def finest_band(gray: NDArray[np.float32], undamaged: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The diagonal band of a Haar transform, (n,), of the undamaged 2 x 2 squares of (H, W)."""
    h, w = gray.shape[0] // 2 * 2, gray.shape[1] // 2 * 2
    a, b, c, d = (gray[i:h:2, j:w:2] for i in (0, 1) for j in (0, 1))  # (H/2, W/2) each
    valid = (
        undamaged[:h:2, :w:2]
        & undamaged[:h:2, 1:w:2]
        & undamaged[1:h:2, :w:2]
        & undamaged[1:h:2, 1:w:2]
    )
    return np.asarray((a - b - c + d) / 2, np.float32)[valid]


def grain_of(band: NDArray[np.float32]) -> float:
    """The deviation of the noise from a finest band (Donoho and Johnstone 1994, section 4.2).

    Half of the coefficients may be the picture's own.
    """
    return float(np.median(np.abs(band))) / _NORMAL if band.size else 0.0


def differences(gray: NDArray[np.float32], undamaged: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Sums of differences of neighbouring pixels, and how much a strong blur reduces them.

    Args:
        gray: (H, W) in [0, 1].
        undamaged: (H, W), the pixels that count.

    Returns:
        (2, 2): down and across; the sum of all differences, and of their reduction by the blur.
    """
    out = np.zeros((2, 2))
    for axis, box in ((0, (1, _BOX)), (1, (_BOX, 1))):
        blurred_image = np.asarray(cv2.blur(gray, box), np.float32)
        original, blurred = (
            np.abs(np.diff(gray, axis=axis)),
            np.abs(np.diff(blurred_image, axis=axis)),
        )
        valid = np.delete(undamaged, 0, axis) & np.delete(undamaged, -1, axis)
        out[axis] = original[valid].sum(), np.maximum(original - blurred, 0)[valid].sum()
    return out


def blur_of(steps: NDArray[np.float64]) -> float:
    """0..1, from sharp to blurred: the share of the differences that a strong blur leaves.

    After Crete et al. 2007, "The blur effect", section 3.

    Args:
        steps: (2, 2), sums of `differences`.
    """
    return max(
        (float((total - removed) / total) for total, removed in steps if total > 0), default=0
    )


def _windows(length: int, factor: int) -> list[slice]:
    """Windows along an axis, at most _GRID, spread evenly where they do not cover it."""
    window = _WINDOW * factor
    if length <= _GRID * window:
        return [slice(i, min(i + window, length)) for i in range(0, length, window)]
    room = length - window
    return [slice(i, i + window) for i in (room * k // (_GRID - 1) for k in range(_GRID))]


def _smaller(plane: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """(H, W) -> (ceil(H / factor), ceil(W / factor)), by area."""
    if factor == 1:
        return plane
    size = (-(-plane.shape[1] // factor), -(-plane.shape[0] // factor))
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)


def _ramp(value: float, ends: tuple[float, float]) -> float:
    """0 up to the first end, 1 from the second on, linear between."""
    return min(1.0, max(0.0, (value - ends[0]) / (ends[1] - ends[0])))
