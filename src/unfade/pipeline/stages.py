"""The networks of a restorer: first stages of the tasks, and diffusion model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from unfade.models.presets import COLOUR, ENLARGER
from unfade.options import TASKS, Dtype, Prediction, RestoreOptions, Task
from unfade.pipeline.colourise import PhotoColouriser
from unfade.pipeline.diffusion_stage import DiffusionStage
from unfade.pipeline.first_stage import FirstStage
from unfade.pipeline.traits import TRAITS
from unfade.pipeline.upscale import Upscaler
from unfade.pipeline.weights import DiffusionWeights


@dataclass
class Stages:
    """The networks: the first stage is loaded at once, the others on first use."""

    first_stage: FirstStage
    diffusion: DiffusionStage

    @classmethod
    def from_pretrained(
        cls, preset: str | Path, *, device: str, base: str | Path | None = None,
        controlnet: str | Path | None = None, prediction: Prediction | None = None,
        dtype: Dtype = "auto", offload: bool = False, compiled: bool = False,
    ) -> Stages:  # fmt: skip
        """Loads a preset; arguments and errors are those of `Restorer.from_pretrained`."""
        weights = DiffusionWeights.find(
            preset, base=base, controlnet=controlnet, prediction=prediction
        )
        first_stage = FirstStage.from_pretrained(preset, device=device)
        stage = DiffusionStage(
            weights, first_stage.device, dtype=dtype, offload=offload, compiled=compiled
        )
        return cls(first_stage, stage)

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks that the weights support."""
        weights = self.diffusion.weights

        def is_available(task: Task) -> bool:
            if weights.lacks_controlnet and TRAITS[task].first_stage:
                return False  # a base model without ControlNet only fills damage
            return not weights.missing or not self.diffusion.lacks_first_stage(task)

        return tuple(task for task in TASKS if is_available(task))

    def weights_for(self, options: RestoreOptions) -> dict[str, str]:
        """The SHA-256 of each file of weights that these options use."""
        weights = self.diffusion.weights
        first_stage_files = weights.preset.optional(TRAITS[options.task].first_stage)
        diffusion = weights.hashes if self.diffusion.may_be_used(options) else {}
        return self.first_stage.weights | first_stage_files | diffusion

    @cached_property
    def upscaler(self) -> Upscaler | None:
        """The first stage of super-resolution; None where the preset has none.

        Raises:
            WeightsError: its file is damaged.
        """
        path = self._optional(ENLARGER)
        return path and Upscaler.load(path, self.first_stage.device)

    @cached_property
    def colouriser(self) -> PhotoColouriser | None:
        """The first stage of colouring; None where the preset has none.

        Raises:
            WeightsError: its file is damaged.
        """
        path = self._optional(COLOUR)
        return path and PhotoColouriser.load(path, self.first_stage.device)

    def _optional(self, file: str) -> Path | None:
        """Checks a file that the preset may lack; None where it does."""
        preset = self.diffusion.weights.preset
        files = preset.optional(file)
        preset.check(files)
        return preset.folder / file if files else None
