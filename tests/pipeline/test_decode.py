from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from unfade.diffusion.condition import decode
from unfade.pipeline.decode import decode_bands
from unfade.pipeline.denoise import Plan, encode_tiles
from unfade.pipeline.diffusion import RestorationPipeline
from unfade.pipeline.image_source import TensorSource
from unfade.pipeline.overlap import weight
from unfade.pipeline.settings import DiffusionSettings

Make = Callable[..., RestorationPipeline]


def run(pipeline: RestorationPipeline, z0: torch.Tensor, size: tuple[int, int], tile: int) -> list[
    tuple[int, torch.Tensor]
]:  # fmt: skip
    networks, picture = pipeline.networks, TensorSource(torch.rand(len(z0), 3, *size))
    settings = DiffusionSettings(tile=tile, overlap=16)
    plan = Plan.of(picture, networks.base, settings)
    return list(decode_bands(networks, z0, None, picture, plan, settings, lambda share: None))


def test_decode_bands_is_the_plain_decoder_when_one_tile_is_enough(make_pipeline: Make) -> None:
    pipeline, z0 = make_pipeline(), torch.randn(2, 4, 16, 12)
    bands = run(pipeline, z0, (61, 47), 512)
    expected = decode(pipeline.networks.base.vae, z0).clamp(0, 1)[..., :61, :47]
    assert [top for top, _ in bands] == [0]
    torch.testing.assert_close(bands[0][1], expected)


def test_decode_bands_blends_each_tiles_own_pixels(make_pipeline: Make) -> None:
    pipeline, size = make_pipeline(), (200, 137)
    vae = pipeline.networks.base.vae
    z0 = torch.randn(1, 4, 50, 36)
    settings = DiffusionSettings(tile=64, overlap=16)
    plan = Plan.of(TensorSource(torch.rand(1, 3, *size)), pipeline.networks.base, settings)
    expected = torch.zeros(1, 3, 200, 144)
    for tiles in plan.pixels.tiles(1):
        y, x = tiles[0][0].slice, tiles[0][1].slice
        cut = slice(y.start // 4, y.stop // 4), slice(x.start // 4, x.stop // 4)
        expected[..., y, x] += weight(tiles[0]) * decode(vae, z0[..., cut[0], cut[1]])
    bands = run(pipeline, z0, size, 64)
    assert len(bands) > 2 and [top for top, _ in bands] == sorted(top for top, _ in bands)
    found = torch.cat([band for _, band in bands], 2)
    torch.testing.assert_close(found, expected.clamp(0, 1)[..., :200, :137])


@pytest.mark.parametrize("height", [1, 63, 64, 65, 129])
def test_decode_bands_gives_every_row_once(make_pipeline: Make, height: int) -> None:
    pipeline = make_pipeline()
    rows = -(-height // 8) * 2
    bands = run(pipeline, torch.randn(1, 4, rows, 8), (height, 30), 64)
    tops = [top for top, _ in bands]
    ends = [top + band.shape[2] for top, band in bands]
    assert tops == [0, *ends[:-1]] and ends[-1] == height


@pytest.mark.parametrize("tile", [64, 512])
def test_with_the_residual_a_latent_that_did_not_change_is_the_photo(
    make_pipeline: Make, tile: int
) -> None:
    networks = make_pipeline().networks
    image = torch.rand(2, 3, 100, 93)
    picture, settings = (
        TensorSource(image),
        DiffusionSettings(vae_residual=1, tile=tile, overlap=16),
    )
    plan = Plan.of(picture, networks.base, settings)
    own = encode_tiles(networks, picture, plan, lambda share: None)
    bands = list(decode_bands(networks, own, own, picture, plan, settings, lambda share: None))
    torch.testing.assert_close(torch.cat([b for _, b in bands], 2), image, rtol=0, atol=1e-5)


def test_the_residual_adds_its_share_of_what_the_autoencoder_loses(make_pipeline: Make) -> None:
    pipeline = make_pipeline()
    pipeline.register_modules(cfw=None)
    networks, image = pipeline.networks, 0.4 + 0.2 * torch.rand(1, 3, 32, 32)
    picture, z0 = TensorSource(image), 0.1 * torch.randn(1, 4, 8, 8)
    plan = Plan.of(picture, networks.base, DiffusionSettings())
    own = encode_tiles(networks, picture, plan, lambda share: None)

    def run(share: float) -> torch.Tensor:
        settings = DiffusionSettings(vae_residual=share)
        bands = decode_bands(networks, z0, own, picture, plan, settings, lambda share: None)
        return next(bands)[1]

    plain = decode(networks.base.vae, z0)
    expected = plain + 0.3 * (image - decode(networks.base.vae, own))
    torch.testing.assert_close(run(0.3), expected.clamp(0, 1), rtol=0, atol=1e-5)
