"""The diffusers pipeline of the diffusion model: photos in, restored photos out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor
from transformers import CLIPTextModel, PreTrainedTokenizerBase

from unfade.diffusion.condition import ConditionKind
from unfade.diffusion.schedule import Schedule
from unfade.errors import UsageError
from unfade.models.cfw import Cfw
from unfade.models.folder import Base
from unfade.models.inference import Precision
from unfade.models.tensors import from_array
from unfade.pipeline.decode import Band, decode_bands
from unfade.pipeline.denoise import Networks, Plan, denoise, unknown_cells
from unfade.pipeline.image_source import ImageSource, TensorSource
from unfade.pipeline.settings import DiffusionSettings
from unfade.rng import generator
from unfade.timing import Progress, ignore


@dataclass(frozen=True)
class RestorationOutput:
    """Restored photos, (N * variants, 3, H, W) in [0, 1]: the variants of a photo in a row."""

    images: Tensor


class RestorationPipeline(DiffusionPipeline):
    """A frozen latent diffusion model, steered by a ControlNet that sees the photo to restore.

    Without a ControlNet it fills what a mask shows as damaged, and leaves the rest.

    Args:
        vae, unet, text_encoder, tokenizer, scheduler: the base model.
        controlnet: in pixel or latent space, with or without the mask channel.
        cfw: controllable feature wrapping, for `fidelity`.

    Attributes:
        precision: of convolutions and products, for weights in fp32: "auto" is bf16 where the
            processor has it.
        offload_to: the device that each network is brought to while it runs, the others waiting on
            the processor; None leaves them where they are.
    """

    precision: Precision = "auto"
    offload_to: torch.device | None = None

    _optional_components = ["controlnet", "cfw"]  # noqa: RUF012 - diffusers' name and type

    def __init__(
        self, vae: AutoencoderKL, unet: UNet2DConditionModel, text_encoder: CLIPTextModel,
        tokenizer: PreTrainedTokenizerBase, scheduler: DDIMScheduler,
        controlnet: ControlNetModel | None = None, cfw: Cfw | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        cast(Any, self).register_modules(
            vae=vae, unet=unet, text_encoder=text_encoder, tokenizer=tokenizer,
            scheduler=scheduler, controlnet=controlnet, cfw=cfw,
        )  # fmt: skip

    @classmethod
    def from_base(
        cls, base: Base, controlnet: ControlNetModel | None = None, cfw: Cfw | None = None
    ) -> RestorationPipeline:
        """From networks that are loaded already."""
        return cls(
            base.vae, base.unet, base.text_encoder, base.tokenizer, base.scheduler, controlnet, cfw
        )

    @property
    def side(self) -> int:
        """The side of the pictures that the base model was made for, pixels."""
        return self.networks.base.side

    @property
    def networks(self) -> Networks:
        """The networks as they are now.

        Raises:
            UsageError: the base model predicts neither noise nor v.
            WeightsError: the ControlNet is for another condition.
        """
        parts = cast(Any, self)
        base = Base(parts.vae, parts.unet, parts.text_encoder, parts.tokenizer, parts.scheduler)
        kind = None if parts.controlnet is None else ConditionKind.of(parts.controlnet)
        schedule = Schedule.from_scheduler(parts.scheduler)
        return Networks(
            base, parts.controlnet, parts.cfw, kind, schedule, self.precision,
            self.offload_to or base.unet.device, self.offload_to is not None,
        )  # fmt: skip

    def compile_networks(self) -> None:
        """Lets torch.compile translate what runs most: UNet, ControlNet, blocks of the decoder.

        That takes minutes, at the first photo and whenever tiles of another size come.
        """
        parts = cast(Any, self)
        decoder = parts.vae.decoder
        for network in (parts.unet, parts.controlnet, decoder.mid_block, *decoder.up_blocks):
            if network is not None:
                network.compile()

    def __call__(
        self,
        image: Tensor,
        mask: Tensor | None = None,
        *,
        settings: DiffusionSettings | None = None,
        variants: int = 1,
    ) -> RestorationOutput:
        """Restores a batch of photos of one size.

        A photo comes out the same in any batch: its noise depends on the seed and the variant.

        Args:
            image: (N, 3, H, W) in [0, 1], of any size.
            mask: (N, 1, H, W) in [0, 1], 1 = damaged.
            variants: results for each photo, from different noise.

        Raises:
            InputError: shapes that do not fit.
            UsageError: settings that this model does not support.
        """
        if variants < 1:
            raise UsageError(f"{variants} variants", "1 or more", "try 1")
        source = TensorSource(image, mask)
        settings = settings or DiffusionSettings()
        results: list[Tensor] = []
        for variant in range(variants):
            bands = [band for _, band in self.bands(source, settings, variant=variant)]
            results.append(torch.cat(bands, 2))  # (N, 3, H, W)
        return RestorationOutput(torch.stack(results, 1).flatten(0, 1))

    def bands(
        self,
        source: ImageSource,
        settings: DiffusionSettings,
        *,
        variant: int = 0,
        progress: Progress = ignore,
    ) -> Iterator[Band]:
        """Restores photos; the pixels of the result come in bands, from top to bottom.

        Memory is bounded by the tile but for the latent, of which a few copies are held (one has
        4 C / f^2 bytes a pixel: for 24 channels at 1/8, half of an 8-bit photo).

        Args:
            variant: which noise, from 0.
            progress: called with the share that is done, 0..1.

        Yields:
            The first row of a band, and the band, (N, 3, h, W) in [0, 1], on the processor.

        Raises:
            UsageError: settings that this model does not support; neither a ControlNet nor damage;
                or the memory of the device is too small.
        """
        try:
            yield from self._bands(source, settings, variant, progress)
        except torch.OutOfMemoryError as error:
            raise out_of_memory(self.networks.device) from error

    def _bands(
        self, source: ImageSource, settings: DiffusionSettings, variant: int, progress: Progress
    ) -> Iterator[Band]:
        networks = self.networks
        if settings.fidelity > 0 and networks.cfw is None:
            got = f"fidelity {settings.fidelity} without a CFW"
            raise UsageError(got, "a model with one", "train it (`unfade train cfw`), or use 0")
        plan, unknown = Plan.of(source, networks.base, settings), None
        if networks.controlnet is None:
            unknown = unknown_cells(source, plan, networks.base.downscale)
            plan = plan.only(unknown)

        def noise(stream: str, index: int) -> Tensor:
            return _noise(networks, source, plan, settings.seed, stream, index)

        latents = denoise(
            networks, source, plan, settings, noise("restore", variant),
            lambda share: progress(0.7 * share), unknown,
            lambda step: noise(f"restore, step {step}", variant),
        )  # fmt: skip
        yield from decode_bands(
            networks, *latents, source, plan, settings, lambda share: progress(0.7 + 0.3 * share)
        )


def _noise(
    networks: Networks, source: ImageSource, plan: Plan, seed: int, stream: str, index: int
) -> Tensor:
    """(N, C, h, w): each photo's own generator, on the processor, whatever the batch."""
    channels = int(cast(Any, networks.base.unet).config.in_channels)
    shape = (channels, plan.cells.rows[-1].stop, plan.cells.cols[-1].stop)
    noise = generator(seed, stream, index).standard_normal(shape, np.float32)
    return from_array(noise).expand(source.count, *shape)


def out_of_memory(device: torch.device) -> UsageError:
    """The error for networks or activations that do not fit into the device's memory."""
    torch.cuda.empty_cache()
    return UsageError(
        f"too little free memory on {device}", "room for the diffusion model",
        "use offload=True, dtype='fp16', a smaller tile=N, or device='cpu'",
    )  # fmt: skip
