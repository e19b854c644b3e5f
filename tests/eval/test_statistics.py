from __future__ import annotations

import builtins
import sys
from typing import Any, cast

import numpy as np
import pytest
from scipy.stats import ttest_1samp, wilcoxon

from unfade.eval.statistics import bootstrap_mean, paired_difference


@pytest.mark.parametrize("skewed", [False, True])
def test_interval_holds_the_mean_about_95_times_in_100(skewed: bool) -> None:
    rng = np.random.default_rng(0)
    trials, hits = 400, 0
    for _ in range(trials):
        values = rng.exponential(2, 60) if skewed else rng.normal(2, 1, 60)
        estimate = bootstrap_mean(values, resamples=1000)
        hits += estimate.low <= 2 <= estimate.high
    assert 0.9 < hits / trials < 0.98


def test_interval_is_near_that_of_student(  # for many values of a normal distribution
) -> None:
    values = np.random.default_rng(0).normal(5, 2, 500)
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    estimate = bootstrap_mean(values)
    assert estimate.mean == pytest.approx(values.mean())
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high), abs=0.02)


def test_interval_depends_on_the_seed_and_on_nothing_else() -> None:
    values = np.random.default_rng(0).random(30)
    np.random.default_rng().random(5)
    assert bootstrap_mean(values, seed=3) == bootstrap_mean(values, seed=3)
    assert bootstrap_mean(values, seed=3) != bootstrap_mean(values, seed=4)


@pytest.mark.parametrize("values", [[], [2.0], [1.0, np.inf, 3.0]])
def test_interval_is_not_a_number_when_there_is_none(values: list[float]) -> None:
    estimate = bootstrap_mean(np.array(values))
    assert np.isnan(estimate.low) and np.isnan(estimate.high)
    assert estimate.count == len(values)
    assert len(values) != 3 or estimate.mean == np.inf


def test_paired_interval_is_narrower_than_the_images_differ() -> None:
    rng = np.random.default_rng(0)
    images = rng.normal(25, 5, 40)  # some photos are harder than others
    first, second = images + rng.normal(0.5, 0.1, 40), images
    found = paired_difference(first, second).estimate
    assert 0.4 < found.low < 0.5 < found.high < 0.6
    alone = bootstrap_mean(first)
    assert alone.high - alone.low > 1


def test_p_is_that_of_scipy_and_equal_methods_do_not_differ() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.random(20) + 0.1, rng.random(20)
    assert paired_difference(first, second).p == cast(Any, wilcoxon(first, second)).pvalue
    values = np.array([30.0, np.inf, 28.0])
    found = paired_difference(values, values)
    assert (found.estimate.mean, found.estimate.low, found.estimate.high) == (0, 0, 0)
    assert found.p == 1


def test_p_is_left_out_when_scipy_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest, **more):
        if name.split(".")[0] == "scipy":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.delitem(sys.modules, "scipy", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    found = paired_difference(np.array([1.0, 2.0]), np.array([0.0, 5.0]))
    assert found.p is None
    assert found.estimate.mean == -1
