"""Fits the asymmetric generalised Gaussian distribution by its moments."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_MIN_SHAPE, _STEP = 0.2, 0.001  # the grid of shapes
_STEPS = np.arange(9801.0)  # up to a shape of 10


@dataclass(frozen=True)
class Aggd:
    """Parameters of B fits, (B,) each; NaN if a row has nothing to fit.

    The density is proportional to exp(-(|x| / scale)^shape), with a scale for each side.
    """

    shape: Array  # 0.2 to 10: 2 is Gaussian, 1 Laplacian
    left: Array  # scale below zero, > 0
    right: Array  # scale above zero, > 0

    @property
    def mean(self) -> Array:
        """The mean of the distribution (Mittal et al., 2013, Eq. 8)."""
        gamma1, gamma2, _ = _gammas()
        index = np.nan_to_num(np.rint((self.shape - _MIN_SHAPE) / _STEP)).astype(np.int64)
        return (self.right - self.left) * (gamma2 / gamma1)[index]


def fit_aggd(samples: Array) -> Aggd:
    """Fits each row by the moments of Lasmar, Stitou and Berthoumieu (2009).

    The shape is the nearest of a grid from 0.2 to 10 by 0.001. A row without values on both sides
    of zero gives NaN.

    Args:
        samples: (B, N).
    """
    square = samples * samples
    below, above = samples < 0, samples > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.sqrt((square * below).sum(1) / below.sum(1))  # (B,)
        right = np.sqrt((square * above).sum(1) / above.sum(1))
        skew = left / right
        ratio = np.square(np.abs(samples).mean(1)) / square.mean(1)
        moment_ratio = ratio * (skew**3 + 1) * (skew + 1) / np.square(skew * skew + 1)
    gamma1, gamma2, gamma3 = _gammas()
    ratios = gamma2 * gamma2 / (gamma1 * gamma3)  # grows with the shape
    position: Array = np.interp(
        np.where(np.isfinite(moment_ratio), moment_ratio, 0), ratios, _STEPS
    )
    index = np.rint(position).astype(np.int64)
    shape = np.where(np.isfinite(moment_ratio), _MIN_SHAPE + _STEP * index, np.nan)
    scale_factor = np.sqrt(gamma1 / gamma3)[index]
    return Aggd(shape, left * scale_factor, right * scale_factor)


@functools.cache
def _gammas() -> tuple[Array, Array, Array]:
    """gamma(k / shape) over the grid of shapes, for k = 1, 2, 3."""
    shapes = _MIN_SHAPE + _STEP * _STEPS
    gamma1, gamma2, gamma3 = (np.array([math.gamma(k / s) for s in shapes]) for k in (1, 2, 3))
    return gamma1, gamma2, gamma3
