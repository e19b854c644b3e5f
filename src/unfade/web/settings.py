"""The settings of the page: checks the values from the browser, and makes options of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

from unfade.colours import ColourRegion
from unfade.errors import UsageError
from unfade.options import ExistingColours, RestoreOptions, Sensitivity, Task

#: Upper limits of the settings of one restoration, on the page and in the HTTP API.
SHARP_FIDELITY = 0.5  # of an enlarged photo with texture
MAXIMA = {"steps": 100, "variants": 4, "scale": 8}
MAX_CHARACTERS = 2000  # of a prompt
_LARGEST = 1e15
_EDIT_TEXTS = ("id", "sensitivity", "layer", "tints")


@dataclass(frozen=True)
class Settings:
    """The controls of the page, with its defaults; see `RestoreOptions`.

    Attributes:
        automatic: the damage that is measured decides on fidelity and strength, and the preset on
            the steps.
        scale: of super-resolution only.
        existing_colours: of colorize only.
        sharp: of super-resolution only: add texture that is invented (`SHARP_FIDELITY`).
    """

    task: Task = "old-photo"
    only_damage: bool = False
    keep_tone: bool = False
    prompt: str = ""
    automatic: bool = True
    fidelity: float = 0.5
    strength: float = 0.5
    steps: int = 20
    seed: int = 0
    variants: int = 1
    scale: float = 4.0
    existing_colours: ExistingColours = "refresh"
    sharp: bool = False

    def refreshes(self, coloured: bool) -> bool:
        """Whether colours are refreshed, of a photo that has some: no damage is mended then."""
        return self.task == "colorize" and coloured and self.existing_colours == "refresh"

    def options(
        self, *, mask: Literal["auto"] | Path, max_pixels: int, diffuses: bool,
        sensitivity: Sensitivity = "normal", threshold: float | None = None,
        protect: tuple[Path, ...] = (), weighs_fidelity: bool = True,
        colour_regions: tuple[ColourRegion, ...] = (),
    ) -> RestoreOptions:  # fmt: skip
        """The options of a restoration, without those that the task or the weights do not have.

        Args:
            diffuses, weighs_fidelity: see `Restorer`.

        Raises:
            UsageError: a value makes no sense.
        """
        colours = self.task == "colorize"
        if self.task == "super-resolution":
            fidelity = SHARP_FIDELITY if self.sharp else "auto"
            options = RestoreOptions(
                task=self.task, scale=self.scale, fidelity=fidelity, max_pixels=max_pixels
            )
        else:
            options = RestoreOptions(
                task=self.task,
                mask=mask,
                only_damage=self.only_damage,
                tone="keep" if self.keep_tone else None,
                sensitivity=sensitivity,
                threshold=threshold,
                protect=protect,
                prompt=self.prompt.strip() if diffuses or colours else "",
                colour_regions=colour_regions,
                existing_colours=self.existing_colours if colours else None,
                max_pixels=max_pixels,
            )
        if diffuses or colours:
            options = replace(options, seed=self.seed, variants=self.variants)
        if not diffuses or self.automatic:
            return options
        if self.strength == 0:
            return replace(options, strength=0)
        weighs = weighs_fidelity and not colours  # high fidelity would remove the new colours
        closeness = self.fidelity if weighs else "auto"
        return replace(
            options,
            fidelity=closeness,
            posterior_mean=closeness,
            vae_residual=closeness,
            strength=self.strength,
            steps=self.steps,
        )


def settings_from(values: Sequence[object]) -> Settings:
    """The settings from the page's controls, in the order of the fields of `Settings`.

    Raises:
        UsageError: a value is missing, of another kind, or more than one visitor may ask for.
    """
    checked: dict[str, Any] = {}
    for (name, field_), value in zip(Settings.__dataclass_fields__.items(), values, strict=True):
        default: object = field_.default
        if isinstance(default, bool):
            checked[name] = _checked(name, value, bool, "yes or no")
        elif isinstance(default, str):
            checked[name] = _checked(name, value, str, "a text")
            if len(checked[name]) > MAX_CHARACTERS:
                got = f"a {name} of {len(checked[name])} characters"
                raise UsageError(got, f"at most {MAX_CHARACTERS}", "write less")
        else:
            number = number_from(name, value)
            checked[name] = int(number) if isinstance(default, int) else number
    for name, maximum in MAXIMA.items():
        if checked[name] > maximum:
            raise UsageError(f"{name} {checked[name]:g}", f"at most {maximum}", "ask for less")
    return Settings(**checked)


def number_from(name: str, value: object) -> float:
    """A number from the page or the HTTP API. UsageError if it is none."""
    if value is None:
        raise UsageError(f"no {name}", "a number", "fill it in")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= _LARGEST:
        raise UsageError(f"{name} {_abbreviated(value)}", "a number", "correct it")
    return float(value)


def threshold_from(value: object) -> float:
    """A threshold from the page or the HTTP API. UsageError if it is none."""
    number = number_from("threshold", value)
    if not 0 < number < 1:
        raise UsageError(f"threshold {number:g}", "a number between 0 and 1", "try 0.5")
    return number


def edit_from(value: object) -> dict[str, Any] | None:
    """The edit that the mask editor sent: the photo's id, the sensitivity, the painted layers.

    Raises:
        UsageError: it was not sent by the page.
    """
    if not value:
        return None
    if not isinstance(value, dict):
        raise UsageError(f"an edit {_abbreviated(value)}", "one from this page", "paint it again")
    sent = cast(dict[str, object], value)
    edit: dict[str, Any] = {name: sent.get(name) or "" for name in _EDIT_TEXTS}
    for name, text in edit.items():
        _checked(f"the {name} of an edit", text, str, "one from this page")
    colours: object = sent.get("colours") or []
    if not isinstance(colours, list):
        raise UsageError(f"colours {_abbreviated(colours)}", "a list of colours", "paint it again")
    words = [str(colour) for colour in cast(list[object], colours)]
    return {**edit, "colours": words}


def _checked(name: str, value: object, kind: type, expected: str) -> Any:
    if value is None:
        raise UsageError(f"no {name}", expected, "fill it in")
    if not isinstance(value, kind):
        raise UsageError(f"{name} {_abbreviated(value)}", expected, "correct it")
    return value


def _abbreviated(value: object) -> str:
    """The repr of a value, cut to 40 characters."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
