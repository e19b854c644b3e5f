from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from unfade.models.checkpoint import load_model, save_model
from unfade.models.colouriser import (
    Colouriser,
    ColouriserConfig,
    annealed_mean,
    bin_centres,
    certainty,
    chroma_spread,
    padded,
    pooled_region_colours,
    prompt_share,
    restraint,
    soft_bins,
)

TINY = ColouriserConfig(
    widths=[8, 8, 16], heads=2, text_width=8, text_layers=1, length=6, words=["red", "dress"]
)
CENTRES = torch.tensor(bin_centres())


def make(config: ColouriserConfig = TINY) -> Colouriser:
    torch.manual_seed(0)
    return Colouriser(config).eval()


def run(
    net: Colouriser, light: torch.Tensor, region_colours: torch.Tensor, *prompts: str
) -> torch.Tensor:
    tokens = torch.stack([padded(net.encode(p), net.config.length) for p in prompts])
    with torch.no_grad():
        return net(light, region_colours, tokens)


def peaked(chroma: tuple[float, float]) -> torch.Tensor:
    """Logits of a 2 x 2 map that are sure of one chroma."""
    target = torch.tensor(chroma)[None, :, None, None].expand(1, 2, 2, 2)
    return (soft_bins(target, CENTRES) + 1e-9).log()


def test_bins_hold_every_colour_of_srgb() -> None:
    assert CENTRES.shape == (260, 2) and torch.equal(CENTRES, 10 * (CENTRES / 10).round())
    assert (CENTRES == 0).all(1).any()
    import cv2

    rgb = np.random.default_rng(0).random((1, 500, 3)).astype(np.float32)
    chroma = torch.tensor(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)[0, :, 1:])
    assert torch.cdist(chroma, CENTRES).min(1).values.max() < 7.1


def test_words_hints_and_padding_do_what_they_should() -> None:
    net = make()
    light, none = torch.rand(1, 1, 64, 64), torch.zeros(1, 3, 64, 64)
    painted = none.clone()
    painted[:, :, 40:60, 40:60] = torch.tensor([50.0, 30.0, 1.0])[:, None, None]
    plain = run(net, light, none, "")
    assert not torch.allclose(run(net, light, none, "red"), plain)
    assert not torch.allclose(
        run(net, light, none, "red dress"), run(net, light, none, "dress red")
    )
    assert not torch.allclose(run(net, light, painted, ""), plain)
    both = run(net, light.expand(2, -1, -1, -1), none.expand(2, -1, -1, -1), "", "red dress")
    torch.testing.assert_close(both[:1], plain, atol=1e-4, rtol=1e-4)  # alone as in a batch


def test_pooled_hints_are_the_mean_of_what_is_painted() -> None:
    region_colours = torch.zeros(1, 3, 8, 8)
    region_colours[0, :, 0, 0] = torch.tensor([55.0, -11.0, 1.0])
    region_colours[0, :, 4:, 4:] = torch.tensor([22.0, 0.0, 1.0])[:, None, None]
    out = pooled_region_colours(region_colours, (2, 2))
    torch.testing.assert_close(out[0, :, 0, 0], torch.tensor([0.5, -0.1, 1.0]) * 0.25)
    torch.testing.assert_close(out[0, :, 1, 1], torch.tensor([0.2, 0.0, 1.0]))
    assert not out[0, :, 0, 1].any()


def test_soft_bins_keep_the_chroma() -> None:
    torch.manual_seed(0)
    chroma = 60 * torch.rand(2, 2, 3, 4) - 30
    shares = soft_bins(chroma, CENTRES)
    assert shares.shape == (2, 260, 3, 4)
    torch.testing.assert_close(shares.sum(1), torch.ones(2, 3, 4))
    mean = torch.einsum("nqhw,qc->nchw", shares, CENTRES)
    assert (mean - chroma).abs().max() < 1.0
    nearest = CENTRES[shares.argmax(1)].permute(0, 3, 1, 2)
    assert (nearest - chroma).norm(dim=1).max() < 7.1


def test_annealed_mean_lies_between_mean_and_mode() -> None:
    p = torch.full((260,), 1e-9)
    red, blue = ((CENTRES - torch.tensor(c)).norm(dim=1).argmin() for c in ((60.0, 40), (0, -50)))
    p[red], p[blue] = 0.6, 0.4
    logits = p.log()[None, :, None, None]
    mean, cold = (annealed_mean(logits, CENTRES, t)[0, :, 0, 0] for t in (1.0, 0.05))
    torch.testing.assert_close(mean, torch.tensor([36.0, 4.0]), atol=0.1, rtol=0)
    torch.testing.assert_close(cold, torch.tensor([60.0, 40.0]), atol=0.1, rtol=0)


def test_certainty_is_high_where_the_colours_agree() -> None:
    sure, gray = peaked((40.0, -40.0)), peaked((0.0, 0.0))
    split = (0.5 * sure.exp() + 0.5 * peaked((-40.0, 40.0)).exp()).log()
    values = [float(certainty(x, CENTRES).mean()) for x in (sure, gray, split)]
    assert values[0] > 0.95 and values[1] > 0.65 and values[2] < 0.25
    spreads = [float(chroma_spread(x, CENTRES).mean()) for x in (sure, gray, split)]
    assert spreads[0] < 10 and spreads[1] < 10 and spreads[2] == pytest.approx(57, abs=3)


def test_unsure_cells_keep_less_chroma() -> None:
    centres = torch.tensor(bin_centres())
    wanted = torch.tensor([[20.0, -50.0], [-10.0, 50.0]])
    blue, yellow = (int((centres - c).norm(dim=1).argmin()) for c in wanted)
    logits = torch.zeros(1, len(centres), 4, 40)
    logits[:, blue] = 20
    logits[:, yellow, :, 20:] = 20  # to the right, blue and yellow are as likely
    share = restraint(logits, centres, 0.55, 0.8)
    assert share.shape == (1, 1, 4, 40) and float(share[..., :14].min()) == 1
    assert float(share[..., 26:].max()) < 0.3
    steps = share[0, 0, 0].diff()
    assert float(steps.max()) <= 1e-6  # it falls without an edge
    assert float(steps.abs().max()) < 0.15


def test_a_prompt_acts_where_it_changes_most() -> None:
    torch.manual_seed(0)
    null = torch.randn(2, 260, 8, 60)
    prompted = null + 0.2 * torch.randn_like(null)
    prompted[:, 7, :, 40:] += 9  # what the prompt names
    share = prompt_share(prompted, null, 0.8)
    assert float(share[..., 50:].min()) > 0.9 and float(share[..., :30].max()) < 0.05
    alone = torch.cat(
        [prompt_share(p[None], n[None], 0.8) for p, n in zip(prompted, null, strict=True)]
    )
    torch.testing.assert_close(share, alone)


def test_the_prior_is_where_training_starts_and_what_weights_come_from() -> None:
    net = make()
    shares = torch.ones(260)
    shares[0] = 1000
    net.set_prior(shares)
    out = run(net, torch.rand(1, 1, 64, 64), torch.zeros(1, 3, 64, 64), "")
    assert (out.argmax(1) == 0).all()
    prior = shares / shares.sum()
    torch.testing.assert_close(net.bin_weights(0.0), torch.ones(260))
    for exponent in (0.5, 1.0):
        weights = net.bin_weights(exponent)
        assert float((weights * prior).sum()) == pytest.approx(1, abs=1e-3)
        assert weights[0] < 0.9 and weights[1] > 1
    assert net.bin_weights(1.0)[1] > net.bin_weights(0.5)[1]


def test_shipped_shape_fits_its_budget_and_comes_back(tmp_path: Path) -> None:
    words = [f"word{i}" for i in range(2500)]
    full = Colouriser(ColouriserConfig(words=words))
    assert 2 * sum(t.numel() for t in full.state_dict().values()) < 8_000_000
    net = make(replace(TINY, side=96))
    save_model(tmp_path / "colour.safetensors", net)
    again = load_model(tmp_path / "colour.safetensors", Colouriser)
    assert again.config == net.config
    light, region_colours = torch.rand(1, 1, 32, 32), torch.zeros(1, 3, 32, 32)
    a, b = run(net, light, region_colours, "red"), run(again, light, region_colours, "red")
    assert F.cosine_similarity(a.flatten(), b.flatten(), 0) > 0.999
    assert "centres" not in again.state_dict() and "log_prior" in again.state_dict()
