from __future__ import annotations

import numpy as np
import pytest

from unfade.eval.evaluation import Row
from unfade.eval.statistics import bootstrap_mean, paired_difference
from unfade.eval.summary import summarise

ROWS = [
    Row("ours", "a", {"psnr": 30.0, "ssim": 0.9}),
    Row("theirs", "a", {"psnr": 28.0, "ssim": 0.8}),
    Row("ours", "b", {"psnr": 20.0, "ssim": 0.5}),
    Row("theirs", "b", {"psnr": 21.0}),
    Row("ours", "c", {"psnr": 26.0, "ssim": 0.7}),
]


def test_means_are_over_the_images_that_have_the_value() -> None:
    summary = summarise(["ours", "theirs"], ROWS, ["psnr", "ssim"], {})
    assert summary.images == {"ours": 3, "theirs": 2}
    assert summary.means["ours"]["psnr"] == bootstrap_mean(np.array([30.0, 20.0, 26.0]))
    assert summary.means["theirs"]["ssim"].mean == 0.8
    assert summary.means["theirs"]["ssim"].count == 1


def test_methods_are_compared_over_the_images_that_both_have() -> None:
    first, second = summarise(["ours", "theirs"], ROWS, ["psnr", "ssim"], {}, seed=1).comparisons
    assert (first.first, first.second, first.measure) == ("ours", "theirs", "psnr")
    expected = paired_difference(np.array([30.0, 20.0]), np.array([28.0, 21.0]), seed=1)
    assert first.difference == expected
    assert second.difference.estimate.count == 1
    assert second.difference.estimate.mean == pytest.approx(0.1)


def test_every_pair_of_methods_is_compared() -> None:
    rows = [Row(method, "a", {"psnr": 1.0}) for method in "abc"]
    pairs = [(c.first, c.second) for c in summarise("cab", rows, ["psnr"], {}).comparisons]
    assert pairs == [("c", "a"), ("c", "b"), ("a", "b")]


def test_method_without_a_row_is_there_with_none() -> None:
    summary = summarise(["ours", "none"], ROWS, ["psnr"], {})
    assert summary.images["none"] == 0
    assert summary.means["none"]["psnr"].count == 0
    assert summary.comparisons[0].difference.estimate.count == 0
