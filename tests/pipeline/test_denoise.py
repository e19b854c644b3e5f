from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from unfade.diffusion.condition import encode
from unfade.pipeline.denoise import Denoiser, Plan, denoise, embed_prompts, encode_tiles, in_pixels
from unfade.pipeline.diffusion import RestorationPipeline
from unfade.pipeline.image_source import TensorSource
from unfade.pipeline.overlap import weight
from unfade.pipeline.settings import DiffusionSettings

Make = Callable[..., RestorationPipeline]
TILED = DiffusionSettings(steps=2, tile=64, overlap=16)


@pytest.mark.parametrize("size", [(1, 1), (100, 137), (64, 64), (65, 300)])
def test_plan_has_the_same_tiles_in_pixels_and_in_cells(
    make_pipeline: Make, size: tuple[int, int]
) -> None:
    base = make_pipeline().networks.base
    plan = Plan.of(TensorSource(torch.rand(1, 3, *size)), base, TILED)
    pixels = [tile for tiles in plan.pixels.tiles(1) for tile in tiles]
    cells = [tile for tiles in plan.cells.tiles(1) for tile in tiles]
    assert len(pixels) == len(cells)
    for ours, theirs in zip(pixels, cells, strict=True):
        assert in_pixels(theirs, base.downscale) == (ours[0].slice, ours[1].slice)
        assert all(piece.stop - piece.start <= 64 for piece in ours)
    stops = plan.pixels.rows[-1].stop, plan.pixels.cols[-1].stop
    for length, stop in zip(size, stops, strict=True):
        assert 0 <= stop - length < base.stride and stop % base.stride == 0


def test_encode_tiles_of_one_tile_is_the_encoder(make_pipeline: Make) -> None:
    networks, image = make_pipeline().networks, torch.rand(2, 3, 48, 64)
    picture = TensorSource(image)
    shares: list[float] = []
    plan = Plan.of(picture, networks.base, DiffusionSettings())
    out = encode_tiles(networks, picture, plan, shares.append)
    assert torch.equal(out, encode(networks.base.vae, image)) and shares == [1.0]


def test_encode_tiles_blends_each_tiles_own_latent(make_pipeline: Make) -> None:
    networks, image = make_pipeline().networks, torch.rand(1, 3, 64, 112)
    picture = TensorSource(image)
    plan = Plan.of(picture, networks.base, TILED)
    expected = torch.zeros(1, 4, 16, 28)
    for tiles in plan.cells.tiles(1):
        y, x = in_pixels(tiles[0], 4)
        z = encode(networks.base.vae, image[..., y, x])
        expected[..., tiles[0][0].slice, tiles[0][1].slice] += weight(tiles[0]) * z
    out = encode_tiles(networks, picture, plan, lambda share: None)
    torch.testing.assert_close(out, expected)


def test_denoise_does_not_encode_the_photo_when_nothing_of_it_is_needed(
    make_pipeline: Make,
) -> None:
    pipeline = make_pipeline()
    networks, picture = pipeline.networks, TensorSource(torch.rand(1, 3, 32, 32))
    calls: list[int] = []
    networks.base.vae.encoder.register_forward_hook(lambda *_: calls.append(1))
    for strength, residual in ((1.0, 0.0), (0.5, 0.0), (1.0, 0.5)):
        calls.clear()
        settings = DiffusionSettings(steps=1, strength=strength, vae_residual=residual)
        plan = Plan.of(picture, networks.base, settings)
        out, own = denoise(
            networks, picture, plan, settings, torch.randn(1, 4, 8, 8), lambda share: None
        )
        needed = strength < 1 or residual > 0
        assert out.shape == (1, 4, 8, 8) and len(calls) == int(needed)
        assert (own is not None) == needed


@pytest.mark.parametrize(("space", "reads"), [("pixel", 3), ("latent", 1)])
def test_a_condition_of_latents_reads_pixels_for_the_encoder_alone(
    make_pipeline: Make, monkeypatch: pytest.MonkeyPatch, space: str, reads: int
) -> None:
    widths = (4, 8, 8) if space == "pixel" else (8,)
    networks = make_pipeline(space=space, widths=widths).networks
    picture = TensorSource(torch.rand(1, 3, 32, 32), torch.ones(1, 1, 32, 32))
    calls: list[str] = []
    read, read_mask = TensorSource.read, TensorSource.read_mask
    monkeypatch.setattr(TensorSource, "read", lambda *a: (calls.append("image"), read(*a))[1])
    monkeypatch.setattr(TensorSource, "read_mask", lambda *a: (calls.append("m"), read_mask(*a))[1])
    settings = DiffusionSettings(steps=3)
    plan = Plan.of(picture, networks.base, settings)
    denoise(networks, picture, plan, settings, torch.randn(1, 4, 8, 8), lambda share: None)
    assert calls.count("image") == reads and calls.count("m") == 3  # a step each, for the mask


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_what_is_known_keeps_the_latent_of_the_photo(make_pipeline: Make, eta: float) -> None:
    pipeline = make_pipeline()
    networks, picture = pipeline.networks, TensorSource(torch.rand(1, 3, 32, 32))
    settings = DiffusionSettings(steps=4, eta=eta)
    plan = Plan.of(picture, networks.base, settings)
    unknown = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    unknown[..., 2:4, 3:6] = True
    found, own = denoise(
        networks, picture, plan, settings, torch.randn(1, 4, 8, 8), lambda share: None, unknown,
        lambda step: torch.randn(1, 4, 8, 8),
    )  # fmt: skip
    assert own is not None
    known = ~unknown.expand_as(found)
    torch.testing.assert_close(found[known], own[known], rtol=0, atol=1e-3)
    assert not torch.allclose(found[~known], own[~known], rtol=0, atol=0.05)


def test_tiles_go_together_as_far_as_the_memory_of_the_card_is_free(
    make_pipeline: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = make_pipeline().networks
    plan = Plan.of(TensorSource(torch.rand(1, 3, 200, 200)), networks.base, TILED)
    assert networks.tiles_per_pass(plan) == 1  # a processor
    card = replace(networks, device=torch.device("cuda"))
    width: int = networks.base.vae.config["block_out_channels"][1]
    tile = 5 * 4 * width * 64 * 64  # five maps of its widest layer, in fp32
    for free, together in ((tile // 2, 1), (7 * tile // 2, 3), (100 * tile, 8)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, free=free: (free, 8 << 30))
        assert card.tiles_per_pass(plan) == together


def test_both_passes_of_guidance_go_together_on_a_card(make_pipeline: Make) -> None:
    networks, settings = make_pipeline().networks, replace(TILED, prompt="red")
    source, sizes = TensorSource(torch.rand(1, 3, 64, 64)), list[int]()
    networks.base.unet.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    text, plan = embed_prompts(networks, settings), Plan.of(source, networks.base, settings)
    z, t, condition = torch.randn(2, 4, 16, 16), torch.tensor([9, 500]), torch.rand(2, 4, 64, 64)
    out: list[torch.Tensor] = []
    for device in ("cpu", "cuda"):
        there = replace(networks, device=torch.device(device))
        model = Denoiser(there, source, plan, settings, None, text)
        with torch.inference_mode():
            out.append(model._guided(z, t, condition))
    assert sizes == [2, 2, 4]
    torch.testing.assert_close(*out)
