"""Aggregates of rows that are made up: means, differences, distances."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unfade.bench.aggregate import Aggregate
from unfade.bench.cases import Case
from unfade.bench.grids import means_grid, pairs_grid
from unfade.bench.run import Run
from unfade.eval.images import Protocol
from unfade.eval.rows import Row
from unfade.eval.statistics import Estimate, bootstrap_mean, paired_difference

ROWS = [
    Row("ours", "a", {"psnr": 30.0, "ssim": 0.9}),
    Row("theirs", "a", {"psnr": 28.0, "ssim": 0.8}),
    Row("ours", "b", {"psnr": 20.0, "ssim": 0.5}),
    Row("theirs", "b", {"psnr": 21.0}),
    Row("ours", "c", {"psnr": float("inf"), "ssim": 0.7}),
]
CASE = Case("", "", "", Path(), None)


@pytest.fixture
def aggregate() -> Aggregate:
    run = Run(Path(), [CASE], ["ours", "theirs", "none"], ["psnr", "ssim"], Protocol(), ROWS)
    nan = float("nan")
    run.distances["", CASE.name, "theirs"] = {"patch-fd": Estimate(1.5, nan, nan, 1)}
    return Aggregate(run, "", seed=1)


def test_means_are_over_the_images_that_have_the_value(aggregate: Aggregate) -> None:
    assert [aggregate.count([CASE], m) for m in ("ours", "theirs", "none")] == [3, 2, 0]
    assert aggregate.estimate([CASE], "theirs", "psnr") == bootstrap_mean(
        np.array([28.0, 21.0]), seed=1
    )
    ssim = aggregate.estimate([CASE], "theirs", "ssim")
    assert (ssim.mean, ssim.count) == (0.8, 1)
    assert aggregate.estimate([CASE], "none", "psnr").count == 0


def test_methods_are_compared_over_the_images_that_both_have(aggregate: Aggregate) -> None:
    expected = paired_difference(np.array([30.0, 20.0]), np.array([28.0, 21.0]), seed=1)
    assert aggregate.difference([CASE], "ours", "theirs", "psnr") == expected
    ssim = aggregate.difference([CASE], "ours", "theirs", "ssim").estimate
    assert ssim.count == 1 and ssim.mean == pytest.approx(0.1)
    assert aggregate.difference([CASE], "ours", "none", "psnr").estimate.count == 0


def test_a_grid_of_means_has_a_row_for_each_method(aggregate: Aggregate) -> None:
    grid = means_grid(aggregate, "T", by_case=False)
    assert grid.columns == ["method", "images", "PSNR (dB) ↑", "SSIM ↑", "Patch Fréchet ↓"]
    assert [cell.text for cell in grid.rows[0]][2:] == ["inf", "0.7000 [0.5000, 0.9000]", "–"]
    assert [cell.text for cell in grid.rows[1]][3:] == [
        "0.8000 (1 of 2 images)",
        "1.500 (1 of 2 images)",
    ]
    assert [cell.text for cell in grid.rows[2]] == ["none", "0", "–", "–", "–"]


def test_every_pair_of_methods_with_shared_images_is_compared(aggregate: Aggregate) -> None:
    (grid,) = pairs_grid(aggregate)
    assert [[cell.text for cell in row[:4]] for row in grid.rows] == [
        ["ours", "theirs", "PSNR (dB)", "2"],
        ["ours", "theirs", "SSIM", "1"],
    ]
