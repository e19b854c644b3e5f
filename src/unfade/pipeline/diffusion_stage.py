"""The diffusion model of a restorer: tells whether it takes part, and loads it when it does."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch

from unfade.errors import UsageError, WeightsError
from unfade.models.presets import Defaults
from unfade.options import Dtype, RestoreOptions, Task
from unfade.pipeline.sampling import most_strength
from unfade.pipeline.traits import TRAITS
from unfade.pipeline.weights import DiffusionWeights

if TYPE_CHECKING:
    from unfade.pipeline.diffusion import RestorationPipeline

#: Of a base model alone, in the damage: broad tone and colours of the first stage's fill are kept.
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
        """How the model is run where the options do not say; a preset speaks of its own only."""
        if self.weights.alone:
            return Defaults(strength={"old-photo": ALONE_STRENGTH})
        return Defaults() if self.weights.named else self.weights.preset.defaults

    def may_act(self, options: RestoreOptions) -> bool:
        """Whether some photo may be given to the model."""
        strength = options.strength
        if options.paper:
            most = 1.0
        else:
            most = most_strength(options.task, self.defaults) if strength == "auto" else strength
        alone_can = not self.weights.alone or options.within_damage
        return most > 0 and not self.weights.missing and alone_can

    def lacks_first_stage(self, task: Task) -> bool:
        """Whether the preset has no network that does a task without diffusion."""
        file = TRAITS[task].first_stage
        return bool(file) and not self.weights.preset.optional(file)

    def must_act(self, options: RestoreOptions) -> bool:
        """Whether no first stage of the preset can do what is asked."""
        return options.asks_diffusion or self.lacks_first_stage(options.task)

    def require(self, options: RestoreOptions) -> None:
        """Refuses options that the weights of this restorer cannot obey.

        Raises:
            UsageError: a base model alone is asked for more than to fill damage; or a task that
                needs the model, with a preset that leaves it out.
            WeightsError: a part is missing.
        """
        lacks = self.lacks_first_stage(options.task)
        if lacks and options.strength == 0:
            fix = "leave the strength out, or use a preset that has it"
            expected = f"it, for {options.task} without diffusion"
            got = f"no {TRAITS[options.task].first_stage}"
            raise WeightsError(got, expected, fix, path=self.weights.preset.folder)
        if self.weights.alone and options.strength != 0 and not options.within_damage:
            got = f"task '{options.task}'" + (" everywhere" if options.reach == "all" else "")
            raise UsageError(
                f"{got} with a base model and no ControlNet",
                "a ControlNet, which shows the model the photo; alone it fills damage only",
                "add controlnet=ID|PATH, or leave the base model out",
            )  # fmt: skip
        if self.must_act(options) or self.weights.named:
            self.weights.require(cfw=options.fidelity not in ("auto", 0))
        if lacks and not self.may_act(options):
            got = f"strength 'auto' for {options.task}, which is 0 with this preset"
            raise UsageError(got, "more than 0: only the diffusion model can do it", "try 1")

    def warn_unused(self, options: RestoreOptions) -> None:
        """Warns of options for the model, for a photo that is restored without it.

        Of variants that there is one of, `unfade.api` says more.
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
        """The model; it is read from disk by the first call.

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
        """Warns, once for each pair of prompts, of words that the model does not see."""
        prompts = (options.full_prompt, options.negative_prompt)
        if prompts in self._checked_prompts:
            return
        from unfade.pipeline.prompts import warn_of_lost_words

        warn_of_lost_words(self.load(), options)
        self._checked_prompts.add(prompts)
