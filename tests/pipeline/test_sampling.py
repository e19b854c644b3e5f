from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unfade.models.presets import Defaults
from unfade.options import REACHES, RestoreOptions, Task
from unfade.pipeline import damage_estimate, sampling
from unfade.pipeline.damage_estimate import Damage
from unfade.pipeline.sampling import SamplingParameters, sampling_parameters
from unfade.pipeline.traits import TRAITS

SHARES = st.floats(0, 1)
MOST = TRAITS["old-photo"].max_strength


@settings(max_examples=100, deadline=None)
@given(SHARES, SHARES, SHARES, SHARES, SHARES, SHARES)
def test_more_damage_never_gives_less_strength_or_more_fidelity(
    a: float, b: float, c: float, x: float, y: float, z: float
) -> None:
    for reach in REACHES:
        options = RestoreOptions(reach=reach)
        less = sampling_parameters(options, Damage(min(a, x), min(b, y), min(c, z)), cfw=True)
        more = sampling_parameters(options, Damage(max(a, x), max(b, y), max(c, z)), cfw=True)
        assert 0 <= less.strength <= more.strength <= MOST
        assert 1 >= less.fidelity >= more.fidelity >= sampling.MIN_FIDELITY


def test_photo_that_is_hardly_damaged_is_not_touched() -> None:
    damage, options = (
        Damage(damage_estimate.SHARE[0] * 1.1, damage_estimate.GRAIN[0], damage_estimate.BLUR[0]),
        RestoreOptions(),
    )
    for own in (options, replace(options, reach="all")):
        assert sampling_parameters(own, damage, cfw=True).strength == 0
        most = MOST
        assert sampling_parameters(own, Damage(share=1), cfw=True).strength == most


def test_damage_is_filled_by_diffusion_where_it_is_heavy() -> None:
    light, heavy = (Damage(sampling.HEAVY_SHARE * f, 1.0, 1.0) for f in (0.99, 1.0))
    assert sampling_parameters(RestoreOptions(), light, cfw=True).strength == 0
    assert sampling_parameters(RestoreOptions(), heavy, cfw=True).strength == MOST


def test_named_model_is_given_every_photo_that_it_can_do_something_for() -> None:
    for damage, fills in ((Damage(0.001), MOST), (Damage(0.0, 1.0, 1.0), 0.0)):
        found = sampling_parameters(RestoreOptions(), damage, cfw=False, chosen_by_user=True)
        assert found.strength == fills
    whole = RestoreOptions(controlnet="net")
    assert sampling_parameters(whole, Damage(), cfw=False, chosen_by_user=True).strength == MOST
    assert sampling_parameters(RestoreOptions(reach="all"), Damage(), cfw=False).strength == 0


def test_options_go_before_the_measure() -> None:
    options = RestoreOptions(
        strength=0.7, fidelity=0.2, posterior_mean=0.3, vae_residual=0.4, eta=0.5
    )
    for damage in (Damage(), Damage(1, 1, 1)):
        assert sampling_parameters(options, damage, cfw=True) == SamplingParameters(
            0.7, 0.2, 0.3, 0.4, 0.5, sampling.STEPS, 1
        )


@pytest.mark.parametrize("task", ["old-photo", "super-resolution", "colorize"])
def test_the_published_method_samples_from_pure_noise(task: Task) -> None:
    own = Defaults(strength={task: 0.1}, fidelity={task: 1.0}, steps={task: 1}, draws={task: 4})
    options = RestoreOptions(task=task, paper=True)
    made = sampling_parameters(options, Damage(1, 1, 1), cfw=True, defaults=own)
    w = 0.5 if task == "super-resolution" else 0.0
    assert made == SamplingParameters(1.0, w, steps=50)
    few = sampling_parameters(replace(options, steps=3), Damage(), cfw=False)
    assert few == SamplingParameters(1.0, 0.0, steps=3)


@pytest.mark.parametrize("task", ["super-resolution", "colorize"])
def test_other_tasks_cannot_do_without_the_model(task: str) -> None:
    options = RestoreOptions(task=task)  # pyright: ignore[reportArgumentType]
    faithful = 0.0 if task == "colorize" else 1.0
    assert sampling_parameters(options, Damage(), cfw=True) == SamplingParameters(
        1.0, faithful, faithful, faithful
    )


def test_fidelity_is_the_presets_and_zero_for_colours_and_without_a_cfw() -> None:
    own, damage = Defaults(fidelity={"old-photo": 0.9}), Damage(1, 1, 1)
    assert sampling_parameters(RestoreOptions(), damage, cfw=True, defaults=own).fidelity == 0.9
    asked = RestoreOptions(fidelity=0.2)
    assert sampling_parameters(asked, damage, cfw=True, defaults=own).fidelity == 0.2
    large = RestoreOptions(task="super-resolution")
    assert (
        sampling_parameters(large, damage, cfw=True, defaults=own).fidelity == sampling.MIN_FIDELITY
    )
    options = RestoreOptions(task="colorize")
    assert sampling_parameters(options, Damage(), cfw=True).fidelity == 0
    assert sampling_parameters(replace(options, fidelity=0.5), Damage(), cfw=True).fidelity == 0.5
    assert sampling_parameters(RestoreOptions(), Damage(), cfw=False).fidelity == 0


def test_parameters_take_the_strength_of_the_preset() -> None:
    own = Defaults({"old-photo": 0.0, "super-resolution": 0.3})
    worst = Damage(share=1)
    assert sampling_parameters(RestoreOptions(), worst, cfw=True, defaults=own).strength == 0
    small = RestoreOptions(task="super-resolution")
    assert sampling_parameters(small, worst, cfw=True, defaults=own).strength == 0.3
    assert (
        sampling_parameters(RestoreOptions(task="colorize"), worst, cfw=True, defaults=own).strength
        == 1
    )
    assert (
        sampling_parameters(RestoreOptions(strength=0.7), worst, cfw=True, defaults=own).strength
        == 0.7
    )


def test_parameters_take_steps_and_draws_of_the_preset_unless_they_are_given() -> None:
    own = Defaults(steps={"colorize": 1}, draws={"colorize": 4}, saturation={"colorize": 0.8})
    colour = RestoreOptions(task="colorize")
    found = sampling_parameters(colour, Damage(), cfw=False, defaults=own)
    assert (found.steps, found.draws, found.saturation) == (1, 4, 0.8)
    given = sampling_parameters(replace(colour, steps=20), Damage(), cfw=False, defaults=own)
    assert (given.steps, given.draws) == (20, 4)
    told = sampling_parameters(
        RestoreOptions(task="colorize", prompt="a red dress"), Damage(), cfw=False, defaults=own
    )
    assert (told.draws, told.saturation) == (4, 1.0)
    old = sampling_parameters(RestoreOptions(), Damage(), cfw=False, defaults=own)
    assert (old.steps, old.draws, old.saturation) == (sampling.STEPS, 1, 1.0)
