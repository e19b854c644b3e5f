"""Computes Fréchet and kernel distances between two sets of features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unfade.errors import InputError

Features = NDArray[np.float64]  # (N, D)
_ROWS = 1024  # of a kernel matrix that are held at once


def frechet_distance(first: Features, second: Features) -> float:
    """Squared Frechet distance of two Gaussians fitted to features: FID, Heusel et al. (2017).

    |m1 - m2|^2 + Tr(S1 + S2 - 2 (S1 S2)^(1/2)), with sample covariances. It falls with more
    samples, so that only sets of one size can be compared.

    Args:
        first, second: (N, D) and (M, D), at least two rows each.

    Raises:
        InputError: too few rows, other columns, or values that are not finite.
    """
    _check(first, second)
    off = first.mean(0) - second.mean(0)
    first_cov, second_cov = (np.atleast_2d(np.cov(f, rowvar=False)) for f in (first, second))
    values, vectors = np.linalg.eigh(first_cov)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T  # S1^(1/2)
    middle = np.linalg.eigvalsh(root @ second_cov @ root)  # the eigenvalues of S1 S2
    overlap = np.sqrt(np.maximum(middle, 0)).sum()
    return max(0.0, float(off @ off + np.trace(first_cov) + np.trace(second_cov) - 2 * overlap))


def kernel_distance(first: Features, second: Features) -> float:
    """Squared maximum mean discrepancy: KID, Binkowski et al. (2018), section 4, Eq. 4.

    The unbiased estimate with the kernel (x y / D + 1)^3, over all pairs. It may be negative
    where the two sets are alike.

    Args:
        first, second: (N, D) and (M, D), at least two rows each.

    Raises:
        InputError: too few rows, other columns, or values that are not finite.
    """
    _check(first, second)
    n, m = len(first), len(second)
    within_first = (_kernel_sum(first, first) - _kernel_trace(first)) / (n * (n - 1))
    within_second = (_kernel_sum(second, second) - _kernel_trace(second)) / (m * (m - 1))
    return within_first + within_second - 2 * _kernel_sum(first, second) / (n * m)


def standardised(features: Features, reference: Features) -> Features:
    """In standard deviations of the reference, from its mean: (N, D), (M, D) -> (N, D)."""
    spread = reference.std(0)
    return (features - reference.mean(0)) / np.where(spread > 0, spread, 1)


def _kernel_sum(first: Features, second: Features) -> float:
    blocks = (first[i : i + _ROWS] for i in range(0, len(first), _ROWS))
    return float(sum(((b @ second.T / first.shape[1] + 1) ** 3).sum() for b in blocks))


def _kernel_trace(features: Features) -> float:
    return float(((np.square(features).sum(1) / features.shape[1] + 1) ** 3).sum())


def _check(first: Features, second: Features) -> None:
    for features in (first, second):
        if features.ndim != 2 or len(features) < 2:
            got = f"features of shape {features.shape}"
            raise InputError(got, "(N, D) with at least two rows", "give more images")
        if not np.isfinite(features).all():
            raise InputError("features that are not finite", "numbers", "check the extractor")
    if first.shape[1] != second.shape[1]:
        got = f"{first.shape[1]} and {second.shape[1]} features"
        raise InputError(got, "as many in both sets", "use one extractor for both")
