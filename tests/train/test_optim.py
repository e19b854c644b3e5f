from __future__ import annotations

import pytest
import torch
from torch import nn

from unfade.models.scratch import ScratchConfig, ScratchDetector
from unfade.train.optim import LeanAdamW, build_optimizer, rate_at, set_rate
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
        (1.0, 0.1),
        (1.0, 0.0),
        (0.4, 0.1),
        (0.4, 0.0),
    ]
    inside = {id(p) for p in net.encoder.parameters()}
    assert {id(p) for g in groups[2:] for p in g["params"]} == inside
    everything = [id(p) for g in groups for p in g["params"]]
    assert sorted(everything) == sorted(id(p) for p in net.parameters())


def test_all_parameters_share_their_groups_when_the_rates_are_alike_or_the_encoder_frozen() -> None:
    net = detector()
    groups = build_optimizer(net, LoopOptions()).param_groups
    assert [g["factor"] for g in groups] == [1.0, 1.0]
    matrices = [p for p in net.parameters() if p.ndim > 1]
    assert all(a is b for a, b in zip(groups[0]["params"], matrices, strict=True))
    net.encoder.requires_grad_(False)
    groups = build_optimizer(net, LoopOptions(encoder_rate=0.4)).param_groups
    assert [g["factor"] for g in groups] == [1.0, 1.0]


def test_set_rate_multiplies_by_the_factor_of_each_group() -> None:
    optimizer = build_optimizer(detector(), LoopOptions(encoder_rate=0.25))
    for rate in (4e-3, 0.0, 1e-3):  # factors do not add up from step to step
        set_rate(optimizer, rate)
        assert [g["lr"] for g in optimizer.param_groups] == [rate, rate, rate / 4, rate / 4]


def test_adamw_with_moments_in_bf16_learns_as_the_usual_one_does() -> None:
    torch.manual_seed(0)
    target, scale = torch.randn(40, 50), torch.logspace(-3, 1, 50)
    ends: list[torch.Tensor] = []
    for moments in ("fp32", "bf16"):
        net = nn.Linear(50, 40, bias=False)
        nn.init.zeros_(net.weight)
        optimizer = build_optimizer(net, LoopOptions(moments=moments, weight_decay=0.1))
        assert isinstance(optimizer, LeanAdamW) == (moments == "bf16")
        for step in range(200):
            set_rate(optimizer, 0.02 if step < 150 else 0.004)
            optimizer.zero_grad()
            noise = torch.randn(40, 50, generator=torch.Generator().manual_seed(step))
            ((net.weight - target + 0.3 * noise) * scale).square().sum().backward()
            optimizer.step()
        ends.append(net.weight.detach())
    assert optimizer.state[net.weight]["exp_avg_sq"].dtype == torch.bfloat16
    usual, lean = ((end - target).square().mean().sqrt() for end in ends)
    assert usual < 0.3 and abs(lean - usual) < 0.1 * usual
    assert (ends[0] - ends[1]).abs().mean() < 0.02
