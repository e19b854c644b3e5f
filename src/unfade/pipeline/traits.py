"""Properties of the tasks that the stages which they share depend on."""

from __future__ import annotations

from dataclasses import dataclass

from unfade.options import Task


@dataclass(frozen=True)
class TaskTraits:
    """Properties of a task.

    Attributes:
        most_strength: the most strength, 0..1, that "auto" gives the diffusion model where the
            preset says nothing else.
        strength_by_damage: "auto" gives less strength to a photo with less damage.
        needs_diffusion: no other network can do the task.
        finds_colours: the result has the luminance of the photo and the chroma of the diffusion
            model, so nothing can be said about its colours.
        enlarges: the result has more pixels; without diffusion the enlarger makes it.
    """

    most_strength: float
    strength_by_damage: bool = False
    needs_diffusion: bool = False
    finds_colours: bool = False
    enlarges: bool = False


#: Of an old photo the first stage has mended most before the diffusion model sees it.
TRAITS: dict[Task, TaskTraits] = {
    "old-photo": TaskTraits(0.4, strength_by_damage=True),
    "super-resolution": TaskTraits(1.0, enlarges=True),
    "colorize": TaskTraits(1.0, needs_diffusion=True, finds_colours=True),
}
