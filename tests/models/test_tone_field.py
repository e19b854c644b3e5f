from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from unfade.models.tone import ToneConfig, ToneNet, correction
from unfade.models.tone_field import GRID, FieldNet, ToneField, cell_centres, spline

CONFIG = ToneConfig([8] * 4, 16, gate=0.5, field=[8] * 4)


def random_field(count: int = 1) -> ToneField:
    torch.manual_seed(0)
    return ToneField(0.3 * torch.randn(count, 6, GRID, GRID))


def test_spline_weights_sum_to_one_and_follow_a_line() -> None:
    where = torch.linspace(0, 1, 501)
    weights = spline(where)
    torch.testing.assert_close(weights.sum(1), torch.ones(501))
    line = (torch.arange(GRID) - 1) / (GRID - 3)  # a B-spline reproduces straight lines
    torch.testing.assert_close(weights @ line, where, rtol=0, atol=1e-5)


def test_field_undoes_uneven_fading() -> None:
    photo = torch.rand(1, 3, 40, 30)
    rows, columns = cell_centres(40), cell_centres(30)
    share = 0.5 * rows[:, None] * torch.ones(30)  # fades downwards, towards cream
    cream = torch.tensor([0.9, 0.8, 0.6])[None, :, None, None]
    faded = photo + share * (cream - photo)
    line = ((torch.arange(GRID) - 1) / (GRID - 3))[:, None].expand(GRID, GRID)
    gain = -torch.log1p(-0.5 * line)
    grid = torch.cat([gain.expand(3, -1, -1), cream[0] * 0.5 * line], 0)[None]  # (1, 6, 16, 16)
    out = ToneField(grid).apply(faded, rows, columns)
    assert (out - photo).square().mean() < 1e-4 < 0.01 < (faded - photo).square().mean()


def test_part_of_a_photo_gets_what_the_whole_gets() -> None:
    photo, field = torch.rand(1, 3, 97, 61), random_field()
    rows, columns = cell_centres(97), cell_centres(61)
    whole = field.apply(photo, rows, columns)
    part = field.apply(photo[..., 30:50, 7:33], rows[30:50], columns[7:33])
    torch.testing.assert_close(part, whole[..., 30:50, 7:33], rtol=0, atol=1e-6)


def test_neutral_field_keeps_gray_gray_and_leaves_other_photos() -> None:
    field = random_field(2)
    gray = torch.rand(2, 1, 64, 64).expand(-1, 3, -1, -1)
    where = cell_centres(64)
    out = field.neutral(torch.tensor([1.0, 0.0])).apply(gray, where, where)
    torch.testing.assert_close(out[0, 0], out[0, 2])
    torch.testing.assert_close(out[1:], ToneField(field.grid[1:]).apply(gray[1:], where, where))


def net_that_says(uneven: float) -> ToneNet:
    """Even correction: none. Uneven: the offset 0.1 everywhere, with this logit."""
    torch.manual_seed(0)
    net = ToneNet(CONFIG).eval().requires_grad_(False)
    assert isinstance(net.field, FieldNet)
    for last, bias in ((net.head[-1], -9.0), (net.field.sure, uneven), (net.field.out, 0.0)):
        assert isinstance(last, nn.Linear | nn.Conv2d) and last.bias is not None
        nn.init.zeros_(last.weight)
        last.bias.fill_(bias)
    bias = net.field.out.bias
    assert bias is not None
    bias[3:] = 0.8109  # 0.5 tanh(0.25 x) = 0.1
    return net


def colourful() -> Tensor:
    torch.manual_seed(0)
    return nn.functional.interpolate(torch.rand(1, 3, 6, 6), (64, 64), mode="bilinear")


@pytest.mark.parametrize("logit", [-3.0, 0.85, 3.0])
def test_uneven_correction_is_applied_as_far_as_it_is_sure(logit: float) -> None:
    found = correction(net_that_says(logit), colourful())
    share = min(1.0, max(0.0, (torch.tensor(logit).sigmoid().item() - 0.5) / 0.3))
    if share == 0:
        assert found is None
        return
    assert found is not None and found.levels is None and found.field is not None
    where = cell_centres(64)
    out = found.apply(colourful(), where, where)
    expected = (colourful() - 0.1 * share).clamp(0, 1)
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-3)
