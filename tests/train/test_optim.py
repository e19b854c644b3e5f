from __future__ import annotations

import pytest
from torch import nn

from unfade.train.optim import build_optimizer, rate_at
from unfade.train.options import LoopOptions


def test_rate_stays_at_its_peak_when_it_is_constant() -> None:
    options = LoopOptions(steps=100, warmup=10, rate=2e-3, schedule="constant")
    assert rate_at(0, options) == pytest.approx(2e-4)
    assert {rate_at(step, options) for step in range(9, 200)} == {2e-3}


def test_optimizer_holds_what_is_trainable_and_decays_matrices_alone() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    net[2].requires_grad_(False)
    matrices, rest = build_optimizer(net, LoopOptions(weight_decay=0.1)).param_groups
    assert [tuple(p.shape) for p in matrices["params"]] == [(3, 2)]
    assert len(rest["params"]) == 3
    assert (matrices["weight_decay"], rest["weight_decay"]) == (0.1, 0.0)
