from __future__ import annotations

import torch
from torch import nn

from unfade.models.sd21 import build_text_encoder, build_unet, build_vae


def millions(model: nn.Module) -> int:
    return round(sum(p.numel() for p in model.parameters()) / 1e6)


def test_networks_have_stable_diffusions_size() -> None:
    with torch.device("meta"):
        assert millions(build_unet()) == 866
        assert millions(build_vae()) == 84
        assert millions(build_text_encoder()) == 340
