"""Method that decodes the diffusion model's clean estimate after each sampling step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unfade.bench.cases import Case, Cost
from unfade.bench.methods.classics import INTERPOLATIONS
from unfade.bench.methods.in_process import (
    in_colours_of_reference,
    pixels,
    resized,
    restore_each,
    with_pixels,
)
from unfade.bench.methods.ours import Preset
from unfade.bench.result_checks import target_size
from unfade.errors import UsageError
from unfade.imaging import Photo, read_photo
from unfade.manifest import Value
from unfade.options import RestoreOptions
from unfade.rng import generator

if TYPE_CHECKING:
    from unfade.degrade.types import Image
    from unfade.pipeline.diffusion import RestorationPipeline

AFTER = "after step"  # the parameter of the cases; their value is the step, from 1


class Estimates:
    """A preset, stopped after a step: the decoded estimate of the clean latent (Eq. 4).

    Sampling is that of the preset from pure noise, on what its first stage makes of the photo, with
    the mask that restoring uses; no colour fix. In paper mode it is on the photo itself, enlarged
    by bicubic interpolation where it is small. One photo is sampled once for all its steps.

    Args:
        preset: gives the networks and the options.
    """

    takes_whole_case = False

    def __init__(self, preset: Preset) -> None:
        self.name = preset.name
        self.preset = preset
        self._pipeline: RestorationPipeline | None = None
        self._seen: dict[Path, list[np.ndarray[Any, np.dtype[np.uint8]]]] = {}

    def check(self, cases: Sequence[Case]) -> None:
        """Loads the diffusion model.

        Raises:
            UsageError: a step that is not on the way.
            WeightsError: there is no such model, or it is damaged.
        """
        from unfade.pipeline.weights import DiffusionWeights

        self.preset.check(cases)
        for case in cases:
            options = self.preset.options(case)
            if options.paper and options.search != "none":
                got = f"paper mode with a mask in {case.table}/{case.name}"
                raise UsageError(got, "mask 'none'", "give mask=none, or leave paper out")
            if case.value is None or not 1 <= case.value <= _steps(options):
                got, expected = f"step {case.value}", f"1 to {_steps(options)}"
                raise UsageError(got, expected, "take one of them")
        if self._pipeline is None:
            from unfade.models.checkpoint import pick_device
            from unfade.pipeline.load import load_pipeline

            options = self.preset.options(cases[0])
            weights = DiffusionWeights.find(
                options.preset, base=options.base, controlnet=options.controlnet
            )
            self._pipeline = load_pipeline(weights, pick_device(options.device))

    def identity(self, case: Case) -> Mapping[str, Value]:
        """That of the preset, and the step."""
        return {**self.preset.identity(case), "kind": "estimate", "after": case.value}

    def restore_folder(
        self, case: Case, images: Mapping[str, Path], outputs: Path, log: Path
    ) -> Cost | None:
        """Writes the estimates of one step (`Method.restore_folder`); only the first one costs."""

        def restore(name: str, path: Path) -> Photo:
            photo = read_photo(path)
            if path not in self._seen:
                self._seen[path] = self._sampled(case, *self._condition(case, path, photo))
            step = round(case.value or 1)
            estimate = self._seen[path][step - 1].astype(np.float32) / np.float32(255)
            return in_colours_of_reference(case, name, with_pixels(photo, estimate))

        return restore_each(images, outputs, restore, None)

    def _condition(
        self, case: Case, path: Path, photo: Photo
    ) -> tuple[Image, np.ndarray[Any, np.dtype[np.uint8]] | None]:
        """The picture that the ControlNet sees, (H, W, 3), and its mask, (H, W) or None."""
        if self.preset.options(case).paper:
            return resized(pixels(photo), target_size(case, photo), INTERPOLATIONS["bicubic"]), None
        start = self.preset.first_stage(case, path)
        return pixels(start.image), start.mask

    def _sampled(
        self, case: Case, image: Image, soft: np.ndarray[Any, np.dtype[np.uint8]] | None
    ) -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
        """The estimate after each step, (H, W, 3) in 8 bits."""
        import torch

        from unfade.diffusion.condition import decode
        from unfade.diffusion.sample import sample
        from unfade.diffusion.schedule import timesteps
        from unfade.models.tensors import from_array
        from unfade.pipeline.denoise import Denoiser, Plan, embed_prompts, encode_tiles
        from unfade.pipeline.image_source import TensorSource
        from unfade.pipeline.settings import DiffusionSettings

        assert self._pipeline is not None, "a method is checked before it runs"
        networks, options = self._pipeline.networks, self.preset.options(case)
        device = networks.base.unet.device
        condition = from_array(image).permute(2, 0, 1)[None].to(device)  # (1, 3, H, W)
        mask = None
        if soft is not None:
            damaged = soft >= self.preset.threshold(case) * 255
            mask = from_array(damaged.astype(np.float32))[None, None].to(device)  # (1, 1, H, W)
        source = TensorSource(condition, mask)
        steps = _steps(options)
        settings = DiffusionSettings(steps=steps, seed=options.seed)
        plan = Plan.of(source, networks.base, settings)
        latent = None
        if networks.sees_latent:
            latent = encode_tiles(networks, source, plan, lambda _: None)
        text = embed_prompts(networks, settings)
        model = Denoiser(networks, source, plan, settings, latent, text)
        latents: list[torch.Tensor] = []  # (1, C, h, w) each

        def noted(zt: torch.Tensor, t: torch.Tensor, z0_hat: torch.Tensor | None) -> torch.Tensor:
            latents.extend([] if z0_hat is None else [z0_hat])
            return model(zt, t, z0_hat)

        channels = int(self._pipeline.networks.base.unet.config["in_channels"])
        shape = (1, channels, plan.cells.rows[-1].stop, plan.cells.cols[-1].stop)
        drawn = generator(options.seed, "restore").standard_normal(shape[1:], np.float32)
        noise = from_array(drawn).expand(shape).to(device)
        times = timesteps(steps, 1.0, networks.schedule.steps)
        with torch.inference_mode():
            latents.append(sample(networks.schedule, noise, times, noted))
            decoded = (decode(networks.base.vae, z.to(networks.base.vae.dtype)) for z in latents)
            height, width = image.shape[:2]
            return [
                (d[0, :, :height, :width].permute(1, 2, 0).float().clamp(0, 1) * 255)
                .round()
                .to(torch.uint8)
                .cpu()
                .numpy()
                for d in decoded
            ]


def _steps(options: RestoreOptions) -> int:
    """The steps whose estimates are shown. UsageError if the options do not set them."""
    if options.steps == "auto":
        raise UsageError("steps 'auto'", "a number: the way is looked at step by step", "give one")
    return options.steps
