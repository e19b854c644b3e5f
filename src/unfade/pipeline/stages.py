"""The networks of a restorer: first stage, enlarger and diffusion model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from unfade.models.presets import ENLARGER
from unfade.options import TASKS, Dtype, Prediction, RestoreOptions, Task
from unfade.pipeline.diffusion_stage import DiffusionStage
from unfade.pipeline.first_stage import FirstStage
from unfade.pipeline.traits import TRAITS, TaskTraits
from unfade.pipeline.upscale import Upscaler
from unfade.pipeline.weights import DiffusionWeights


@dataclass
class Stages:
    """The first stage is in memory; the others are loaded for the first photo that needs them."""

    first_stage: FirstStage
    diffusion: DiffusionStage

    @classmethod
    def from_pretrained(
        cls, preset: str | Path, *, device: str, base: str | Path | None = None,
        controlnet: str | Path | None = None, prediction: Prediction | None = None,
        dtype: Dtype = "auto", offload: bool = False,
    ) -> Stages:  # fmt: skip
        """Loads a preset; arguments and errors are those of `Restorer.from_pretrained`."""
        weights = DiffusionWeights.find(
            preset, base=base, controlnet=controlnet, prediction=prediction
        )
        first_stage = FirstStage.from_pretrained(preset, device=device)
        stage = DiffusionStage(weights, first_stage.device, dtype=dtype, offload=offload)
        return cls(first_stage, stage)

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What the weights can do."""
        weights = self.diffusion.weights

        def able(traits: TaskTraits) -> bool:
            if not (traits.enlarges or traits.needs_diffusion):
                return True
            if weights.alone:  # it fills damage, and whoever names it wants it to take part
                return False
            return not weights.missing or (traits.enlarges and bool(weights.preset.enlarger))

        return tuple(task for task in TASKS if able(TRAITS[task]))

    def weights_for(self, options: RestoreOptions) -> dict[str, str]:
        """The SHA-256 of each file of weights that restoring with these options goes by."""
        weights = self.diffusion.weights
        enlarger = weights.preset.enlarger if TRAITS[options.task].enlarges else {}
        diffusion = weights.hashes if self.diffusion.may_act(options) else {}
        return self.first_stage.weights | enlarger | diffusion

    @cached_property
    def upscaler(self) -> Upscaler | None:
        """The first stage of super-resolution; None where the preset has none.

        Raises:
            WeightsError: its file is damaged.
        """
        preset = self.diffusion.weights.preset
        if not preset.enlarger:
            return None
        preset.check(preset.enlarger)
        return Upscaler.load(preset.folder / ENLARGER, self.first_stage.device)
