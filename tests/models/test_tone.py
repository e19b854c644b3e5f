from __future__ import annotations

import numpy as np
import pytest
import torch

from unfade.degrade.tone import Tone
from unfade.models.tensors import from_array
from unfade.models.tone import MONOCHROME, Levels, ToneConfig, ToneNet, colour_residual, correction


def thumbnails(count: int = 4) -> torch.Tensor:
    """Colourful thumbnails: smooth fields, each channel its own; (N, 3, 64, 64)."""
    torch.manual_seed(0)
    coarse = torch.rand(count, 3, 6, 6)
    return torch.nn.functional.interpolate(coarse, (64, 64), mode="bilinear")


def test_tone_net_changes_nothing_when_untrained() -> None:
    torch.manual_seed(0)
    net = ToneNet(ToneConfig()).eval()
    with torch.no_grad():
        levels, faded = net(thumbnails())
    assert levels.low.shape == levels.high.shape == levels.gamma.shape == (4, 3)
    assert levels.saturation.shape == (4, 1) and faded.shape == (4,)
    for value, expected in (
        (levels.low, 0.0),
        (levels.high, 1.0),
        (levels.gamma, 1.0),
        (levels.saturation, 1.0),
    ):
        assert (value - expected).abs().max() < 0.02
    assert (levels.apply(thumbnails()) - thumbnails()).abs().max() < 0.03


def test_tone_net_gives_usable_levels_whatever_its_head_says() -> None:
    torch.manual_seed(0)
    net = ToneNet(ToneConfig([8, 8, 8, 8], 16)).eval()
    last = net.head[-1]
    assert isinstance(last, torch.nn.Linear)
    torch.nn.init.normal_(last.weight, std=30.0)
    with torch.no_grad():
        levels, _ = net(thumbnails(16))
        out = levels.apply(thumbnails(16))
    assert (levels.high - levels.low >= 0.149).all() and (levels.gamma > 0.3).all()
    assert torch.isfinite(out).all() and out.min() >= 0 and out.max() <= 1


@pytest.mark.parametrize(
    "tone",
    [
        Tone((1.0, 1.0, 1.0), (0.1, 0.1, 0.1), (0.8, 0.8, 0.8), 1.0),
        Tone((0.7, 1.0, 1.4), (0.2, 0.1, 0.05), (0.95, 0.8, 0.6), 1.0),
        Tone((1.2, 0.9, 1.0), (0.0, 0.1, 0.0), (0.9, 1.0, 0.7), 0.6),
    ],
)
def test_levels_undo_a_known_change_of_tone(tone: Tone) -> None:
    clean = thumbnails(1) * 0.7 + 0.15
    image = np.ascontiguousarray(clean[0].permute(1, 2, 0).numpy())
    faded = from_array(tone.apply(image)).permute(2, 0, 1)[None]
    levels = Levels(
        torch.tensor([tone.floor]),
        torch.tensor([tone.ceiling]),
        1 / torch.tensor([tone.gamma]),
        torch.tensor([[1 / tone.saturation]]),
    )
    torch.testing.assert_close(levels.apply(faded), clean, rtol=0, atol=2e-3)


def test_colour_residual_tells_a_tint_from_colours() -> None:
    colour = thumbnails()
    gray = colour.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    r, g, b = gray.unbind(1)
    sepia = torch.stack([0.1 + 0.9 * r**0.85, 0.04 + 0.9 * g, 0.02 + 0.65 * b**1.2], 1)
    noisy = (sepia + 0.004 * torch.randn_like(sepia)).clamp(0, 1)
    assert colour_residual(gray).max() < 1e-3
    assert colour_residual(sepia).max() < 0.5 * MONOCHROME[0]
    assert colour_residual(noisy).max() < MONOCHROME[0]
    assert colour_residual(colour).min() > 2 * MONOCHROME[1]


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_colour_residual_is_zero_when_the_photo_is_flat(value: float) -> None:
    assert colour_residual(torch.full((1, 3, 64, 64), value)).item() == pytest.approx(0, abs=1e-3)


def gated(bias: float) -> ToneNet:
    torch.manual_seed(0)
    net = ToneNet(ToneConfig([8, 8, 8, 8], 16, gate=0.5)).eval().requires_grad_(False)
    last = net.head[-1]
    assert isinstance(last, torch.nn.Linear)
    last.bias[10] = bias
    last.bias[9] = -1.0  # wants less saturation
    return net


def test_correction_is_none_without_fading_and_leaves_colours_their_saturation() -> None:
    assert correction(gated(-5.0), thumbnails(1)) is None
    levels = correction(gated(5.0), thumbnails(1))
    assert levels is not None and levels.saturation.item() == 1.0


def test_correction_makes_a_monochrome_neutral() -> None:
    sepia = thumbnails(1).mean(1, keepdim=True) * torch.tensor([1.0, 0.9, 0.7])[None, :, None, None]
    levels = correction(gated(5.0), sepia)
    assert levels is not None and levels.saturation.item() == 0.0
    out = levels.apply(sepia)
    torch.testing.assert_close(out[:, 0], out[:, 2])
