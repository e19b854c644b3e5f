"""The diffusion model of a restorer: decides whether it is used, and loads it on first use."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch

from unfade.errors import UsageError, WeightsError
from unfade.models.presets import Defaults
from unfade.options import Dtype, RestoreOptions, Task
from unfade.pipeline.sampling import max_strength
from unfade.pipeline.traits import TRAITS
from unfade.pipeline.weights import DiffusionWeights

if TYPE_CHECKING:
    from unfade.pipeline.diffusion import RestorationPipeline

#: Strength of a base model without ControlNet: keeps tone and colours of the first stage's fill.
ALONE_STRENGTH = 0.8

logger = logging.getLogger(__name__)


class DiffusionStage:
    """The diffusion model, loaded for the first photo that needs it.

    Restoring without it imports none of its libraries.

    Args:
        weights: where the model comes from.
        device: where it runs.
        pipeline: the model, where it is in memory already.
        dtype, offload, compiled: of the weights, where they wait, and how they run
            (`pipeline.load.load_pipeline`).
    """

    def __init__(
        self,
        weights: DiffusionWeights,
        device: torch.device,
        pipeline: RestorationPipeline | None = None,
        *,
        dtype: Dtype = "auto",
        offload: bool = False,
        compiled: bool = False,
    ) -> None:
        self.weights = weights
        self.device = device
        self.dtype: Dtype = dtype
        self.offload = offload
        self.compiled = compiled
        self._pipeline = pipeline
        self._checked_prompts: set[tuple[str, str]] = set()

    @property
    def defaults(self) -> Defaults:
        """The default sampling parameters; a preset's own defaults apply to its own model only."""
        if self.weights.lacks_controlnet:
            return Defaults(strength={"old-photo": ALONE_STRENGTH})
        return Defaults() if self.weights.chosen_by_user else self.weights.preset.defaults

    def may_be_used(self, options: RestoreOptions) -> bool:
        """Whether the model may be used for some photo with these options."""
        strength = options.strength
        if options.paper:
            maximum = 1.0
        else:
            maximum = max_strength(options.task, self.defaults) if strength == "auto" else strength
        usable = not self.weights.lacks_controlnet or options.within_damage
        return maximum > 0 and not self.weights.missing and usable

    def lacks_first_stage(self, task: Task) -> bool:
        """Whether the preset has no first stage for a task."""
        file = TRAITS[task].first_stage
        return bool(file) and not self.weights.preset.optional(file)

    def is_needed(self, options: RestoreOptions) -> bool:
        """Whether the options need the diffusion model."""
        return options.asks_diffusion or self.lacks_first_stage(options.task)

    def require(self, options: RestoreOptions) -> None:
        """Raises an error for options that the weights of this restorer do not support.

        Raises:
            UsageError: a base model alone is asked for more than to fill damage; or a task that
                needs the model, with a preset that leaves it out.
            WeightsError: a part is missing.
        """
        lacking = self.lacks_first_stage(options.task)
        if lacking and options.strength == 0:
            fix = "leave the strength out, or use a preset that has it"
            expected = f"it, for {options.task} without diffusion"
            got = f"no {TRAITS[options.task].first_stage}"
            raise WeightsError(got, expected, fix, path=self.weights.preset.folder)
        if self.weights.lacks_controlnet and options.strength != 0 and not options.within_damage:
            got = f"task '{options.task}'" + (" everywhere" if options.reach == "all" else "")
            raise UsageError(
                f"{got} with a base model and no ControlNet",
                "a ControlNet, which shows the model the photo; alone it fills damage only",
                "add controlnet=ID|PATH, or leave the base model out",
            )  # fmt: skip
        if self.is_needed(options) or self.weights.chosen_by_user:
            self.weights.require(cfw=options.fidelity not in ("auto", 0))
        if lacking and not self.may_be_used(options):
            got = f"strength 'auto' for {options.task}, which is 0 with this preset"
            raise UsageError(got, "more than 0: only the diffusion model can do it", "try 1")

    def warn_unused(self, options: RestoreOptions) -> None:
        """Warns of options of the model, for a photo that is restored without it.

        `unfade.api` warns of variants.
        """
        unused = [name.replace("_", " ") for name in options.for_diffusion if name != "variants"]
        if unused:
            fix = "strength=0.5 asks for it"
            if "prompt" in unused and options.task == "old-photo":
                fix += ", and task='colorize' takes colours from a prompt"
            logger.warning(
                "the generative model was not needed, so this has no effect: %s; %s",
                ", ".join(unused), fix,
            )  # fmt: skip

    def load(self) -> RestorationPipeline:
        """The model; the first call loads it.

        Raises:
            WeightsError: a part is missing, damaged, or not the expected one.
        """
        if self._pipeline is None:
            from unfade.pipeline.load import load_pipeline

            self._pipeline = load_pipeline(
                self.weights, self.device, dtype=self.dtype, offload=self.offload,
                compiled=self.compiled,
            )  # fmt: skip
        return self._pipeline

    def check_prompts(self, options: RestoreOptions) -> None:
        """Warns, once for each pair of prompts, of words that are unknown or cut off."""
        prompts = (options.full_prompt, options.negative_prompt)
        if prompts in self._checked_prompts:
            return
        from unfade.pipeline.prompts import warn_of_lost_words

        warn_of_lost_words(self.load(), options)
        self._checked_prompts.add(prompts)
