from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from unfade.models.stage1 import push_pull
from unfade.train.stage1 import imperfect, mending_loss

MakeTask = Callable[..., Any]


def test_mending_loss_is_least_when_the_photo_is_mended() -> None:
    torch.manual_seed(0)
    target, mask = torch.rand(2, 3, 16, 16), (torch.rand(2, 1, 16, 16) > 0.8).float()
    same = mending_loss(target, target, mask)
    near = mending_loss(target + 0.05 * torch.randn_like(target), target, mask)
    far = mending_loss(target + 0.2 * torch.randn_like(target), target, mask)
    assert same < near < far


def test_mending_loss_keeps_holes_from_drowning_the_rest() -> None:
    target, damage = torch.full((1, 3, 16, 16), 0.5), torch.zeros(1, 1, 16, 16)
    damage[..., :8] = 1
    grain = 0.05 * (1 - damage)
    without = mending_loss(target, target, damage) - mending_loss(target + grain, target, damage)
    hole = target + 0.4 * damage
    beside = mending_loss(hole, target, damage) - mending_loss(hole + grain, target, damage)
    assert float(without) < 0 and float(beside / without) == pytest.approx(1, rel=0.05)


def test_mending_loss_gives_a_small_error_the_say_of_a_large_one() -> None:
    target, mask = torch.full((2, 3, 16, 16), 0.5), torch.zeros(2, 1, 16, 16)
    errors = torch.tensor([0.02, 0.2])[:, None, None, None]
    base = mending_loss(target + errors, target, mask)
    gains = [
        base - mending_loss(target + errors * torch.tensor(half)[:, None, None, None], target, mask)
        for half in ([0.5, 1.0], [1.0, 0.5])
    ]
    assert 0.2 < float(gains[0] / gains[1]) < 1.0


def test_mending_loss_is_symmetric_in_sign_and_order() -> None:
    torch.manual_seed(0)
    a, b, mask = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8), torch.zeros(1, 1, 8, 8)
    torch.testing.assert_close(mending_loss(a, b, mask), mending_loss(b, a, mask))


@pytest.mark.parametrize("size", [(64, 64), (16, 16), (1, 1), (1, 40)])
def test_imperfect_masks_are_binary_and_pure(size: tuple[int, int]) -> None:
    mask = (np.random.default_rng(0).random(size) > 0.9).astype(np.float32)
    kept = mask.copy()
    for seed in range(40):
        out = imperfect(mask, np.random.default_rng(seed))
        assert out.shape == size and out.dtype == np.float32
        assert set(np.unique(out)) <= {0.0, 1.0}
        np.testing.assert_array_equal(out, imperfect(mask, np.random.default_rng(seed)))
    np.testing.assert_array_equal(mask, kept)


def test_imperfect_masks_mostly_hold_the_true_one() -> None:
    mask = np.zeros((64, 64), np.float32)
    mask[20:24, 5:60] = 1
    found = [imperfect(mask, np.random.default_rng(seed)) for seed in range(200)]
    recall = np.array([(out * mask).sum() / mask.sum() for out in found])
    assert 0.8 < recall.mean() < 0.99
    assert 0.02 < (recall == 0).mean() < 0.16
    assert (recall == 1).mean() > 0.4


def test_sample_keeps_the_tone_in_its_target(make_task: MakeTask) -> None:
    task = make_task("stage1")
    for number in range(10):
        sample = task.sample(number)
        assert sample["lq"].shape == sample["hq"].shape == (3, 32, 32)
        assert sample["mask"].shape == (1, 32, 32)
        means = (sample["lq"] - sample["hq"]).mean((1, 2)).abs()
        if sample["mask"].mean() < 0.02:
            assert means.max() < 0.12


def test_loss_reports_the_gain_over_the_fill(make_task: MakeTask) -> None:
    task = make_task("stage1")
    batch = {k: v[None] for k, v in task.sample(1).items()}

    class Idle(torch.nn.Module):
        def forward(self, lq: torch.Tensor, mask: torch.Tensor, *, local: bool) -> torch.Tensor:
            return push_pull(lq, mask)

    figures = task.loss(Idle(), batch)[1]
    assert figures == pytest.approx({"sound_db": 0, "holes_db": 0}, abs=1e-4)
