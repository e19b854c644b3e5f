from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.controlnets.controlnet import ControlNetModel
from torch import nn

from unfade.diffusion.condition import decode, encode
from unfade.errors import UsageError
from unfade.models.folder import Base, load_base, load_part, save_base, save_part
from unfade.models.sources import find_base, find_controlnet
from unfade.pipeline.colour import to_lab
from unfade.pipeline.diffusion import RestorationPipeline
from unfade.pipeline.image_source import TensorSource
from unfade.pipeline.settings import DiffusionSettings

Make = Callable[..., RestorationPipeline]
FAST = DiffusionSettings(steps=2)
SPACES = pytest.mark.parametrize("space", ["pixel", "latent"])


def parts(pipeline: RestorationPipeline) -> Any:
    """The networks, of the types that diffusers leaves open."""
    return pipeline


def photos(count: int = 1, height: int = 40, width: int = 56) -> torch.Tensor:
    g = torch.Generator().manual_seed(3)
    small = torch.rand(count, 3, 6, 7, generator=g)
    return nn.functional.interpolate(small, (height, width), mode="bicubic").clamp(0, 1)


def damage(count: int = 1, height: int = 40, width: int = 56) -> torch.Tensor:
    mask = torch.zeros(count, 1, height, width)
    mask[..., 10:14, :] = 1
    return mask


def count_calls(module: nn.Module) -> list[int]:
    calls: list[int] = []
    module.register_forward_hook(lambda *_: calls.append(1))
    return calls


@SPACES
@pytest.mark.parametrize("size", [(40, 56), (1, 1), (9, 130)])
def test_pipeline_restores_photos_of_any_size(
    make_pipeline: Make, space: str, size: tuple[int, int]
) -> None:
    image, mask = photos(2, *size), damage(2, *size)
    out = make_pipeline(space=space)(image, mask, settings=FAST).images
    assert out.shape == image.shape and out.dtype == torch.float32
    assert out.min() >= 0 and out.max() <= 1


def pointwise(module: nn.Module) -> None:
    """Makes a network look at each place by itself: no context, no statistics of the tile."""
    for name, child in module.named_children():
        if isinstance(child, nn.GroupNorm):
            setattr(module, name, nn.Identity())
        elif isinstance(child, nn.Conv2d) and child.kernel_size[0] > 1:
            centre = child.weight[..., 1, 1].clone()
            child.weight.zero_()
            child.weight[..., 1, 1] = centre
        elif name == "attn1":  # attention among the places
            child.to_out[0].weight.zero_()  # pyright: ignore
        else:
            pointwise(child)


@SPACES
def test_tiled_equals_untiled_when_the_networks_see_each_place_by_itself(
    make_pipeline: Make, space: str
) -> None:
    pipeline = make_pipeline(space=space)
    with torch.no_grad():
        for name in ("vae", "unet", "controlnet", "cfw"):
            pointwise(getattr(pipeline, name))
    image, mask = photos(1, 100, 137), damage(1, 100, 137)
    whole = DiffusionSettings(
        steps=3, strength=0.8, prompt="a red dress", self_condition=0.5, fidelity=0.7,
        keep_luminance=True,
    )  # fmt: skip
    tiled = replace(whole, tile=64, overlap=24)
    a = pipeline(image, mask, settings=whole).images
    b = pipeline(image, mask, settings=tiled).images
    assert a.std() > 0.05
    torch.testing.assert_close(a, b, rtol=0, atol=2e-4)


@SPACES
def test_a_photo_comes_out_the_same_in_a_batch_of_1_and_of_4(
    make_pipeline: Make, space: str
) -> None:
    pipeline = make_pipeline(space=space)
    image, mask = photos(4), damage(4)
    mask[2:] = 0
    settings = replace(FAST, prompt="a red dress", fidelity=0.5, strength=0.7)
    together = pipeline(image, mask, settings=settings).images
    for i in range(4):
        one = slice(i, i + 1)
        alone = pipeline(image[one], mask[one], settings=settings).images
        torch.testing.assert_close(alone, together[one], rtol=0, atol=1e-5)


def test_seed_and_variant_choose_the_noise(make_pipeline: Make) -> None:
    pipeline, image = make_pipeline(), photos(2)
    out = pipeline(image, settings=FAST, variants=2).images
    assert out.shape[0] == 4
    assert torch.equal(out[0::2], pipeline(image, settings=FAST).images)
    assert not torch.allclose(out[0], out[1])
    other = pipeline(image, settings=replace(FAST, seed=1)).images
    assert not torch.allclose(out[0::2], other)


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ({}, 2), ({"guidance": 9.0}, 2), ({"prompt": "red"}, 4),
        ({"prompt": "red", "guidance": 1.0}, 2), ({"negative_prompt": "red"}, 4),
        ({"prompt": "red", "negative_prompt": "red"}, 2),
    ],
)  # fmt: skip
def test_there_is_no_second_pass_without_two_texts_to_tell_apart(
    make_pipeline: Make, changes: dict[str, Any], passes: int
) -> None:
    pipeline = make_pipeline()
    unet = count_calls(parts(pipeline).unet)
    controlnet = count_calls(parts(pipeline).controlnet)
    pipeline(photos(), settings=replace(FAST, **changes))
    assert len(unet) == len(controlnet) == passes


def test_guidance_moves_away_from_the_negative_prompt(make_pipeline: Make) -> None:
    pipeline, image = make_pipeline(), photos()

    def run(prompt: str, negative: str, guidance: float) -> torch.Tensor:
        settings = replace(FAST, steps=1, prompt=prompt, negative_prompt=negative, tile=512)
        return pipeline(image, settings=replace(settings, guidance=guidance)).images

    red, blue = run("red", "red", 1), run("blue", "blue", 1)
    assert not torch.allclose(red, blue)
    torch.testing.assert_close(run("red", "blue", 1), red)
    torch.testing.assert_close(run("red", "blue", 0), blue, rtol=0, atol=1e-5)


@SPACES
def test_photo_and_mask_are_seen_by_a_trained_controlnet(make_pipeline: Make, space: str) -> None:
    pipeline = make_pipeline(space=space)
    out = pipeline(photos(), settings=FAST).images
    assert not torch.allclose(out, pipeline(1 - photos(), settings=FAST).images)
    assert not torch.allclose(out, pipeline(photos(), damage(), settings=FAST).images)


def test_low_strength_keeps_to_the_photo_and_none_is_the_autoencoder(make_pipeline: Make) -> None:
    pipeline, image = make_pipeline(), photos()
    base = pipeline.networks.base
    with torch.no_grad():
        core = decode(base.vae, encode(base.vae, image)).clamp(0, 1)
    outs = [pipeline(image, settings=replace(FAST, strength=s)).images for s in (0.0, 0.05, 1.0)]
    torch.testing.assert_close(outs[0], core, rtol=0, atol=1e-5)
    near, far = (outs[1] - core).abs().mean(), (outs[2] - core).abs().mean()
    assert 0 < near < far
    calls = count_calls(parts(pipeline).unet)
    pipeline(image, settings=replace(FAST, strength=0.0))
    assert not calls


@SPACES
def test_self_condition_acts_from_the_second_step_on(make_pipeline: Make, space: str) -> None:
    pipeline, image = make_pipeline(space=space), photos()
    for steps, same in ((1, True), (2, False)):
        settings = replace(FAST, steps=steps)
        plain = pipeline(image, damage(), settings=settings).images
        own = pipeline(image, damage(), settings=replace(settings, self_condition=0.5)).images
        assert torch.equal(plain, own) == same


def test_full_self_condition_forgets_photo_and_mask_after_the_first_step(
    make_pipeline: Make,
) -> None:
    pipeline = make_pipeline()
    seen: list[torch.Tensor] = []
    parts(pipeline).controlnet.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["controlnet_cond"]), with_kwargs=True
    )
    pipeline(photos(), damage(), settings=replace(FAST, self_condition=1.0))
    assert seen[0][:, 3].any() and not seen[1][:, 3].any()
    assert not torch.allclose(seen[0][:, :3], seen[1][:, :3])
    assert seen[1].min() >= 0 and seen[1].max() <= 1


def test_fidelity_draws_on_the_photo(make_pipeline: Make) -> None:
    pipeline, image = make_pipeline(), photos()
    outs = [pipeline(image, settings=replace(FAST, fidelity=w)).images for w in (0.0, 0.5, 1.0)]
    assert not torch.allclose(outs[0], outs[1]) and not torch.allclose(outs[1], outs[2])


@SPACES
def test_with_the_residual_a_photo_that_is_not_changed_comes_back(
    make_pipeline: Make, space: str
) -> None:
    pipeline, image = make_pipeline(space=space), photos()
    out = pipeline(image, settings=replace(FAST, strength=0.0, vae_residual=1.0)).images
    torch.testing.assert_close(out, image, rtol=0, atol=1e-5)


def test_at_the_posterior_mean_many_steps_give_what_one_gives(make_pipeline: Make) -> None:
    pipeline, image = make_pipeline(), photos()
    settings = replace(FAST, strength=0.6, posterior_mean=1.0)
    calls = count_calls(parts(pipeline).unet)
    one, many = (pipeline(image, settings=replace(settings, steps=n)).images for n in (1, 4))
    assert len(calls) == 2 and torch.equal(one, many)
    loose = replace(settings, posterior_mean=0.0)
    one, many = (pipeline(image, settings=replace(loose, steps=n)).images for n in (1, 4))
    assert not torch.allclose(one, many, rtol=0, atol=1e-3)


def test_fresh_noise_changes_the_way_and_depends_on_seed_and_variant_alone(
    make_pipeline: Make,
) -> None:
    pipeline, image = make_pipeline(), photos(2)
    settings = replace(FAST, steps=3, eta=1.0)
    both = pipeline(image, settings=settings).images
    alone = pipeline(image[1:], settings=settings).images
    torch.testing.assert_close(both[1:], alone, rtol=0, atol=1e-5)
    assert torch.equal(both, pipeline(image, settings=settings).images)
    assert not torch.allclose(both, pipeline(image, settings=replace(FAST, steps=3)).images)


def test_no_variant_and_fidelity_without_a_cfw_are_refused(make_pipeline: Make) -> None:
    pipeline = make_pipeline()
    parts(pipeline).cfw = None
    with pytest.raises(UsageError, match="without a CFW"):
        pipeline(photos(), settings=replace(FAST, fidelity=0.5))
    with pytest.raises(UsageError, match="variants"):
        make_pipeline()(photos(), variants=0)


def test_keep_luminance_keeps_it_exactly(make_pipeline: Make) -> None:
    image = photos(1, 100, 90).mean(1, keepdim=True).expand(1, 3, 100, 90)
    out = make_pipeline()(
        image, settings=replace(FAST, keep_luminance=True, tile=64, overlap=16)
    ).images
    torch.testing.assert_close(to_lab(out)[:, 0], to_lab(image)[:, 0], rtol=0, atol=0.05)
    assert to_lab(out)[:, 1:].abs().max() > 1


@pytest.mark.parametrize("fix", ["wavelet", "adain"])
def test_colour_fix_takes_the_photos_broad_colours(make_pipeline: Make, fix: Any) -> None:
    tint = torch.tensor([0.2, 0.5, 0.9])[:, None, None]
    pipeline, image = make_pipeline(), photos() * 0.2 + tint * 0.8
    plain = pipeline(image, settings=FAST).images
    fixed = pipeline(image, settings=replace(FAST, colour_fix=fix)).images
    wanted = image.mean((2, 3))
    error, before = (fixed.mean((2, 3)) - wanted).abs(), (plain.mean((2, 3)) - wanted).abs()
    assert error.max() < 0.1 * before.max()


def test_bands_make_up_the_photo_and_progress_grows_to_one(make_pipeline: Make) -> None:
    pipeline, image = make_pipeline(), photos(1, 200, 80)
    settings = replace(FAST, tile=64, overlap=16, strength=0.9)
    shares: list[float] = []
    rows = 0
    for top, band in pipeline.bands(TensorSource(image), settings, progress=shares.append):
        assert top == rows and band.shape[3] == 80
        rows += band.shape[2]
    assert rows == 200
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1)


def test_pipeline_comes_back_from_diffusers_own_folder(make_pipeline: Make, tmp_path: Path) -> None:
    pipeline = make_pipeline()
    settings = replace(FAST, prompt="a red dress", fidelity=0.5)
    out = pipeline(photos(), damage(), settings=settings).images
    pipeline.save_pretrained(tmp_path)
    again: Any = RestorationPipeline.from_pretrained(tmp_path)
    again.precision = "fp32"
    torch.testing.assert_close(again(photos(), damage(), settings=settings).images, out)


def test_stable_diffusion_restores_end_to_end_from_a_folder(
    tiny_sd: Base, make_pipeline: Make, tmp_path: Path
) -> None:
    made = parts(make_pipeline(tiny_sd, mask=False, widths=(4, 4, 8, 8)))
    save_base(tmp_path / "sd21", tiny_sd)
    save_part(tmp_path / "controlnet", made.controlnet)
    base = find_base(tmp_path / "sd21")
    pipeline = RestorationPipeline.from_base(base, find_controlnet(tmp_path / "controlnet"))
    settings = replace(FAST, prompt="a red dress", strength=0.9, tile=64, overlap=0)
    image = photos(1, 100, 70)
    out = pipeline(image, damage(1, 100, 70), settings=settings).images
    assert out.shape == image.shape and torch.isfinite(out).all()
    half = load_base(tmp_path / "sd21", dtype=torch.bfloat16)
    controlnet = load_part(tmp_path / "controlnet", ControlNetModel, dtype=torch.bfloat16)
    coarse = RestorationPipeline.from_base(half, controlnet)(image, settings=settings).images
    assert (coarse - out).abs().mean() < 0.1
