from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unfade.eval.aggd import fit_aggd


def samples(
    shape: float, left: float, right: float, *, count: int = 200_000, seed: int = 0
) -> np.ndarray:
    """Draws from the density: |x / scale|^shape is gamma distributed, the sides go by scale."""
    rng = np.random.default_rng(seed)
    size = rng.gamma(1 / shape, 1.0, count) ** (1 / shape)
    sides = np.where(rng.random(count) < left / (left + right), -left, right)
    return size * sides


@settings(max_examples=15, deadline=None)
@given(st.floats(0.5, 4), st.floats(0.2, 3), st.floats(0.5, 2), st.integers(0, 1000))
def test_fit_recovers_the_parameters(shape: float, left: float, ratio: float, seed: int) -> None:
    right = left * ratio
    fit = fit_aggd(samples(shape, left, right, seed=seed)[None])
    assert fit.shape[0] == pytest.approx(shape, rel=0.08)
    assert fit.left[0] == pytest.approx(left, rel=0.1)
    assert fit.right[0] == pytest.approx(right, rel=0.1)


def test_mean_is_that_of_the_samples_and_a_gaussian_is_recognised() -> None:
    drawn = samples(1.3, 0.5, 1.2)
    assert fit_aggd(drawn[None]).mean[0] == pytest.approx(drawn.mean(), rel=0.03)
    fit = fit_aggd(np.random.default_rng(0).normal(0, 0.7, (1, 200_000)))
    assert fit.shape[0] == pytest.approx(2, abs=0.05)
    assert fit.left[0] == pytest.approx(0.7 * math.sqrt(2), rel=0.03)


def test_scaling_the_samples_scales_the_fit_and_mirroring_swaps_its_sides() -> None:
    drawn = samples(0.9, 0.4, 1.0, count=5000)
    fit = fit_aggd(np.stack([drawn, 3 * drawn, -drawn]))
    assert fit.shape[0] == pytest.approx(fit.shape[1]) == pytest.approx(fit.shape[2])
    assert fit.left[1] == pytest.approx(3 * fit.left[0])
    assert (fit.left[2], fit.right[2]) == pytest.approx((fit.right[0], fit.left[0]))
    assert fit.mean[2] == pytest.approx(-fit.mean[0])


@pytest.mark.parametrize("row", [np.zeros(50), np.linspace(0.1, 1, 50)])
def test_fit_is_nan_when_a_side_is_empty(row: np.ndarray) -> None:
    drawn = samples(2, 1, 1, count=50)
    fit = fit_aggd(np.stack([drawn, row]))
    assert np.isfinite(fit.shape[0]) and np.isfinite(fit.mean[0])
    assert np.isnan(fit.shape[1]) and np.isnan(fit.mean[1])
