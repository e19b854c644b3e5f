from __future__ import annotations

import torch
from torch.nn import functional as F

from unfade.pipeline.chroma import ChromaMap
from unfade.pipeline.colour import to_lab, with_chroma

RED, BLUE = (45.0, 30.0), (10.0, -40.0)


def two_halves(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A gray picture (1, 3, H, W), dark on the left, and its colours a, b (2, H, W)."""
    right = (torch.arange(width) >= width // 2).float().expand(height, width)
    gray = (0.3 + 0.4 * right).expand(1, 3, -1, -1)
    chroma = torch.stack([torch.where(right > 0, BLUE[i], RED[i]) for i in (0, 1)])
    return gray, chroma


def test_chroma_changes_where_the_luminance_of_the_large_picture_does() -> None:
    gray, chroma = two_halves(96, 200)
    small = F.interpolate(gray, size=(24, 50), mode="area")
    blurred = F.avg_pool2d(F.interpolate(chroma[None], size=(24, 50), mode="area"), 3, 1, 1,
                           count_include_pad=False)  # fmt: skip
    out = ChromaMap(blurred[0], to_lab(small)[0, 0]).rows(gray, slice(0, 96), 96)
    plain = F.interpolate(blurred, size=(96, 200), mode="bilinear")
    near = slice(94, 106)  # where the halves meet
    assert (out[0] - chroma)[..., near].abs().mean() < 8
    assert (plain[0] - chroma)[..., near].abs().mean() > 12
    step = out[0, :, 48, 99:101].diff().abs()[:, 0]
    assert (step > 0.5 * (chroma[:, 48, 100] - chroma[:, 48, 99]).abs()).all()


def test_rows_come_out_the_same_in_any_bands() -> None:
    torch.manual_seed(0)
    large = torch.rand(1, 3, 50, 37)
    found = ChromaMap(30 * torch.randn(2, 11, 9), 100 * torch.rand(11, 9))
    whole = found.rows(large, slice(0, 50), 50)
    bands = [found.rows(large[..., i : i + 20, :], slice(i, min(i + 20, 50)), 50)
             for i in (0, 20, 40)]  # fmt: skip
    torch.testing.assert_close(torch.cat(bands, 2), whole)


def test_flat_picture_takes_the_mean_colour() -> None:
    gray = torch.full((1, 3, 20, 30), 0.5)
    chroma = torch.stack([torch.full((5, 7), v) for v in RED])
    out = ChromaMap(chroma, torch.full((5, 7), 53.4)).rows(gray, slice(0, 20), 20)
    expected = torch.tensor(RED).view(1, 2, 1, 1).expand_as(out)
    torch.testing.assert_close(out, expected, atol=1e-3, rtol=0)
    assert with_chroma(out, gray).shape == (1, 3, 20, 30)


def test_unsure_chroma_gives_way_to_what_is_sure_on_the_same_object() -> None:
    gray, chroma = two_halves(40, 40)
    light = to_lab(gray)[0, 0]
    wrong = chroma.clone()
    wrong[:, 10:13, 8:11] = 0
    weight = torch.ones(40, 40)
    weight[10:13, 8:11] = 0.02
    out = ChromaMap(wrong, light, weight, radius=3).rows(gray, slice(0, 40), 40)[0]
    red = torch.tensor(RED)
    torch.testing.assert_close(out[:, 11, 9], red, atol=3, rtol=0)
    torch.testing.assert_close(out[:, 30, 9], red, atol=0.5, rtol=0)


def test_sure_chroma_keeps_what_luminance_does_not_tell() -> None:
    gray = torch.full((1, 3, 40, 40), 0.5)
    chroma = torch.zeros(2, 40, 40)
    chroma[0, :, 20:] = 40  # two objects of one lightness
    light = to_lab(gray)[0, 0]
    sure = ChromaMap(chroma, light, torch.ones(40, 40), radius=3).rows(gray, slice(0, 40), 40)[0]
    plain = ChromaMap(chroma, light, radius=3).rows(gray, slice(0, 40), 40)[0]
    assert (sure - chroma).abs().max() < 1 < 15 < (plain - chroma).abs().max()
