"""Chooses how the diffusion model is run on a photo: strength, fidelity, steps."""

from __future__ import annotations

from dataclasses import dataclass

from unfade.models.presets import Defaults
from unfade.options import RestoreOptions, Task
from unfade.pipeline.damage_estimate import Damage
from unfade.pipeline.traits import TRAITS

#: From this share of damaged pixels on, "auto" fills the damage by diffusion.
HEAVY_SHARE = 0.03
#: Steps of "auto", where the preset says nothing else.
STEPS = 20
#: Less strength than this is not worth the time.
LEAST_STRENGTH = 0.05
#: The fidelity that "auto" gives the most damaged photo.
LEAST_FIDELITY = 0.5


@dataclass(frozen=True)
class SamplingParameters:
    """How the diffusion model is run on one photo.

    Attributes:
        strength, fidelity: 0..1; strength 0 leaves the model out.
        steps: of the sampling, 1 or more.
        draws: results from different noise whose mean gives the colours, where it colours.
        saturation: factor on their chroma, 0 or more.
    """

    strength: float
    fidelity: float
    steps: int = STEPS
    draws: int = 1
    saturation: float = 1.0


def most_strength(task: Task, defaults: Defaults) -> float:
    """The most strength, 0..1, that "auto" gives for a task."""
    return defaults.strength.get(task, TRAITS[task].most_strength)


def sampling_parameters(
    options: RestoreOptions,
    damage: Damage,
    *,
    cfw: bool,
    defaults: Defaults | None = None,
    named: bool = False,
) -> SamplingParameters:
    """The sampling parameters of one photo: the options', else the preset's, else by its damage.

    Nothing that is damaged more ever gets less strength or more fidelity.

    Args:
        cfw: whether there is a CFW; without one, and where colours are to be found, "auto" gives
            fidelity 0.
        defaults: the preset's own.
        named: whether the model was asked for by name: then "auto" gives it every photo that it
            can do something for, however little is damaged.
    """
    defaults = defaults or Defaults()
    steps = defaults.steps.get(options.task, STEPS) if options.steps == "auto" else options.steps
    return SamplingParameters(
        strength=_strength(options, damage, defaults, named),
        fidelity=_fidelity(options, damage, cfw, defaults),
        steps=steps,
        draws=defaults.draws.get(options.task, 1),
        saturation=options.saturation * _own_saturation(options, defaults),
    )


def _own_saturation(options: RestoreOptions, defaults: Defaults) -> float:
    return 1.0 if options.full_prompt else defaults.saturation.get(options.task, 1.0)


def _strength(options: RestoreOptions, damage: Damage, defaults: Defaults, named: bool) -> float:
    if options.strength != "auto":
        return float(options.strength)
    most = most_strength(options.task, defaults)
    if options.within_damage:
        enough = damage.share > 0 if named else damage.share >= HEAVY_SHARE
        return most if enough else 0.0
    if named or not TRAITS[options.task].strength_by_damage:
        return most
    strength = round(most * damage.severity, 3)
    return strength if strength >= LEAST_STRENGTH else 0.0


def _fidelity(options: RestoreOptions, damage: Damage, cfw: bool, defaults: Defaults) -> float:
    if options.fidelity != "auto":
        return float(options.fidelity)
    if TRAITS[options.task].finds_colours or not cfw:  # a CFW is faithful to what it sees: gray
        return 0.0
    by_damage = round(1 - (1 - LEAST_FIDELITY) * damage.severity, 3)
    return defaults.fidelity.get(options.task, by_damage)
