from __future__ import annotations

import pytest
from torch import nn

from unfade.models.scratch import ScratchConfig, ScratchDetector
from unfade.train.optim import build_optimizer, rate_at, set_rate
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


def detector() -> ScratchDetector:
    return ScratchDetector(ScratchConfig(2, 4, [4, 4], [1, 1]))


def test_the_encoder_has_groups_of_its_own_when_its_rate_is_another() -> None:
    net = detector()
    optimizer = build_optimizer(net, LoopOptions(encoder_rate=0.4, weight_decay=0.1))
    groups = optimizer.param_groups
    assert [(g["factor"], g["weight_decay"]) for g in groups] == [
        (1.0, 0.1), (1.0, 0.0), (0.4, 0.1), (0.4, 0.0)
    ]  # fmt: skip
    inside = {id(p) for p in net.encoder.parameters()}
    assert {id(p) for g in groups[2:] for p in g["params"]} == inside
    everything = [id(p) for g in groups for p in g["params"]]
    assert sorted(everything) == sorted(id(p) for p in net.parameters())


def test_all_parameters_share_their_groups_when_the_rates_are_alike() -> None:
    net = detector()
    groups = build_optimizer(net, LoopOptions()).param_groups
    assert [g["factor"] for g in groups] == [1.0, 1.0]
    matrices = [p for p in net.parameters() if p.ndim > 1]
    assert all(a is b for a, b in zip(groups[0]["params"], matrices, strict=True))


def test_a_frozen_encoder_has_no_group() -> None:
    net = detector()
    net.encoder.requires_grad_(False)
    groups = build_optimizer(net, LoopOptions(encoder_rate=0.4)).param_groups
    assert [g["factor"] for g in groups] == [1.0, 1.0]


def test_set_rate_multiplies_by_the_factor_of_each_group() -> None:
    optimizer = build_optimizer(detector(), LoopOptions(encoder_rate=0.25))
    for rate in (4e-3, 0.0, 1e-3):  # factors do not add up from step to step
        set_rate(optimizer, rate)
        assert [g["lr"] for g in optimizer.param_groups] == [rate, rate, rate / 4, rate / 4]
