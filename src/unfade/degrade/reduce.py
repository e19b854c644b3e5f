"""Downsamples images as papers on super-resolution do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unfade.degrade.types import Image


def cubic(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weights of Keys (1981), a = -0.5, at distances >= 0 in pixels."""
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0))


def reduced(image: Image, scale: int) -> Image:
    """Downsamples with a bicubic kernel widened by the scale, as papers on super-resolution do.

    Keys, Cubic Convolution Interpolation for Digital Image Processing (1981), a = -0.5, mirrored
    at the borders.

    Args:
        image: (H, W, C) float32 in [0, 1].
        scale: how many pixels become one, on each side.

    Returns:
        (H // scale, W // scale, C) float32 in [0, 1].
    """
    weights = [_cubic_weights(length, scale) for length in image.shape[:2]]
    out = np.einsum("ih,hwc->iwc", weights[0], image, optimize=True)
    return np.clip(np.einsum("jw,iwc->ijc", weights[1], out, optimize=True), 0, 1)


def _cubic_weights(length: int, scale: int) -> Image:
    """(length / scale, length): Keys (1981), a = -0.5, mirrored at the borders."""
    out = np.zeros((length // scale, length), np.float32)
    for i in range(length // scale):
        centre = (i + 0.5) * scale - 0.5
        taps = np.arange(int(np.ceil(centre - 2 * scale)), int(centre + 2 * scale) + 1)
        weight = cubic(np.abs(taps - centre) / scale)
        mirrored = np.where(
            taps < 0, -1 - taps, np.where(taps >= length, 2 * length - 1 - taps, taps)
        )
        np.add.at(out[i], mirrored, (weight / weight.sum()).astype(np.float32))
    return out
