"""FID and KID against closed forms and slow sums."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from unfade.errors import InputError
from unfade.eval.distances import frechet_distance, kernel_distance, standardised


def exact(mean: np.ndarray, covariance: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Samples whose own mean and covariance are exactly these."""
    raw = np.random.default_rng(seed).standard_normal((count, len(mean)))
    raw -= raw.mean(0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw.T))).T
    return white @ np.linalg.cholesky(covariance).T + mean


def test_frechet_distance_has_its_closed_form_and_is_zero_to_itself() -> None:
    a = exact(np.array([0.0, 1, 2]), np.diag([1.0, 4, 9]), 50)
    b = exact(np.array([1.0, 1, 0]), np.diag([4.0, 4, 1]), 80)
    expected = (1 + 4) + (1 - 2) ** 2 + (3 - 1) ** 2
    assert frechet_distance(a, b) == pytest.approx(expected)
    a = np.random.default_rng(0).standard_normal((5, 20))  # a covariance of rank 4
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 8))
def test_frechet_distance_equals_scipy_matrix_root(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((40, size)) @ rng.standard_normal((size, size))
    b = rng.standard_normal((30, size)) @ rng.standard_normal((size, size)) + 1
    one, two = (np.cov(f.T).reshape(size, size) for f in (a, b))
    root = np.real(np.asarray(sqrtm(one @ two)))
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(one + two - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert frechet_distance(b, a) == pytest.approx(frechet_distance(a, b), rel=1e-6, abs=1e-8)


def test_kernel_distance_equals_the_slow_sum() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((7, 5)), rng.standard_normal((9, 5)) + 0.5

    def k(x: np.ndarray, y: np.ndarray) -> float:
        return float((x @ y / 5 + 1) ** 3)

    within_a = np.mean([k(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if i != j])
    within_b = np.mean([k(x, y) for i, x in enumerate(b) for j, y in enumerate(b) if i != j])
    across = np.mean([k(x, y) for x in a for y in b])
    assert kernel_distance(a, b) == pytest.approx(within_a + within_b - 2 * across)


def test_kernel_distance_does_not_depend_on_its_blocks() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2500, 3)), rng.standard_normal((1100, 3))
    kernel = lambda x, y: (x @ y.T / 3 + 1) ** 3  # noqa: E731
    inner = (kernel(a, a).sum() - np.trace(kernel(a, a))) / (2500 * 2499)
    outer = (kernel(b, b).sum() - np.trace(kernel(b, b))) / (1100 * 1099)
    expected = inner + outer - 2 * kernel(a, b).mean()
    assert kernel_distance(a, b) == pytest.approx(expected)


def test_standardised_features_have_unit_spread() -> None:
    reference = np.random.default_rng(0).normal(3, [1, 5, 0], (100, 3))
    out = standardised(reference, reference)
    assert np.allclose(out.mean(0), 0) and np.allclose(out.std(0), [1, 1, 0])


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
@pytest.mark.parametrize(
    "other", [np.ones((1, 3)), np.ones((4, 2)), np.full((4, 3), np.nan), np.ones(3)]
)
def test_features_that_make_no_sense_are_refused(distance, other: np.ndarray) -> None:
    good = np.random.default_rng(0).standard_normal((5, 3))
    with pytest.raises(InputError):
        distance(good, other)
