"""Encodes a photo and denoises its latent, tile by tile."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from diffusers.models.controlnets.controlnet import ControlNetModel
from torch import Tensor, nn
from torch.nn import functional as F

from unfade.diffusion.condition import ConditionKind, decode, embed, encode, make_condition
from unfade.diffusion.predict import predict
from unfade.diffusion.sample import sample
from unfade.diffusion.schedule import Schedule, q_sample, target, timesteps
from unfade.errors import UsageError
from unfade.models.cfw import Cfw
from unfade.models.folder import Base
from unfade.models.inference import Precision, mixed
from unfade.pipeline.image_source import ImageSource, read_mask_padded, read_padded
from unfade.pipeline.overlap import Grid, Piece, Tile, blend, pieces
from unfade.pipeline.settings import DiffusionSettings
from unfade.timing import Progress


@dataclass(frozen=True)
class Networks:
    """The networks of the diffusion model, with device and precision.

    Attributes:
        controlnet: None where the base model fills damage alone.
        kind: the condition of the ControlNet; None without one.
        precision: of convolutions and products, for weights in fp32.
        device: where they run.
        offload: keep each network on the device only while it runs.
    """

    base: Base
    controlnet: ControlNetModel | None
    cfw: Cfw | None
    kind: ConditionKind | None
    schedule: Schedule
    precision: Precision
    device: torch.device
    offload: bool = False

    @property
    def sees_latent(self) -> bool:
        """Whether the condition of the ControlNet is the photo's latent."""
        return self.kind is not None and self.kind.space == "latent"

    @property
    def dtype(self) -> torch.dtype:
        """The type of the weights of UNet and ControlNet."""
        return self.base.unet.dtype

    def tiles_per_pass(self, plan: Plan) -> int:
        """The number of tiles in one pass: 1 on a processor, as many as memory allows on a GPU.

        A tile needs five copies of the decoder's widest layer.
        """
        if self.device.type != "cuda":
            return 1
        rows, cols = plan.pixels.rows[0], plan.pixels.cols[0]
        widths = cast(Any, self.base.vae).config.block_out_channels
        tile = (rows.stop - rows.start) * (cols.stop - cols.start) * widths[min(1, len(widths) - 1)]
        free, _ = torch.cuda.mem_get_info(self.device)
        return max(1, min(8, free // (5 * 4 * tile)))

    @contextmanager
    def inference(self) -> Generator[None]:
        """No gradients, and products in the precision asked for."""
        precision = self.precision if self.dtype == torch.float32 else "fp32"
        with torch.inference_mode(), mixed(self.device, precision):
            yield

    def through_vae(self, compute: Callable[[], Tensor]) -> Tensor:
        """Runs the autoencoder in a precision that does not overflow.

        With a UNet in bf16 it computes in bf16 too. fp16 overflows in some autoencoders: those
        with `force_upcast` in their configuration run in fp32, and a result that is not finite is
        computed again in fp32.
        """
        vae = cast(Any, self.base.vae)
        if vae.dtype != torch.float32 or self.dtype == torch.float32:
            with self.inference():
                return compute()
        half = self.dtype == torch.float16
        fast = not (half and vae.config.force_upcast)
        with torch.inference_mode():
            with torch.autocast(self.device.type, self.dtype, fast):
                out = compute()
            if half and fast and not bool(torch.isfinite(out).all()):
                out = compute()
        return out

    @contextmanager
    def resident(self, *modules: nn.Module | None) -> Generator[None]:
        """Moves networks to the device for the block, if they are offloaded."""
        moved = [module for module in modules if module is not None and self.offload]
        for module in moved:
            module.to(self.device)
        try:
            yield
        finally:
            for module in moved:
                module.to("cpu")


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

    def only(self, unknown: Tensor) -> Plan:
        """The plan without the tiles that have no unknown cell.

        Args:
            unknown: (N, 1, h, w) of bool, cells of the latent (`unknown_cells`).
        """
        skipped = frozenset(
            (i, j)
            for i, row in enumerate(self.cells.rows)
            for j, col in enumerate(self.cells.cols)
            if not bool(unknown[..., row.slice, col.slice].any())
        )
        return Plan(replace(self.pixels, skipped=skipped), replace(self.cells, skipped=skipped))


def unknown_cells(source: ImageSource, plan: Plan, downscale: int) -> Tensor:
    """The cells of the latent to be sampled, (N, 1, h, w) of bool.

    These are the cells with any damaged pixel, and their neighbours, whose values depend on the
    damage.

    Raises:
        UsageError: nothing is damaged.
    """
    height, width = plan.cells.rows[-1].stop, plan.cells.cols[-1].stop
    out = torch.zeros(source.count, 1, height, width)
    for row in plan.cells.rows:
        for col in plan.cells.cols:
            mask = read_mask_padded(source, *in_pixels((row, col), downscale))
            if mask is not None:
                out[..., row.slice, col.slice] = F.max_pool2d(mask, downscale)
    unknown = F.max_pool2d(out, 3, 1, 1) > 0
    if not bool(unknown.any()):
        raise UsageError(
            "a base model without a ControlNet, and nothing to fill", "a mask of the damage",
            "give one, or add a ControlNet that sees the whole photo",
        )  # fmt: skip
    return unknown


def in_pixels(tile: Tile, downscale: int) -> tuple[slice, slice]:
    """The region of the photo that a tile of the latent covers."""
    rows, cols = (slice(p.start * downscale, p.stop * downscale) for p in tile)
    return rows, cols


def embed_prompts(networks: Networks, settings: DiffusionSettings) -> tuple[Tensor, Tensor | None]:
    """The prompt (1, L, D), and the negative prompt where a second pass is needed."""
    base = networks.base
    with networks.resident(base.text_encoder), networks.inference():
        text = embed(base.tokenizer, base.text_encoder, [settings.prompt])
        if not settings.guided:
            return text, None
        return text, embed(base.tokenizer, base.text_encoder, [settings.negative_prompt])


def encode_tiles(networks: Networks, source: ImageSource, plan: Plan, progress: Progress) -> Tensor:
    """The scaled latent of a photo, (N, C, h, w), float32."""
    base, total, encoded = networks.base, len(plan.cells), 0

    def compute(tiles: list[Tile]) -> Tensor:
        nonlocal encoded
        regions = [in_pixels(tile, base.downscale) for tile in tiles]
        images = torch.cat([read_padded(source, *region) for region in regions])
        images = images.to(networks.device, base.vae.dtype)
        z = networks.through_vae(lambda: encode(base.vae, images))
        encoded += len(tiles)
        progress(encoded / total)
        return z

    with networks.resident(base.vae):
        return blend(plan.cells, networks.tiles_per_pass(plan), compute)


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
                condition = None
                if self.networks.kind is not None:
                    kind = self.networks.kind
                    condition = torch.cat([self._condition(kind, tile, z0_hat) for tile in tiles])
                return self._guided(z, t.repeat(len(tiles)), condition)

        return blend(self.plan.cells, self.networks.tiles_per_pass(self.plan), compute)

    def _condition(self, kind: ConditionKind, tile: Tile, z0_hat: Tensor | None) -> Tensor:
        """The condition of the ControlNet for one tile, (N, ...)."""
        networks, share = self.networks, self.settings.self_condition
        region = in_pixels(tile, networks.base.downscale)
        mask = read_mask_padded(self.source, *region) if kind.mask else None
        cut = (..., tile[0].slice, tile[1].slice)
        latent = self.latent
        visible = read_padded(self.source, *region) if latent is None else latent[cut]
        visible = visible.to(networks.device, networks.dtype)
        mask = None if mask is None else mask.to(networks.device, networks.dtype)
        if z0_hat is not None:
            estimate = z0_hat[cut]
            if kind.space == "pixel":
                vae, z = networks.base.vae, estimate.to(networks.base.vae.dtype)
                estimate = networks.through_vae(lambda: decode(vae, z)).clamp(0, 1)
            visible = torch.lerp(visible, estimate.to(visible.dtype), share)
            mask = None if mask is None else (1 - share) * mask
        return make_condition(kind, visible, mask)

    def _guided(self, z: Tensor, t: Tensor, condition: Tensor | None) -> Tensor:
        """The prediction with classifier-free guidance (arXiv 2207.12598, Eq. 6).

        Both prompts go through the networks together on a GPU; a processor gains nothing by it.
        """
        networks = self.networks
        unet, controlnet = networks.base.unet, networks.controlnet
        text = self.text.to(z.dtype).expand(len(z), -1, -1)
        if self.negative is None:
            return predict(unet, controlnet, z, t, text, condition).float()
        negative_text = self.negative.to(z.dtype).expand(len(z), -1, -1)
        if networks.device.type == "cpu":
            out = predict(unet, controlnet, z, t, text, condition).float()
            negative_prediction = predict(unet, controlnet, z, t, negative_text, condition).float()
        else:
            conditions = None if condition is None else torch.cat([condition, condition])
            texts = torch.cat([text, negative_text])
            out, negative_prediction = (
                predict(unet, controlnet, torch.cat([z, z]), t.repeat(2), texts, conditions)
                .float()
                .chunk(2)
            )
        return negative_prediction + self.settings.guidance * (out - negative_prediction)


def denoise(
    networks: Networks, source: ImageSource, plan: Plan, settings: DiffusionSettings, noise: Tensor,
    progress: Progress, unknown: Tensor | None = None,
    fresh: Callable[[int], Tensor] | None = None,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """The restored latent of a photo.

    Args:
        noise: (N, C, h, w), Gaussian.
        fresh: the number of a step, from 0 -> its own noise, as `noise`; needed where eta is above
            0.
        progress: called with the share that is done.
        unknown: (N, 1, h, w) of bool, the cells to be found, where the base model works alone: at
            each step all others have the photo's own latent with the noise of that step (RePaint,
            arXiv 2201.09865; Blended Latent Diffusion, arXiv 2206.02779). None finds all.

    Returns:
        z0, (N, C, h, w), scaled, float32, on the networks' device, and the photo's own latent,
        which is None where nothing needs it.
    """
    schedule = networks.schedule
    times = timesteps(settings.steps, settings.strength, schedule.steps)
    if settings.posterior_mean == 1:
        times = times[:1]  # later steps would not change the result
    photo_latent = None
    latent_counts = networks.sees_latent or unknown is not None
    if latent_counts or settings.strength < 1 or settings.vae_residual > 0:
        photo_latent = encode_tiles(networks, source, plan, lambda share: progress(0.1 * share))
    noise = noise.to(networks.device)
    zt = noise
    if photo_latent is not None and settings.strength < 1:
        first = torch.full((len(noise),), times[0] if times else -1, device=networks.device)
        zt = q_sample(schedule, photo_latent, noise, first) if times else photo_latent
    text = embed_prompts(networks, settings)
    condition_latent = photo_latent if networks.sees_latent else None
    if unknown is not None:
        unknown = unknown.to(networks.device)
        if times and photo_latent is not None:
            first = torch.full((len(noise),), times[0], device=networks.device)
            zt = torch.where(unknown, zt, q_sample(schedule, photo_latent, noise, first))
    model = Denoiser(networks, source, plan, settings, condition_latent, text)
    steps_done = 0

    def denoise_step(zt: Tensor, t: Tensor, z0_hat: Tensor | None) -> Tensor:
        nonlocal steps_done
        out = model(zt, t, z0_hat)
        if unknown is not None and photo_latent is not None:  # known cells keep the photo's latent
            known_noise = noise
            if settings.eta > 0:  # earlier steps have added fresh noise
                ab = schedule.alpha(t, zt)
                known_noise = (zt - ab.sqrt() * photo_latent) / (1 - ab).sqrt()
            out = torch.where(unknown, out, target(schedule, photo_latent, known_noise, t))
        steps_done += 1
        progress(0.1 + 0.9 * steps_done / len(times))
        return out

    parts = (networks.base.unet, networks.controlnet)
    vae = networks.base.vae if settings.self_condition > 0 else None
    with networks.resident(*parts, vae), torch.inference_mode():
        z0 = sample(
            schedule, zt, times, denoise_step, mean=settings.posterior_mean, eta=settings.eta,
            fresh=None if fresh is None else lambda step: fresh(step).to(networks.device),
        )  # fmt: skip
        return z0, photo_latent
