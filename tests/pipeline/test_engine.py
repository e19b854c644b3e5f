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
from unfade.options import RestoreOptions
from unfade.pipeline.engine import Engine
from unfade.pipeline.restore import Mender
from unfade.pipeline.weights import DiffusionWeights

CPU = torch.device("cpu")


def test_model_acts_unless_the_strength_is_0(tiny_preset: Path) -> None:
    engine = Engine(DiffusionWeights.find(tiny_preset), CPU)
    assert engine.may_act(RestoreOptions())
    assert not engine.may_act(RestoreOptions(strength=0))
    engine.require(RestoreOptions(task="colorize", fidelity=0.5))


def test_missing_model_is_only_missed_when_it_is_asked_for(tiny_preset: Path) -> None:
    engine = Engine(DiffusionWeights.find(tiny_preset), CPU)
    bare = engine.weights.preset
    hashes = {k: v for k, v in bare.sha256.items() if k in bare.first_stage}
    engine.weights = DiffusionWeights(type(bare)(bare.name, bare.folder, hashes))
    engine.require(RestoreOptions())
    assert not engine.may_act(RestoreOptions())
    with pytest.raises(WeightsError, match="no vae/"):
        engine.require(RestoreOptions(strength=0.1))


def test_parts_that_are_named_are_never_left_out_unsaid(tiny_preset: Path) -> None:
    bare = Engine(DiffusionWeights.find(tiny_preset), CPU).weights.preset
    hashes = {k: v for k, v in bare.sha256.items() if k in bare.first_stage}
    first_stage = type(bare)(bare.name, bare.folder, hashes)
    engine = Engine(DiffusionWeights(first_stage, controlnet=tiny_preset), CPU)
    with pytest.raises(WeightsError, match="no vae/"):
        engine.require(RestoreOptions())
    with pytest.raises(UsageError, match="--controlnet"):
        Engine(DiffusionWeights.find("sd21"), CPU).require(RestoreOptions())


def with_defaults(folder: Path, defaults: Defaults) -> Engine:
    """The model of a preset that is run by these."""
    found = DiffusionWeights.find(folder)
    return Engine(replace(found, preset=replace(found.preset, defaults=defaults)), CPU)


def test_model_does_not_act_when_its_preset_leaves_it_out(tiny_preset: Path) -> None:
    engine = with_defaults(tiny_preset, Defaults({"old-photo": 0.0, "colorize": 0.0}))
    assert not engine.may_act(RestoreOptions(prompt="red"))
    assert engine.may_act(RestoreOptions(strength=0.3))
    assert engine.may_act(RestoreOptions(task="super-resolution"))
    engine.require(RestoreOptions(task="colorize", strength=1))
    with pytest.raises(UsageError, match="strength 'auto' for colorize, which is 0"):
        engine.require(RestoreOptions(task="colorize"))
    engine.weights = replace(engine.weights, controlnet=tiny_preset)
    assert engine.may_act(RestoreOptions())  # the preset speaks of its own model


def test_enlarging_without_model_and_first_stage_is_refused(tiny_preset: Path) -> None:
    engine = with_defaults(tiny_preset, Defaults({"super-resolution": 0.0}))
    assert not engine.weights.preset.enlarger
    with pytest.raises(UsageError, match="strength 'auto' for super-resolution, which is 0"):
        engine.require(RestoreOptions(task="super-resolution"))


def test_judge_tells_steps_and_draws_as_they_are_taken(
    tiny_preset: Path, make_photo: Callable[..., Photo]
) -> None:
    defaults = Defaults(steps={"colorize": 3}, draws={"colorize": 2})
    engine, photo = with_defaults(tiny_preset, defaults), make_photo()
    taken = engine.judge(photo, None, RestoreOptions(task="colorize"), 0.5)
    assert (taken["steps"], taken["draws"]) == (3, 2)
    taken = engine.judge(photo, None, RestoreOptions(task="colorize", steps=5), 0.5)
    assert (taken["steps"], taken["draws"]) == (5, 2)


def test_options_that_have_no_effect_are_told(
    tiny_preset: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Engine(DiffusionWeights.find(tiny_preset), CPU)
    with caplog.at_level(logging.WARNING):
        engine.tell_idle(RestoreOptions())
        assert not caplog.records
        engine.tell_idle(RestoreOptions(variants=3, negative_prompt="blue"))
    (record,) = caplog.records
    assert "no effect: negative prompt, variants;" in record.getMessage()


def test_photo_is_judged_and_restored(
    tiny_preset: Path, mender: Mender, make_photo: Callable[..., Photo],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    engine, photo = Engine(DiffusionWeights.find(tiny_preset), CPU), make_photo()
    options = RestoreOptions(task="colorize", prompt="a red hat", steps=1, variants=2)
    taken = engine.judge(photo, None, options, 0.5)
    assert taken["strength"] == 1 and taken["share"] == 0 and taken["grain"] > 0.01
    engine.load()
    run: Any = lambda: engine.restore(mender, photo, None, options, taken, 0.5, lambda *_: None)  # noqa: E731
    with caplog.at_level(logging.WARNING):
        first, again = run(), run()
    assert len(first) == 2 and len(caplog.records) == 1  # the same words once
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.native, other.native)
