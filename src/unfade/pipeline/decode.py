"""Decodes a restored latent to pixels, band by band."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from unfade.models.cfw import decode_fused, encoder_features
from unfade.pipeline.colour import adain_fix, wavelet_fix, with_luminance
from unfade.pipeline.denoise import Networks, Plan
from unfade.pipeline.image_source import ImageSource, read_padded
from unfade.pipeline.overlap import Tile, weight
from unfade.pipeline.settings import DiffusionSettings
from unfade.timing import Progress

Band = tuple[int, Tensor]  # the first row, and (N, 3, h, W) in [0, 1]


def decode_bands(
    networks: Networks, z0: Tensor, photo_latent: Tensor | None, source: ImageSource, plan: Plan,
    settings: DiffusionSettings, progress: Progress,
) -> Iterator[Band]:  # fmt: skip
    """Decodes a latent; one row of tiles at a time is in memory as pixels.

    Tiles that the plan skips keep the source's pixels.

    `vae_residual` adds the difference between the photo and its own reconstruction by the
    autoencoder: at 1 an unchanged latent gives the photo itself.

    Args:
        z0: (N, C, h, w), scaled.
        photo_latent: (N, C, h, w), the photo's own latent; unused if `vae_residual` is 0.
        source: the photo of z0, for the features of the CFW and the colour fix.
        progress: called with the share that is done.

    Yields:
        Bands from top to bottom that make up the whole photo, on the processor.
    """
    grid, tiles_per_pass = plan.pixels, networks.tiles_per_pass(plan)
    width = grid.cols[-1].stop
    band = torch.zeros(z0.shape[0], 3, 0, width)
    for i, row in enumerate(grid.rows):
        top = row.start
        missing = row.stop - row.start - band.shape[2]
        band = torch.cat([band, band.new_zeros(*band.shape[:2], missing, width)], 2)
        skipped = [(row, col) for j, col in enumerate(grid.cols) if (i, j) in grid.skipped]
        for tile in skipped:
            image = read_padded(source, tile[0].slice, tile[1].slice)
            band[..., tile[1].slice] += weight(tile) * image
        computed = [(row, col) for j, col in enumerate(grid.cols) if (i, j) not in grid.skipped]
        for j in range(0, len(computed), tiles_per_pass):
            tiles = computed[j : j + tiles_per_pass]
            with networks.resident(networks.base.vae, networks.cfw):
                values = _decode(networks, z0, photo_latent, source, tiles, settings).float().cpu()
            for tile, value in zip(tiles, values.chunk(len(tiles)), strict=True):
                band[..., tile[1].slice] += weight(tile) * value
        ready = (grid.rows[i + 1].start if i + 1 < len(grid.rows) else row.stop) - top
        finished = band[:, :, : min(ready, source.height - top), : source.width]
        yield top, _apply_luminance(finished.clamp(0, 1), source, top, settings)
        band = band[:, :, ready:].clone()
        progress((i + 1) / len(grid.rows))


def _decode(
    networks: Networks, z0: Tensor, photo_latent: Tensor | None, source: ImageSource,
    tiles: list[Tile], settings: DiffusionSettings,
) -> Tensor:  # fmt: skip
    """Some tiles of pixels, (their number * N, 3, h, w), about [0, 1]."""
    scale = networks.base.downscale
    regions = [(tile[0].slice, tile[1].slice) for tile in tiles]
    cuts = [
        (..., slice(y.start // scale, y.stop // scale), slice(x.start // scale, x.stop // scale))
        for y, x in regions
    ]
    vae, fidelity = networks.base.vae, settings.fidelity
    images = torch.cat([read_padded(source, *region) for region in regions])
    images = images.to(networks.device)

    def compute() -> Tensor:
        features: list[Tensor] = []
        if networks.cfw is not None and fidelity > 0:
            features = encoder_features(vae, images.to(vae.dtype))

        def decoded(latent: Tensor) -> Tensor:
            z = torch.cat([latent[cut] for cut in cuts]).to(vae.dtype)
            return decode_fused(vae, networks.cfw, z, features, fidelity).float()

        out = decoded(z0)
        if photo_latent is not None and settings.vae_residual > 0:
            out = out + settings.vae_residual * (images - decoded(photo_latent))
        return out

    out = networks.through_vae(compute)
    with torch.inference_mode():
        if settings.colour_fix == "wavelet":
            out = wavelet_fix(out, images)
        elif settings.colour_fix == "adain":
            out = adain_fix(out, images)
    return out


def _apply_luminance(
    band: Tensor, source: ImageSource, top: int, settings: DiffusionSettings
) -> Tensor:
    if not settings.keep_luminance:
        return band
    rows = slice(top, top + band.shape[2])
    return with_luminance(band, source.read(rows, slice(0, source.width)))
