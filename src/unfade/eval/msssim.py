"""Computes the multi-scale structural similarity (MS-SSIM)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unfade.eval.images import Image, Plane, require_same_size, require_side
from unfade.eval.metrics import SSIM_WINDOW, similarity_maps

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # finest scale first
MIN_SIDE = (SSIM_WINDOW - 1) * 2 ** (len(WEIGHTS) - 1) + 1  # 161: the window fits the coarsest


def ms_ssim(image: Image, target: Image) -> float:
    """Multi-scale SSIM, Wang, Simoncelli and Bovik (2003), Eq. 7; in [0, 1].

    Five scales, each halved by 2 x 2 means; contrast and structure at every scale, luminance at
    the coarsest, with the weights of the paper and SSIM's window. Each factor is a mean over
    pixels, and a negative one counts as 0. Mean over channels.

    Args:
        image, target: (H, W, C) [0, 1].

    Raises:
        InputError: the sizes differ, or a side has fewer than 161 pixels.
    """
    require_same_size(image, target)
    require_side(image, MIN_SIDE, "MS-SSIM")
    channels = range(image.shape[2])
    return sum(_ms_ssim(image[..., c], target[..., c]) for c in channels) / len(channels)


def _ms_ssim(x: NDArray[np.floating], y: NDArray[np.floating]) -> float:
    """Of one channel, (H, W)."""
    value = 1.0
    for scale, weight in enumerate(WEIGHTS):
        luminance, structure = similarity_maps(x, y)
        factor = structure if scale < len(WEIGHTS) - 1 else luminance * structure
        value *= max(0.0, float(factor.mean())) ** weight
        x, y = _halved(x), _halved(y)
    return value


def _halved(image: NDArray[np.floating]) -> Plane:
    """2 x 2 means, the last row and column of an odd size repeated: (H, W) -> half of it."""
    height, width = image.shape
    even = np.pad(image.astype(np.float64), ((0, height % 2), (0, width % 2)), "edge")
    return even.reshape((height + 1) // 2, 2, (width + 1) // 2, 2).mean((1, 3))
