"""Lists the properties of each task that the shared stages read, such as its largest strength."""

from __future__ import annotations

from dataclasses import dataclass

from unfade.models.presets import COLOUR, ENLARGER
from unfade.options import Task


@dataclass(frozen=True)
class TaskTraits:
    """Properties of a task.

    Attributes:
        max_strength: the largest strength, 0..1, that "auto" gives the diffusion model, unless
            the preset has its own.
        strength_by_damage: "auto" gives less strength to a photo with less damage.
        first_stage: the file of the network that does the task without diffusion, where a preset
            may lack it; "" where every preset has it.
        finds_colours: the result has the luminance of the photo and the chroma of a network, so
            nothing can be said about its colours.
        enlarges: the result has more pixels.
    """

    max_strength: float
    strength_by_damage: bool = False
    first_stage: str = ""
    finds_colours: bool = False
    enlarges: bool = False


TRAITS: dict[Task, TaskTraits] = {
    "old-photo": TaskTraits(0.4, strength_by_damage=True),
    "super-resolution": TaskTraits(1.0, first_stage=ENLARGER, enlarges=True),
    "colorize": TaskTraits(1.0, first_stage=COLOUR, finds_colours=True),
}
