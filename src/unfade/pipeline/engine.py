"""The diffusion model of a restorer: loaded for the first photo that needs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

import torch

from unfade.imaging import Photo
from unfade.options import RestoreOptions
from unfade.pipeline.auto import Effort, effort, measure
from unfade.pipeline.holes import Mask
from unfade.pipeline.restore import Mender
from unfade.pipeline.weights import DiffusionWeights

if TYPE_CHECKING:
    from unfade.pipeline.diffusion import RestorationPipeline


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
        self._warned: set[tuple[str, str]] = set()

    def require(self, options: RestoreOptions) -> None:
        """WeightsError where options ask for the model and it is not there."""
        if options.asks_diffusion:
            self.weights.require(cfw=options.fidelity not in ("auto", 0))

    def may_act(self, options: RestoreOptions) -> bool:
        """Whether some photo may be given to the model."""
        return options.strength != 0 and not self.weights.missing

    def load(self) -> None:
        """Loads the model, unless that has been done.

        Raises:
            WeightsError: a part is missing, damaged, or not the expected one.
        """
        if self._pipeline is None:
            from unfade.pipeline.load import load_pipeline

            self._pipeline = load_pipeline(self.weights, self.device)

    def judge(
        self, photo: Photo, mask: Mask | None, options: RestoreOptions, limit: float
    ) -> dict[str, float]:
        """The strength and fidelity for a photo, and the damage (`pipeline.auto`).

        Args:
            mask: (H, W), probability of damage in 1/255; None fills nothing.
            limit: the probability from which a pixel is damage.
        """
        damage = measure(photo, mask, limit)
        found = effort(options, damage, cfw=self.weights.cfw is not None)
        return {**asdict(found), **asdict(damage)}

    def restore(
        self, mender: Mender, photo: Photo, mask: Mask | None, options: RestoreOptions,
        taken: dict[str, float], limit: float, progress: Callable[[str, float], None],
    ) -> list[Photo]:  # fmt: skip
        """The variants of a photo (`pipeline.tasks.Work`); the model is loaded by then.

        Args:
            taken: from `judge`.
        """
        from unfade.pipeline.tasks import Work, warn_of_unknown_words

        assert self._pipeline is not None, "the model is loaded before it is asked"
        prompts = (options.prompt, options.negative_prompt)
        if prompts not in self._warned:
            warn_of_unknown_words(self._pipeline, options)
            self._warned.add(prompts)
        effort = Effort(taken["strength"], taken["fidelity"])
        work = Work(mender, self._pipeline, photo, mask, options, effort, limit, progress)
        return work.results()
