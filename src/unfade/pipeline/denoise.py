"""Encodes a photo and denoises its latent, tile by tile."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from diffusers.models.controlnets.controlnet import ControlNetModel
from torch import Tensor

from unfade.diffusion.condition import ConditionKind, decode, embed, encode, make_condition
from unfade.diffusion.predict import predict
from unfade.diffusion.sample import sample
from unfade.diffusion.schedule import Schedule, q_sample, timesteps
from unfade.models.cfw import Cfw
from unfade.models.folder import Base
from unfade.models.inference import Precision, mixed
from unfade.pipeline.image_source import ImageSource, read_padded
from unfade.pipeline.overlap import Grid, Piece, Tile, blend, pieces
from unfade.pipeline.settings import DiffusionSettings
from unfade.timing import Progress


@dataclass(frozen=True)
class Networks:
    """All that a restoration runs, on one device and with weights of one type.

    Attributes:
        precision: of convolutions and products, for weights in fp32.
    """

    base: Base
    controlnet: ControlNetModel
    cfw: Cfw | None
    kind: ConditionKind
    schedule: Schedule
    precision: Precision

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.base.unet.device

    @property
    def dtype(self) -> torch.dtype:
        """The type of their weights."""
        return self.base.unet.dtype

    @property
    def at_once(self) -> int:
        """Tiles in one pass: a GPU is idle with one, a processor is not."""
        return 8 if self.device.type == "cuda" else 1

    @contextmanager
    def inference(self) -> Generator[None]:
        """No gradients, and products in the precision asked for."""
        precision = self.precision if self.dtype == torch.float32 else "fp32"
        with torch.inference_mode(), mixed(self.device, precision):
            yield


@dataclass(frozen=True)
class Plan:
    """The tiles of a photo, in pixels and, the same ones, in cells of the latent."""

    pixels: Grid
    cells: Grid

    @classmethod
    def of(cls, source: ImageSource, base: Base, settings: DiffusionSettings) -> Plan:
        """For a photo that is padded at the bottom and the right to the networks' stride."""

        def cut(length: int, scale: int) -> list[Piece]:
            padded = -(-length // base.stride) * base.stride
            tile, overlap = settings.tile // scale, settings.overlap // scale
            return pieces(padded // scale, tile, overlap, base.stride // scale)

        grids = [
            Grid(cut(source.height, scale), cut(source.width, scale))
            for scale in (1, base.downscale)
        ]
        return cls(*grids)


def in_pixels(tile: Tile, downscale: int) -> tuple[slice, slice]:
    """Where a tile of the latent lies in the photo."""
    rows, cols = (slice(p.start * downscale, p.stop * downscale) for p in tile)
    return rows, cols


def embed_prompts(networks: Networks, settings: DiffusionSettings) -> tuple[Tensor, Tensor | None]:
    """The prompt (1, L, D), and the negative prompt where a second pass is needed."""
    base = networks.base
    with networks.inference():
        text = embed(base.tokenizer, base.text_encoder, [settings.prompt])
        if not settings.guided:
            return text, None
        return text, embed(base.tokenizer, base.text_encoder, [settings.negative_prompt])


def encode_tiles(networks: Networks, source: ImageSource, plan: Plan, progress: Progress) -> Tensor:
    """The scaled latent of a photo, (N, C, h, w), float32."""
    base, total, done = networks.base, len(plan.cells.rows) * len(plan.cells.cols), 0

    def compute(tiles: list[Tile]) -> Tensor:
        nonlocal done
        regions = [in_pixels(tile, base.downscale) for tile in tiles]
        images = torch.cat([read_padded(source, *region)[0] for region in regions])
        with networks.inference():
            z = encode(base.vae, images.to(networks.device, networks.dtype))
        done += len(tiles)
        progress(done / total)
        return z

    return blend(plan.cells, networks.at_once, compute)


class Denoiser:
    """Predicts the noise of a whole latent from tiles of it.

    Args:
        latent: (N, C, h, w), the photo's own; needed in latent space only.
        text: from `embed_prompts`.
    """

    def __init__(
        self, networks: Networks, source: ImageSource, plan: Plan, settings: DiffusionSettings,
        latent: Tensor | None, text: tuple[Tensor, Tensor | None],
    ) -> None:  # fmt: skip
        self.networks, self.source, self.plan, self.settings = networks, source, plan, settings
        self.latent = latent
        self.text, self.negative = text

    def __call__(self, zt: Tensor, t: Tensor, z0_hat: Tensor | None) -> Tensor:
        """eps or v of (N, C, h, w) at timesteps (N,); z0_hat is the running estimate."""
        if self.settings.self_condition == 0:
            z0_hat = None

        def compute(tiles: list[Tile]) -> Tensor:
            cuts = [(..., tile[0].slice, tile[1].slice) for tile in tiles]
            z = torch.cat([zt[cut] for cut in cuts]).to(self.networks.dtype)
            with self.networks.inference():
                parts = [self._condition(tile, z0_hat) for tile in tiles]
                return self._guided(z, t.repeat(len(tiles)), torch.cat(parts))

        return blend(self.plan.cells, self.networks.at_once, compute)

    def _condition(self, tile: Tile, z0_hat: Tensor | None) -> Tensor:
        """What the ControlNet sees of one tile, (N, ...)."""
        networks, share = self.networks, self.settings.self_condition
        region = in_pixels(tile, networks.base.downscale)
        image, mask = read_padded(self.source, *region)
        cut = (..., tile[0].slice, tile[1].slice)
        seen = image if self.latent is None else self.latent[cut]
        seen = seen.to(networks.device, networks.dtype)
        mask = None if mask is None else mask.to(networks.device, networks.dtype)
        if z0_hat is not None:
            estimate = z0_hat[cut].to(networks.dtype)
            if networks.kind.space == "pixel":
                estimate = decode(networks.base.vae, estimate).clamp(0, 1)
            seen = torch.lerp(seen, estimate.to(seen.dtype), share)
            mask = None if mask is None else (1 - share) * mask
        return make_condition(networks.kind, seen, mask)

    def _guided(self, z: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        """The prediction, drawn away from the negative prompt (arXiv 2207.12598, Eq. 6)."""
        networks = self.networks
        unet, controlnet = networks.base.unet, networks.controlnet
        text = self.text.to(z.dtype).expand(len(z), -1, -1)
        out = predict(unet, controlnet, z, t, text, condition).float()
        if self.negative is None:
            return out
        text = self.negative.to(z.dtype).expand(len(z), -1, -1)
        away = predict(unet, controlnet, z, t, text, condition).float()
        return away + self.settings.guidance * (out - away)


def denoise(
    networks: Networks, source: ImageSource, plan: Plan, settings: DiffusionSettings, noise: Tensor,
    progress: Progress,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """The restored latent of a photo.

    Args:
        noise: (N, C, h, w), Gaussian.
        progress: called with the share that is done.

    Returns:
        z0, (N, C, h, w), scaled, float32, on the networks' device, and the photo's own latent,
        which is None where nothing needs it.
    """
    schedule = networks.schedule
    times = timesteps(settings.steps, settings.strength, schedule.steps)
    if settings.fidelity == 1:
        times = times[:1]  # nothing of the later ones would be seen
    photo_latent = None
    if networks.kind.space == "latent" or settings.strength < 1 or settings.fidelity > 0:
        photo_latent = encode_tiles(networks, source, plan, lambda share: progress(0.1 * share))
    noise = noise.to(networks.device)
    zt = noise
    if photo_latent is not None and settings.strength < 1:
        first = torch.full((len(noise),), times[0] if times else -1, device=networks.device)
        zt = q_sample(schedule, photo_latent, noise, first) if times else photo_latent
    text = embed_prompts(networks, settings)
    shown = photo_latent if networks.kind.space == "latent" else None
    model = Denoiser(networks, source, plan, settings, shown, text)
    done = 0

    def counted(zt: Tensor, t: Tensor, z0_hat: Tensor | None) -> Tensor:
        nonlocal done
        out = model(zt, t, z0_hat)
        done += 1
        progress(0.1 + 0.9 * done / len(times))
        return out

    with torch.inference_mode():
        return sample(schedule, zt, times, counted, mean=settings.fidelity), photo_latent
