"""A base model without a ControlNet fills damage, and leaves the rest."""

from __future__ import annotations

import copy
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from unfade.diffusion.condition import encode
from unfade.errors import UsageError
from unfade.models.folder import Base
from unfade.pipeline.denoise import Plan, denoise, unknown_cells
from unfade.pipeline.diffusion import RestorationPipeline
from unfade.pipeline.image_source import TensorSource
from unfade.pipeline.settings import DiffusionSettings

SETTINGS = DiffusionSettings(steps=3, tile=64, overlap=0)


def made(base: Base) -> RestorationPipeline:
    pipeline = RestorationPipeline.from_base(copy.deepcopy(base))
    pipeline.precision = "fp32"
    return pipeline


@pytest.fixture
def photo() -> Tensor:
    """(1, 3, 64, 192)"""
    coarse = torch.rand(1, 3, 4, 12, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(coarse, (64, 192), mode="bicubic").clamp(0, 1)


@pytest.fixture
def mask() -> Tensor:
    """(1, 1, 64, 192): damage in the second of three tiles."""
    mask = torch.zeros(1, 1, 64, 192)
    mask[..., 20:40, 90:110] = 1
    return mask


def test_known_cells_keep_the_photos_latent(tiny_sd: Base, photo: Tensor, mask: Tensor) -> None:
    networks, source = made(tiny_sd).networks, TensorSource(photo, mask)
    plan = Plan.of(source, networks.base, DiffusionSettings(steps=3, tile=192, overlap=0))
    unknown = unknown_cells(source, plan, 8)
    assert unknown.shape == (1, 1, 8, 24)
    rows, cols = (torch.nonzero(unknown[0, 0])[:, i].unique().tolist() for i in (0, 1))
    assert rows == [1, 2, 3, 4, 5] and cols == [10, 11, 12, 13, 14]  # a cell more on each side
    noise = torch.randn(1, 4, 8, 24, generator=torch.Generator().manual_seed(1))
    z0, _ = denoise(networks, source, plan, SETTINGS, noise, lambda _: None, unknown)
    with torch.no_grad():
        own = encode(networks.base.vae, photo)
    known = ~unknown.expand_as(z0)
    assert torch.allclose(z0[known], own[known], atol=1e-3)
    assert (z0 - own)[~known].abs().mean() > 0.1


def test_every_step_sees_the_known_cells_with_its_own_noise(
    tiny_sd: Base, photo: Tensor, mask: Tensor
) -> None:
    pipeline, seen = made(tiny_sd), list[tuple[Tensor, int]]()
    networks, source = pipeline.networks, TensorSource(photo, mask)
    plan = Plan.of(source, networks.base, DiffusionSettings(tile=192, overlap=0))
    unknown = unknown_cells(source, plan, 8)

    def note(_: Any, args: tuple[Tensor, Tensor]) -> None:
        seen.append((args[0].clone(), int(args[1][0])))

    networks.base.unet.register_forward_pre_hook(note)
    noise = torch.randn(1, 4, 8, 24, generator=torch.Generator().manual_seed(1))
    denoise(networks, source, plan, SETTINGS, noise, lambda _: None, unknown)
    with torch.no_grad():
        own = encode(networks.base.vae, photo)
    assert [t for _, t in seen] == [999, 666, 332]
    known = ~unknown.expand_as(own)
    for zt, t in seen:
        ab = networks.schedule.alphas_cumprod[t]
        expected = ab.sqrt() * own + (1 - ab).sqrt() * noise
        assert torch.allclose(zt[known], expected[known], atol=1e-3), t


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_tiles_without_damage_are_not_computed(
    tiny_sd: Base, photo: Tensor, mask: Tensor, prediction: str
) -> None:
    base = copy.deepcopy(tiny_sd)
    cast(Any, base.scheduler).register_to_config(prediction_type=prediction)
    pipeline, calls = made(base), list[int]()
    unet: Any = cast(Any, pipeline).unet
    unet.register_forward_pre_hook(lambda _m, args: calls.append(len(args[0])))
    out = pipeline(photo, mask, settings=SETTINGS).images
    assert calls == [1, 1, 1]  # three steps of one tile
    assert torch.equal(out[..., :64], photo[..., :64])
    assert torch.equal(out[..., 128:], photo[..., 128:])
    assert (out - photo)[..., 20:40, 90:110].abs().mean() > 0.02


def test_photo_is_filled_alike_in_any_batch_and_by_its_prompt(
    tiny_sd: Base, photo: Tensor, mask: Tensor
) -> None:
    pipeline = made(tiny_sd)
    alone = pipeline(photo, mask, settings=SETTINGS).images
    both = pipeline(
        torch.cat([photo, 1 - photo]), torch.cat([mask, mask]), settings=SETTINGS
    ).images
    assert torch.allclose(both[:1], alone, atol=1e-4)
    words = DiffusionSettings(steps=3, tile=64, overlap=0, prompt="red")
    prompted = pipeline(photo, mask, settings=words).images
    assert not torch.allclose(prompted, alone, atol=1e-3)
    assert torch.equal(prompted[..., :64], photo[..., :64])


def test_nothing_to_fill_is_refused(tiny_sd: Base, photo: Tensor, mask: Tensor) -> None:
    for nothing in (None, torch.zeros_like(mask)):
        with pytest.raises(UsageError, match="nothing to fill"):
            made(tiny_sd)(photo, nothing, settings=SETTINGS)


def test_schedule_that_ends_in_pure_noise_gives_finite_pictures(
    tiny_sd: Base, photo: Tensor, mask: Tensor
) -> None:
    scheduler = cast(Any, type(tiny_sd.scheduler)).from_config(
        cast(Any, tiny_sd.scheduler).config, rescale_betas_zero_snr=True,
        prediction_type="v_prediction",
    )  # fmt: skip
    assert float(scheduler.alphas_cumprod[-1]) == 0
    base = Base(tiny_sd.vae, tiny_sd.unet, tiny_sd.text_encoder, tiny_sd.tokenizer, scheduler)
    out = made(base)(photo, mask, settings=SETTINGS).images
    assert bool(torch.isfinite(out).all()) and 0 < float(out.std()) < 1


def test_offloaded_networks_give_the_same_picture(
    tiny_sd: Base, photo: Tensor, mask: Tensor
) -> None:
    pipeline = made(tiny_sd)
    plain = pipeline(photo, mask, settings=SETTINGS).images
    pipeline.offload_to = torch.device("cpu")
    assert pipeline.networks.offload
    assert torch.equal(pipeline(photo, mask, settings=SETTINGS).images, plain)


def test_autoencoder_keeps_fp32_where_fp16_overflows(tiny_sd: Base, photo: Tensor) -> None:
    base = copy.deepcopy(tiny_sd)
    cast(Any, base.vae).register_to_config(force_upcast=False)
    base.unet.half()
    pipeline, seen = made(base), list[torch.dtype]()
    vae: Any = cast(Any, pipeline).vae
    vae.encoder.conv_in.register_forward_hook(lambda _m, _x, y: seen.append(y.dtype))
    networks = pipeline.networks
    fine = networks.through_vae(lambda: encode(vae, photo))
    assert seen == [torch.float16]
    with torch.no_grad():
        vae.encoder.conv_in.weight.mul_(1e6)
    again = networks.through_vae(lambda: encode(vae, photo))
    assert seen == [torch.float16, torch.float16, torch.float32]
    assert bool(torch.isfinite(again).all()) and bool(torch.isfinite(fine).all())
    vae.register_to_config(force_upcast=True)
    networks.through_vae(lambda: encode(vae, photo))
    assert seen[3:] == [torch.float32]
