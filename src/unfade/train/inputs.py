"""Reads the inputs of a training besides photos: recipe, start weights, frozen networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from unfade.config import load_toml
from unfade.data.stencils import load_stencils
from unfade.degrade.stencils import Stencil
from unfade.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    R = TypeVar("R", bound=DataclassInstance)
else:
    R = TypeVar("R")

Progress = Callable[[int, int, dict[str, float]], None]  # done, in all, figures


@dataclass(frozen=True)
class Inputs:
    """Paths that the command line takes.

    Attributes:
        recipe: a TOML file; without one, the defaults.
        start: weights of the same shape that a new training starts from.
        base: the frozen networks: for a prior the folder that holds vae/, for a ControlNet and a
            CFW a base model (`models.sources.find_base`).
        controlnet: for a CFW (`models.sources.find_controlnet`).
        cache: folder for latents, which several trainings may share.
        damage: shapes of real damage (`data.stencils`), for the detector and the first stage.
    """

    recipe: Path | None = None
    start: Path | None = None
    base: str | None = None
    controlnet: str | None = None
    cache: Path | None = None
    damage: Path | None = None

    def read(self, cls: type[R]) -> R:
        """Reads the recipe. UsageError if it has unknown keys or wrong values."""
        return load_toml(self.recipe, cls) if self.recipe else cls()

    def stencils(self) -> Sequence[Stencil]:
        """Loads shapes of real damage, if a folder is given. InputError if it is unreadable."""
        return load_stencils(self.damage) if self.damage else ()

    def needed_start(self) -> Path:
        """`start`. UsageError if it is not given."""
        if self.start is None:
            raise UsageError(
                "no weights to start from",
                "those that the recipe is about",
                "pass --start, or set hard = 0, weight_averaging = 0 and decoder_only = false in "
                "the recipe",
            )
        return self.start

    def needed_base(self) -> str:
        """`base`. UsageError if it is not given."""
        if self.base is None:
            raise UsageError("no base", "frozen networks to train on", "pass --base PATH")
        return self.base

    def needed_controlnet(self) -> str:
        """`controlnet`. UsageError if it is not given."""
        if self.controlnet is None:
            fix = "pass --controlnet PATH"
            raise UsageError("no ControlNet", "the one whose output the CFW decodes", fix)
        return self.controlnet
