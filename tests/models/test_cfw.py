from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

from unfade.errors import UsageError
from unfade.models.cfw import Cfw, build_cfw, decode_fused, encoder_features
from unfade.models.compact import VaeConfig, build_vae
from unfade.models.folder import Base, load_part, save_part


@pytest.fixture
def vae() -> AutoencoderKL:
    torch.manual_seed(0)
    model = build_vae(VaeConfig(patch=1, widths=[4, 8, 12, 16], latent_channels=4, groups=4))
    model.register_to_config(scaling_factor=0.7)
    return model.eval().requires_grad_(False)


def shaken(vae: AutoencoderKL) -> Cfw:
    torch.manual_seed(1)
    cfw = build_cfw(vae, (6, 5, 4))
    for parameter in cfw.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return cfw.eval().requires_grad_(False)


def plain(vae: AutoencoderKL, z0: torch.Tensor) -> torch.Tensor:
    out = cast(Any, vae).decode(z0 / 0.7)
    return (out.sample + 1) / 2


def test_decode_fused_is_the_plain_decoder_at_fidelity_0(vae: AutoencoderKL) -> None:
    z0, photo = torch.randn(2, 4, 4, 6), torch.rand(2, 3, 32, 48)
    out = decode_fused(vae, shaken(vae), z0, encoder_features(vae, photo), 0.0)
    assert torch.equal(out, plain(vae, z0))


def test_an_untrained_cfw_changes_nothing_at_any_fidelity(vae: AutoencoderKL) -> None:
    z0, photo = torch.randn(1, 4, 4, 4), torch.rand(1, 3, 32, 32)
    out = decode_fused(vae, build_cfw(vae, (6, 5, 4)), z0, encoder_features(vae, photo), 1.0)
    assert torch.equal(out, plain(vae, z0))


def test_fidelity_draws_from_the_photo_by_degrees(vae: AutoencoderKL) -> None:
    z0, photo, cfw = torch.randn(1, 4, 4, 4), torch.rand(1, 3, 32, 32), shaken(vae)
    features = encoder_features(vae, photo)
    outs = [decode_fused(vae, cfw, z0, features, w) for w in (0.0, 0.1, 1.0)]
    assert 0 < (outs[1] - outs[0]).abs().mean() < (outs[2] - outs[0]).abs().mean()
    other = decode_fused(vae, cfw, z0, encoder_features(vae, 1 - photo), 1.0)
    assert not torch.allclose(other, outs[2])


def test_encoder_features_go_from_coarse_to_fine(vae: AutoencoderKL) -> None:
    shapes = [tuple(f.shape[1:]) for f in encoder_features(vae, torch.rand(1, 3, 32, 48))]
    assert shapes == [(8, 8, 12), (4, 16, 24), (4, 32, 48)]


def test_every_level_is_trained(vae: AutoencoderKL) -> None:
    cfw = shaken(vae).requires_grad_(True)
    z0, photo = torch.randn(1, 4, 4, 4), torch.rand(1, 3, 32, 32)
    decode_fused(vae, cfw, z0, encoder_features(vae, photo), 1.0).square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in cfw.parameters())


def test_cfw_comes_back_from_its_folder_and_fits_stable_diffusion(
    vae: AutoencoderKL, tmp_path: Path, tiny_sd: Base
) -> None:
    cfw = shaken(vae)
    save_part(tmp_path / "cfw", cfw)
    again = load_part(tmp_path / "cfw", Cfw)
    for key, value in cfw.state_dict().items():
        assert torch.equal(again.state_dict()[key], value.half().float())
    cfw = shaken(tiny_sd.vae)
    features = encoder_features(tiny_sd.vae, torch.rand(1, 3, 64, 64))
    z0 = torch.randn(1, 4, 8, 8)
    assert decode_fused(tiny_sd.vae, cfw, z0, features, 0.5).shape == (1, 3, 64, 64)


def test_build_cfw_refuses_widths_for_another_decoder(vae: AutoencoderKL) -> None:
    with pytest.raises(UsageError, match=r"hidden = \[64\], expected 3"):
        build_cfw(vae)
