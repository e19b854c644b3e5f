"""Computes bootstrap intervals of means, and paired tests between methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from unfade.rng import generator

Values = NDArray[np.float64]  # (N,), one for each image
RESAMPLES = 10_000
LEVEL = 0.95
_AT_ONCE = 1_000_000  # drawn values that are held in memory


@dataclass(frozen=True)
class Estimate:
    """A mean over images, and the interval that holds it at a level of 95 %."""

    mean: float
    low: float  # NaN, as `high`, for fewer than two values or where one is infinite
    high: float
    count: int


@dataclass(frozen=True)
class Difference:
    """First method less second, over the images that both have."""

    estimate: Estimate
    p: float | None  # Wilcoxon's, two-sided; None without scipy, NaN for too few values


def bootstrap_mean(values: Values, *, seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """The mean with the percentile interval of the bootstrap (Efron and Tibshirani, 1993, 13.3).

    Images are drawn with replacement, `resamples` times, from a generator of this seed: the same
    values give the same interval.

    Args:
        values: (N,); an infinite one makes the mean infinite and the interval NaN.
        seed: >= 0.
        resamples: how many.
    """
    count = len(values)
    mean = float(values.mean()) if count else float("nan")
    if count < 2 or not np.isfinite(values).all():
        return Estimate(mean, float("nan"), float("nan"), count)
    rng = generator(seed, "bootstrap")
    step = max(1, _AT_ONCE // count)
    means = [
        values[rng.integers(0, count, (min(step, resamples - done), count))].mean(1)
        for done in range(0, resamples, step)
    ]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return Estimate(mean, float(low), float(high), count)


def paired_difference(first: Values, second: Values, *, seed: int = 0) -> Difference:
    """The mean of the differences image by image, its interval, and Wilcoxon's signed-rank test.

    Args:
        first, second: (N,) values of the same images in the same order. Two equal infinities
            differ by 0.
        seed: of the bootstrap.
    """
    same = first == second
    difference = np.subtract(first, second, out=np.zeros_like(first), where=~same)
    return Difference(bootstrap_mean(difference, seed=seed), _wilcoxon(difference))


def _wilcoxon(difference: Values) -> float | None:
    """The two-sided p of Wilcoxon (1945): 1 where nothing differs."""
    if len(difference) < 2:
        return float("nan")
    if not difference.any():
        return 1.0
    try:
        from scipy import stats  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        return None
    return float(cast(Any, stats).wilcoxon(difference).pvalue)
