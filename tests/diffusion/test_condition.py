from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from unfade.diffusion.condition import ConditionKind, decode, embed, encode, make_condition
from unfade.errors import UsageError, WeightsError
from unfade.models.compact import TextConfig, build_text_encoder
from unfade.models.vocabulary import build_tokenizer

MakeControlNet = Callable[..., ControlNetModel]


@pytest.mark.parametrize("space", ["pixel", "latent"])
@pytest.mark.parametrize("mask", [False, True])
def test_condition_kind_is_read_from_the_controlnet(
    make_controlnet: MakeControlNet, space: str, mask: bool
) -> None:
    kind = ConditionKind.of(make_controlnet(space, mask=mask))
    assert (kind.space, kind.mask) == (space, mask)


def test_condition_kind_refuses_another_controlnet(unet: UNet2DConditionModel) -> None:
    net: Any = ControlNetModel.from_unet(unet, conditioning_channels=1)
    with pytest.raises(WeightsError, match="a condition of 1 channels"):
        ConditionKind.of(net)


def test_encode_and_decode_are_the_autoencoders_own_but_for_range_and_scale(
    vae: AutoencoderKL,
) -> None:
    vae.register_to_config(scaling_factor=0.5)
    image = torch.rand(2, 3, 16, 24)
    z0 = encode(vae, image)
    assert z0.shape == (2, 4, 4, 6)
    plain: Any = vae.encode(image * 2 - 1)
    torch.testing.assert_close(z0, plain.latent_dist.mean * 0.5)
    out: Any = vae.decode(plain.latent_dist.mean)
    torch.testing.assert_close(decode(vae, z0), out.sample / 2 + 0.5, rtol=1e-4, atol=1e-5)


def test_pixel_condition_is_the_photo_in_0_to_1_and_its_mask() -> None:
    photo = torch.rand(2, 3, 16, 16) * 1.4 - 0.2
    mask = (torch.rand(2, 1, 16, 16) > 0.5).float()
    out = make_condition(ConditionKind("pixel", True), photo, mask)
    assert out.shape == (2, 4, 16, 16) and out.min() >= 0 and out.max() <= 1
    assert torch.equal(out[:, :3], photo.clamp(0, 1)) and torch.equal(out[:, 3:], mask)
    assert make_condition(ConditionKind("pixel", False), photo, mask).shape == photo.shape


def test_latent_condition_is_the_latent_itself_and_the_masks_mean() -> None:
    z = torch.randn(2, 4, 4, 4) * 3
    mask = torch.zeros(2, 1, 16, 16)
    mask[0, :, :4, :2] = 1
    out = make_condition(ConditionKind("latent", True), z, mask)
    assert torch.equal(out[:, :4], z)
    assert out[0, 4, 0, 0] == 0.5 and out[:, 4].sum() == 0.5


@pytest.mark.parametrize("space", ["pixel", "latent"])
def test_condition_without_a_mask_has_a_mask_of_zeros(space: Any) -> None:
    out = make_condition(ConditionKind(space, True), torch.rand(1, 3, 8, 8), None)
    assert out.shape == (1, 4, 8, 8) and not out[:, 3].any()


def test_embed_gives_one_embedding_a_token_and_differs_by_word() -> None:
    torch.manual_seed(0)
    tokenizer = build_tokenizer(["a", "red", "blue", "dress"], length=12)
    encoder = build_text_encoder(TextConfig(8, 1, 2, 12), len(tokenizer)).eval()
    with torch.no_grad():
        out = embed(tokenizer, encoder, ["a red dress", "a blue dress", "", "A RED dress " * 9])
        again = embed(tokenizer, encoder, ["a red dress"])
    assert out.shape == (4, 12, 8)
    torch.testing.assert_close(out[:1], again)
    assert not torch.allclose(out[0], out[1]) and not torch.allclose(out[0], out[2])
    torch.testing.assert_close(out[3, :4], out[0, :4])  # cut off, not refused
    with pytest.raises(UsageError, match="no prompt"):
        embed(tokenizer, encoder, [])
