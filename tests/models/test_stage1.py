from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from unfade.models.stage1 import (
    BANDS,
    CELL,
    Stage1Config,
    Stage1Net,
    detail_bands,
    push_pull,
    split,
    statistics,
)


def tiny(*, gate: bool = False) -> Stage1Net:
    torch.manual_seed(0)
    net = Stage1Net(Stage1Config([8, 8, 8, 8], [1, 1, 1, 1], gate=gate)).eval()
    nn.init.normal_(net.net.leave.weight, std=0.1)
    return net


def test_stage1_net_only_fills_when_untrained() -> None:
    x, mask = torch.rand(1, 3, 32, 48), torch.zeros(1, 1, 32, 48)
    mask[..., 4:9, 20:30] = 1
    with torch.no_grad():
        out = Stage1Net(Stage1Config([8, 8, 8, 8], [1, 1, 1, 1]))(x, mask)
    assert torch.equal(out, push_pull(x, mask))


def test_stage1_net_changes_the_photo_when_its_gains_do() -> None:
    x, mask = torch.rand(1, 3, 32, 48), torch.zeros(1, 1, 32, 48)
    net = tiny()
    assert net.net.leave.bias is not None
    nn.init.zeros_(net.net.leave.weight)
    net.net.leave.bias.data[4 * 3 :] = -1.0  # every band is taken away
    with torch.no_grad():
        rest = x - torch.stack(detail_bands(x)).sum(0)
        torch.testing.assert_close(net(x, mask), rest)


@pytest.mark.parametrize(("answer", "then"), [(0.0, 0.4), (-1.0, 1.0)])
def test_gate_takes_away_what_is_erased_in_part(answer: float, then: float) -> None:
    x, mask = torch.rand(1, 3, 32, 48), torch.zeros(1, 1, 32, 48)
    mask[..., 4:9, 20:30] = 0.4
    net = tiny(gate=True)
    assert net.net.leave.bias is not None
    nn.init.zeros_(net.net.leave.weight)
    net.net.leave.bias.data[-4:] = answer
    with torch.no_grad():
        torch.testing.assert_close(net(x, mask), push_pull(x, torch.where(mask > 0, then, 0.0)))


def test_statistics_tell_grain_from_blur_and_ignore_damage() -> None:
    torch.manual_seed(0)
    grain = 0.5 + 0.05 * torch.randn(1, 3, 96, 96)
    blur = F.avg_pool2d(grain, 9, 1, 4, count_include_pad=False)
    none = torch.zeros(1, 1, 96, 96)

    def strength(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return statistics(split(detail_bands(x)), mask)

    a, b = strength(grain, none), strength(blur, none)
    assert a.shape == (1, 6 * BANDS, 96 // CELL, 96 // CELL)
    assert (a[:, 0] - b[:, 0]).min() > 1  # the finest band's luma
    mask = none.clone()
    mask[..., 20:24, :] = 1
    damaged = torch.where(mask > 0, 1.0, grain)
    torch.testing.assert_close(strength(push_pull(damaged, mask), mask), a, rtol=0, atol=0.5)


def test_detail_bands_are_coarser_one_by_one_and_empty_where_all_is_flat() -> None:
    x = torch.rand(1, 3, 64, 64)
    steps = [float((b[..., 1:] - b[..., :-1]).std() / b.std()) for b in detail_bands(x)]
    assert steps == sorted(steps, reverse=True)
    for band in detail_bands(torch.full((1, 3, 17, 5), 0.3)):
        torch.testing.assert_close(band, torch.zeros(1, 3, 17, 5))


@pytest.mark.parametrize("gate", [False, True])
def test_stage1_net_never_sees_what_is_masked(gate: bool) -> None:
    x, mask = torch.rand(1, 3, 32, 32), torch.zeros(1, 1, 32, 32)
    mask[..., 10:20, 5:9] = 1
    other = torch.where(mask > 0, torch.rand(1, 3, 32, 32), x)
    with torch.no_grad():
        assert torch.equal(tiny(gate=gate)(x, mask), tiny(gate=gate)(other, mask))


@pytest.mark.parametrize("size", [(32, 32), (48, 80), (1, 1), (1, 37), (17, 5)])
def test_push_pull_keeps_sound_pixels_and_hides_the_others(size: tuple[int, int]) -> None:
    torch.manual_seed(1)
    x = torch.rand(2, 3, *size)
    mask = (torch.rand(2, 1, *size) > 0.5).float()
    out = push_pull(x, mask)
    sound = (mask == 0).expand_as(x)
    assert out.shape == x.shape and torch.isfinite(out).all()
    torch.testing.assert_close(out[sound], x[sound])
    assert torch.equal(push_pull(torch.where(sound, x, torch.rand_like(x)), mask), out)
    assert out.min() >= -1e-5 and out.max() <= 1 + 1e-5


def test_push_pull_continues_flat_pictures_and_slopes() -> None:
    x = torch.full((1, 3, 48, 64), 0.3)
    mask = torch.zeros(1, 1, 48, 64)
    mask[..., 5:40, 10:60] = 1
    torch.testing.assert_close(push_pull(x, mask), x, rtol=0, atol=1e-5)
    ramp = torch.linspace(0, 1, 128).expand(1, 3, 144, 128).contiguous()
    mask = torch.zeros(1, 1, 144, 128)
    mask[..., 60:84, 20:24] = 1
    mask[..., 100:103, :] = 1
    assert (push_pull(ramp, mask) - ramp).abs().max() < 0.04
    out = push_pull(torch.rand(1, 3, 16, 16), torch.ones(1, 1, 16, 16))
    torch.testing.assert_close(out, torch.full_like(out, 0.5))


@pytest.mark.parametrize("start", [16, 48, 80])
def test_push_pull_fills_a_crack_alike_in_a_tile(start: int) -> None:
    torch.manual_seed(2)
    x = torch.rand(1, 3, 208, 208)
    mask = torch.zeros(1, 1, 208, 208)
    mask[..., 100:106, :] = 1  # a crack across the photo
    mask[..., 60:150, 120:128] = 1
    whole = push_pull(x, mask)
    part = push_pull(x[..., start:, start:], mask[..., start:, start:])
    difference = (whole[..., start:, start:] - part).abs()[..., 16:, 16:]
    assert difference.max() < 2e-3
