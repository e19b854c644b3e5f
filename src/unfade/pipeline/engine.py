"""The diffusion model of a restorer: loaded for the first photo that needs it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

import torch

from unfade.errors import UsageError, WeightsError
from unfade.imaging import Photo
from unfade.models.presets import ENLARGER, Defaults
from unfade.options import SCALE, RestoreOptions
from unfade.pipeline.auto import Effort, effort, measure, most_strength
from unfade.pipeline.enlarge import check_size
from unfade.pipeline.holes import Mask
from unfade.pipeline.restore import Mender
from unfade.pipeline.upscale import Upscaler
from unfade.pipeline.weights import DiffusionWeights

if TYPE_CHECKING:
    from unfade.pipeline.diffusion import RestorationPipeline

logger = logging.getLogger(__name__)


class Engine:
    """Knows whether the model has a part in a restoration, and does that part.

    Restoring without it imports none of its libraries.

    Args:
        weights: where it comes from.
        device: where it will run.
    """

    def __init__(self, weights: DiffusionWeights, device: torch.device) -> None:
        self.weights = weights
        self.device = device
        self._pipeline: RestorationPipeline | None = None
        self._upscaler: Upscaler | None = None
        self._warned: set[tuple[str, str]] = set()

    def require(self, options: RestoreOptions) -> None:
        """Refuses to go on without the model, where options or names of its parts ask for it.

        Raises:
            UsageError: "sd21" without a ControlNet; or what only the model can do, with a
                preset that leaves it out.
            WeightsError: a part is missing.
        """
        small = options.task == "super-resolution" and not self.weights.preset.enlarger
        if small and options.strength == 0:
            fix = "leave the strength out, or use a preset that has it"
            path = self.weights.preset.folder
            raise WeightsError(f"no {ENLARGER}", "it, to enlarge without diffusion", fix, path=path)
        if options.asks_diffusion or self.weights.named or small:
            self.weights.require(cfw=options.fidelity not in ("auto", 0))
        if (small or options.task == "colorize") and not self.may_act(options):
            got = f"strength 'auto' for {options.task}, which is 0 with this preset"
            raise UsageError(got, "more than 0: only the diffusion model can do it", "try 1")

    @property
    def defaults(self) -> Defaults:
        """How the model is run where the options do not say; a preset speaks of its own only."""
        return Defaults() if self.weights.named else self.weights.preset.defaults

    def may_act(self, options: RestoreOptions) -> bool:
        """Whether some photo may be given to the model."""
        strength = options.strength
        most = most_strength(options.task, self.defaults) if strength == "auto" else strength
        return most > 0 and not self.weights.missing

    def load(self) -> None:
        """Loads the model, unless that has been done.

        Raises:
            WeightsError: a part is missing, damaged, or not the expected one.
        """
        if self._pipeline is None:
            from unfade.pipeline.load import load_pipeline

            self._pipeline = load_pipeline(self.weights, self.device)

    def enlarge(
        self, photo: Photo, options: RestoreOptions, progress: Callable[[str, float], None]
    ) -> list[Photo]:
        """What the first stage of super-resolution makes of a photo; all variants are alike.

        Raises:
            InputError: the result would be larger than the options allow.
            WeightsError: the network is missing or damaged.
        """
        scale = SCALE if options.scale is None else float(options.scale)
        check_size(photo, scale, options.max_pixels)
        upscaler = self._loaded_upscaler()
        assert upscaler is not None, "`require` has seen that it is there"
        image = upscaler.enlarge(photo, scale, tick=lambda share: progress("enlarge", share))
        return [image] * options.variants

    def _loaded_upscaler(self) -> Upscaler | None:
        """The first stage of super-resolution; None where the preset has none."""
        preset = self.weights.preset
        if self._upscaler is None and preset.enlarger:
            preset.check(preset.enlarger)
            self._upscaler = Upscaler.load(preset.folder / ENLARGER, self.device)
        return self._upscaler

    def judge(
        self, photo: Photo, mask: Mask | None, options: RestoreOptions, limit: float
    ) -> dict[str, float]:
        """How the model is to be run on a photo, and the damage (`pipeline.auto`).

        Args:
            mask: (H, W), probability of damage in 1/255; None fills nothing.
            limit: the probability from which a pixel is damage.
        """
        damage = measure(photo, mask, limit)
        cfw = self.weights.cfw is not None
        found = effort(options, damage, cfw=cfw, defaults=self.defaults)
        return {**asdict(found), **asdict(damage)}

    def tell_idle(self, options: RestoreOptions) -> None:
        """A warning that names what was asked of the model, for a photo that it is not given."""
        idle = [name.replace("_", " ") for name in options.for_diffusion]
        if idle:
            logger.warning(
                "no diffusion is called for, so this has no effect: %s; choose a strength above 0",
                ", ".join(idle),
            )  # fmt: skip

    def restore(
        self, mender: Mender, photo: Photo, mask: Mask | None, options: RestoreOptions,
        taken: dict[str, float], limit: float, progress: Callable[[str, float], None],
    ) -> list[Photo]:  # fmt: skip
        """The variants of a photo (`pipeline.tasks.Work`); the model is loaded by then.

        Args:
            taken: from `judge`.
        """
        from unfade.pipeline.tasks import Work, warn_of_lost_words

        assert self._pipeline is not None, "the model is loaded before it is asked"
        prompts = (options.full_prompt, options.negative_prompt)
        if prompts not in self._warned:
            warn_of_lost_words(self._pipeline, options)
            self._warned.add(prompts)
        effort = Effort(
            taken["strength"], taken["fidelity"], int(taken["steps"]), int(taken["draws"]),
            taken["saturation"],
        )  # fmt: skip
        upscaler = self._loaded_upscaler() if options.task == "super-resolution" else None
        work = Work(mender, upscaler, self._pipeline, photo, mask, options, effort, limit, progress)
        return work.results()
