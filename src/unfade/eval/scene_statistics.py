"""Computes natural scene statistics: the 36 features of a block that NIQE uses."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from unfade.degrade.reduce import cubic
from unfade.eval.aggd import fit_aggd
from unfade.eval.images import (
    Image,
    Plane,
    gaussian_kernel,
    luma,
    require_side,
    separable,
)

BLOCK = 96  # pixels, at the first of the two scales
FEATURES = 36
_RADIUS, _SIGMA = 3, 7 / 6
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))


@dataclass(frozen=True)
class SceneStatistics:
    """Measurements of the B blocks of one picture, row by row."""

    features: Plane  # (B, 36); NaN in a block without any contrast
    sharpness: Plane  # (B,) mean local deviation, in levels of 255


def scene_statistics(image: Image) -> SceneStatistics:
    """NIQE's features (Mittal, Soundararajan and Bovik, 2013, sections II-A to II-C).

    At each of two scales, of each block: shape and mean scale of the normalised luminances, and
    shape, mean, left and right scale of the products of neighbours in four directions, all from
    asymmetric generalised Gaussian fits. A neighbour beyond the block's border is taken from its
    other side. The second scale is half the first, by MATLAB's bicubic reduction.

    Args:
        image: (H, W, 3) [0, 1]; luma of BT.601 in 0..255 is measured, in whole blocks from the
            upper left corner.

    Raises:
        InputError: a side has fewer than 96 pixels.
    """
    require_side(image, BLOCK, "NIQE")
    gray = 255 * luma(image)
    gray = gray[: gray.shape[0] // BLOCK * BLOCK, : gray.shape[1] // BLOCK * BLOCK]
    normal, deviation = normalised(gray)
    fine = _features(_blocks(normal, BLOCK))
    coarse = _features(_blocks(normalised(_halved(gray))[0], BLOCK // 2))
    sharpness = _blocks(deviation, BLOCK).mean((1, 2))
    return SceneStatistics(np.concatenate([fine, coarse], 1), sharpness)


def normalised(gray: Plane) -> tuple[Plane, Plane]:
    """Mean-subtracted, contrast-normalised luminances (Eq. 1 to 3), and the local deviation.

    Args:
        gray: (H, W) in 0..255.
    """
    mean = _blurred(gray)
    deviation = np.sqrt(np.abs(_blurred(gray * gray) - mean * mean))
    return (gray - mean) / (deviation + 1), deviation


def _blurred(gray: Plane) -> Plane:
    kernel = gaussian_kernel(_RADIUS, _SIGMA)
    return separable(gray, kernel, kernel, cv2.BORDER_REPLICATE)


def _halved(gray: Plane) -> Plane:
    """Half the size (of even sides) by the cubic of a = -0.5, widened against aliasing."""
    distance = np.array([0.25, 0.75, 1.25, 1.75])  # of the eight taps, in pixels of the result
    half = cubic(distance)
    kernel = np.concatenate([half[::-1], half]) / 2
    return separable(gray, kernel, kernel)[::2, ::2]


def _blocks(plane: Plane, side: int) -> Plane:
    """(H, W), whole blocks -> (B, side, side), row by row."""
    rows, cols = plane.shape[0] // side, plane.shape[1] // side
    grid = plane.reshape(rows, side, cols, side).swapaxes(1, 2)  # (rows, cols, side, side)
    return grid.reshape(rows * cols, side, side)


def _features(blocks: Plane) -> Plane:
    """(B, side, side) -> (B, 18)."""
    count = len(blocks)
    fit = fit_aggd(blocks.reshape(count, -1))
    columns = [fit.shape, (fit.left + fit.right) / 2]
    for shift in _NEIGHBOURS:
        product = blocks * np.roll(blocks, shift, (1, 2))
        fit = fit_aggd(product.reshape(count, -1))
        columns += [fit.shape, fit.mean, fit.left, fit.right]
    return np.stack(columns, 1)
