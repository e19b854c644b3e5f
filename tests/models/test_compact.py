from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from unfade.errors import UsageError
from unfade.models.cfw import build_cfw
from unfade.models.compact import (
    TextConfig,
    UnetConfig,
    VaeConfig,
    build_controlnet,
    build_scheduler,
    build_text_encoder,
    build_unet,
    build_vae,
)
from unfade.models.patches import fold, unfold


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_all_parts_fit_each_other_and_the_budget() -> None:
    vae, unet = build_vae(VaeConfig()), build_unet(UnetConfig())
    text = build_text_encoder(TextConfig(), 1500)
    controlnet = build_controlnet(unet, mask=True)
    total = sum(count(m) for m in (vae, unet, text, controlnet, build_cfw(vae)))
    assert total <= 18_000_000
    assert 0.8e6 < count(text) < 1.2e6 and count(controlnet) < count(unet) / 2
    text: Any = build_text_encoder(TextConfig(), 50)
    with torch.no_grad():
        latent: Any = vae.encode(fold(vae, torch.rand(1, 3, 64, 96)))
        words = text(torch.zeros(1, TextConfig().length, dtype=torch.long)).last_hidden_state
        z = latent.latent_dist.mean
        out: Any = unet(z, 5, words)
        back: Any = vae.decode(z)
    assert z.shape == out.sample.shape == (1, 16, 8, 12)
    assert unfold(vae, back.sample).shape == (1, 3, 64, 96)


@pytest.mark.parametrize(
    ("space", "mask", "channels", "widths"),
    [
        ("pixel", False, 3, 4), ("pixel", True, 4, 4), ("latent", False, 4, 1),
        ("latent", True, 5, 1),
    ],
)  # fmt: skip
def test_controlnet_starts_as_the_unets_encoder(
    space: Any, mask: bool, channels: int, widths: int
) -> None:
    unet = build_unet(UnetConfig([8, 16], [1, 2], latent_channels=4, text_width=8, groups=4))
    net: Any = build_controlnet(unet, space=space, mask=mask)
    assert net.config.conditioning_channels == channels
    assert len(net.config.conditioning_embedding_out_channels) == widths
    source = unet.state_dict()
    copied = [k for k in net.state_dict() if k in source]
    assert any("down_blocks" in k for k in copied) and any("mid_block" in k for k in copied)
    assert all(torch.equal(net.state_dict()[k], source[k]) for k in copied)


def test_controlnet_refuses_pixels_without_a_stride() -> None:
    unet = build_unet(UnetConfig([8, 16], [1, 2], latent_channels=4, text_width=8, groups=4))
    with pytest.raises(UsageError, match="two or more"):
        build_controlnet(unet, widths=(8,))


def test_scheduler_is_stable_diffusions() -> None:
    scheduler: Any = build_scheduler()
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    expected = torch.cumprod(1 - betas, 0).float()
    torch.testing.assert_close(scheduler.alphas_cumprod, expected, rtol=1e-4, atol=1e-6)
    assert float(scheduler.final_alpha_cumprod) == float(scheduler.alphas_cumprod[0])
