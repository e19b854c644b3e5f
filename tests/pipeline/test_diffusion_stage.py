from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from unfade.errors import UsageError, WeightsError
from unfade.imaging import Photo
from unfade.models.presets import Defaults
from unfade.options import TASKS, RestoreOptions
from unfade.pipeline.diffusion_stage import DiffusionStage
from unfade.pipeline.first_stage import FirstStage
from unfade.pipeline.request import resolve
from unfade.pipeline.stages import Stages
from unfade.pipeline.tasks import restore
from unfade.pipeline.weights import DiffusionWeights
from unfade.timing import StageTimer

CPU = torch.device("cpu")


def test_model_acts_unless_the_strength_is_0(tiny_preset: Path) -> None:
    stage = DiffusionStage(DiffusionWeights.find(tiny_preset), CPU)
    assert stage.may_be_used(RestoreOptions())
    assert not stage.may_be_used(RestoreOptions(strength=0))
    stage.require(RestoreOptions(task="colorize", fidelity=0.5))


def test_missing_model_is_only_missed_when_it_or_a_part_is_asked_for(tiny_preset: Path) -> None:
    stage = DiffusionStage(DiffusionWeights.find(tiny_preset), CPU)
    bare = stage.weights.preset
    hashes = {k: v for k, v in bare.sha256.items() if k in bare.first_stage}
    stage.weights = DiffusionWeights(type(bare)(bare.name, bare.folder, hashes))
    stage.require(RestoreOptions())
    assert not stage.may_be_used(RestoreOptions())
    with pytest.raises(WeightsError, match="no vae/"):
        stage.require(RestoreOptions(strength=0.1))
    bare = DiffusionStage(DiffusionWeights.find(tiny_preset), CPU).weights.preset
    hashes = {k: v for k, v in bare.sha256.items() if k in bare.first_stage}
    first_stage = type(bare)(bare.name, bare.folder, hashes)
    stage = DiffusionStage(DiffusionWeights(first_stage, controlnet=tiny_preset), CPU)
    with pytest.raises(WeightsError, match="no vae/"):
        stage.require(RestoreOptions())


@pytest.mark.parametrize(
    ("values", "told"),
    [({"task": "colorize"}, "task 'colorize' with"), ({"task": "super-resolution"}, "task 'super-"),
     ({"reach": "all"}, "'old-photo' everywhere")],
)  # fmt: skip
def test_base_model_alone_fills_damage_and_nothing_else(values: Any, told: str) -> None:
    stage = DiffusionStage(DiffusionWeights.find("sd21"), CPU)
    stage.require(RestoreOptions())
    assert stage.may_be_used(RestoreOptions())
    assert not stage.may_be_used(RestoreOptions(**values))
    with pytest.raises(UsageError, match=f"{told}.*controlnet="):
        stage.require(RestoreOptions(**values))
    stage.require(RestoreOptions(task="super-resolution", strength=0))  # the enlarger's


def test_tasks_of_a_base_model_alone(first_stage: FirstStage) -> None:
    stage = DiffusionStage(DiffusionWeights.find("sd21"), CPU)
    assert Stages(first_stage, stage).tasks == ("old-photo",)
    stage.weights = replace(stage.weights, controlnet="someone/net")
    assert Stages(first_stage, stage).tasks == TASKS


def with_defaults(folder: Path, defaults: Defaults) -> DiffusionStage:
    """The model of a preset that is run by these."""
    found = DiffusionWeights.find(folder)
    return DiffusionStage(replace(found, preset=replace(found.preset, defaults=defaults)), CPU)


def test_model_does_not_act_when_its_preset_leaves_it_out(tiny_preset: Path) -> None:
    stage = with_defaults(tiny_preset, Defaults({"old-photo": 0.0, "colorize": 0.0}))
    assert not stage.may_be_used(RestoreOptions(prompt="red"))
    assert stage.may_be_used(RestoreOptions(strength=0.3))
    assert stage.may_be_used(RestoreOptions(task="super-resolution"))
    stage.require(RestoreOptions(task="colorize", strength=1))
    with pytest.raises(UsageError, match="strength 'auto' for colorize, which is 0"):
        stage.require(RestoreOptions(task="colorize"))
    stage.weights = replace(stage.weights, controlnet=tiny_preset)
    assert stage.may_be_used(RestoreOptions())  # the preset speaks of its own model


def test_enlarging_without_model_and_first_stage_is_refused(tiny_preset: Path) -> None:
    stage = with_defaults(tiny_preset, Defaults({"super-resolution": 0.0}))
    assert stage.lacks_first_stage("super-resolution")
    with pytest.raises(UsageError, match="strength 'auto' for super-resolution, which is 0"):
        stage.require(RestoreOptions(task="super-resolution"))


def test_request_has_steps_and_draws_of_the_preset_or_the_options(
    tiny_preset: Path, first_stage: FirstStage, make_photo: Callable[..., Photo]
) -> None:
    defaults = Defaults(steps={"colorize": 3}, draws={"colorize": 2})
    stages = Stages(first_stage, with_defaults(tiny_preset, defaults))
    for options, steps in (
        (RestoreOptions(task="colorize", mask="none"), 3),
        (RestoreOptions(task="colorize", mask="none", steps=5), 5),
    ):
        sampling = resolve(make_photo(gray=True), options, stages, StageTimer()).sampling
        assert sampling is not None and (sampling.steps, sampling.draws) == (steps, 2)


def test_options_that_have_no_effect_are_told(
    tiny_preset: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stage = DiffusionStage(DiffusionWeights.find(tiny_preset), CPU)
    with caplog.at_level(logging.WARNING):
        stage.warn_unused(RestoreOptions())
        assert not caplog.records
        stage.warn_unused(RestoreOptions(negative_prompt="blue"))
    (record,) = caplog.records
    assert "no effect: negative prompt;" in record.getMessage()


def test_photo_is_measured_and_restored(
    tiny_preset: Path, first_stage: FirstStage, make_photo: Callable[..., Photo],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    stages = Stages(first_stage, DiffusionStage(DiffusionWeights.find(tiny_preset), CPU))
    options = RestoreOptions(task="colorize", mask="none", prompt="a red hat", steps=1, variants=2)
    request = resolve(make_photo(gray=True), options, stages, StageTimer())
    record = request.diffusion_record
    assert record is not None and record["strength"] == 1
    assert record["share"] == 0 and record["grain"] > 0.01
    with caplog.at_level(logging.WARNING):
        first, again = (restore(request, stages, StageTimer()) for _ in range(2))
    assert len(first) == 2 and len(caplog.records) == 1  # the same words once
    for photo, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(photo.native, other.native)
