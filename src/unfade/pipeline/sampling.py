"""Chooses the sampling parameters of a photo: strength, fidelity, steps."""

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
#: A strength below this is rounded to 0.
MIN_STRENGTH = 0.05
#: The fidelity, posterior mean and VAE residual that "auto" gives the most damaged photo.
MIN_FIDELITY = 0.5
#: Steps of the method as it was published, where the options say nothing else.
PAPER_STEPS = 50
#: Its weight of controllable feature wrapping; the paper prints none, and StableSR's is 0.5.
PAPER_FIDELITY = 0.5


@dataclass(frozen=True)
class SamplingParameters:
    """The sampling parameters of the diffusion model for one photo.

    Attributes:
        strength: 0..1; 0 leaves the model out.
        fidelity, posterior_mean, vae_residual, eta: 0..1, see `RestoreOptions`.
        steps: of the sampling, 1 or more.
        draws: results from different noise whose mean gives the colours, where it colours.
        saturation: factor on their chroma, 0 or more.
    """

    strength: float
    fidelity: float
    posterior_mean: float = 0.0
    vae_residual: float = 0.0
    eta: float = 0.0
    steps: int = STEPS
    draws: int = 1
    saturation: float = 1.0


def max_strength(task: Task, defaults: Defaults) -> float:
    """The largest strength, 0..1, that "auto" gives for a task."""
    return defaults.strength.get(task, TRAITS[task].max_strength)


def sampling_parameters(
    options: RestoreOptions,
    damage: Damage,
    *,
    cfw: bool,
    defaults: Defaults | None = None,
    chosen_by_user: bool = False,
) -> SamplingParameters:
    """The sampling parameters of one photo: the options', else the preset's, else by its damage.

    Strength never falls, and fidelity never rises, with the damage.

    Args:
        cfw: whether there is a CFW; without one, and where colours are to be found, "auto" gives
            fidelity, posterior mean and VAE residual 0.
        defaults: the preset's own.
        chosen_by_user: whether the user named the model: then "auto" gives it every photo that it
            can do something for, however little is damaged.
    """
    defaults = defaults or Defaults()
    if options.paper:
        return _as_published(options, cfw)
    faithful = _auto_fidelity(options, damage, cfw, defaults)
    steps = defaults.steps.get(options.task, STEPS) if options.steps == "auto" else options.steps
    return SamplingParameters(
        strength=_strength(options, damage, defaults, chosen_by_user),
        fidelity=faithful if options.fidelity == "auto" else options.fidelity,
        posterior_mean=faithful if options.posterior_mean == "auto" else options.posterior_mean,
        vae_residual=faithful if options.vae_residual == "auto" else options.vae_residual,
        eta=options.eta,
        steps=steps,
        draws=defaults.draws.get(options.task, 1),
        saturation=options.saturation * _default_saturation(options, defaults),
    )


def _as_published(options: RestoreOptions, cfw: bool) -> SamplingParameters:
    """From pure noise, all steps, and feature wrapping for super-resolution alone."""
    fidelity = PAPER_FIDELITY if cfw and options.task == "super-resolution" else 0.0
    return SamplingParameters(
        strength=1.0,
        fidelity=fidelity if options.fidelity == "auto" else options.fidelity,
        eta=options.eta,
        steps=PAPER_STEPS if options.steps == "auto" else options.steps,
    )


def _default_saturation(options: RestoreOptions, defaults: Defaults) -> float:
    return 1.0 if options.full_prompt else defaults.saturation.get(options.task, 1.0)


def _strength(
    options: RestoreOptions, damage: Damage, defaults: Defaults, chosen_by_user: bool
) -> float:
    if options.strength != "auto":
        return float(options.strength)
    maximum = max_strength(options.task, defaults)
    if options.within_damage:
        diffuse = damage.share > 0 if chosen_by_user else damage.share >= HEAVY_SHARE
        return maximum if diffuse else 0.0
    if chosen_by_user or not TRAITS[options.task].strength_by_damage:
        return maximum
    strength = round(maximum * damage.severity, 3)
    return strength if strength >= MIN_STRENGTH else 0.0


def _auto_fidelity(options: RestoreOptions, damage: Damage, cfw: bool, defaults: Defaults) -> float:
    """The value of "auto" for fidelity, posterior mean and VAE residual."""
    if TRAITS[options.task].finds_colours or not cfw:  # a CFW is faithful to what it sees: gray
        return 0.0
    by_damage = round(1 - (1 - MIN_FIDELITY) * damage.severity, 3)
    return defaults.fidelity.get(options.task, by_damage)
