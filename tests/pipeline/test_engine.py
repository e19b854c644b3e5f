from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import unfade.pipeline.engine as engines
from unfade.errors import UsageError, WeightsError
from unfade.imaging import Photo
from unfade.options import RestoreOptions
from unfade.pipeline.auto import Damage
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


def test_variants_that_are_alike_are_told(
    tiny_preset: Path, make_photo: Callable[..., Photo], caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    engine = Engine(DiffusionWeights.find(tiny_preset), CPU)
    monkeypatch.setattr(engines, "measure", lambda *_: Damage())
    with caplog.at_level(logging.WARNING):
        assert engine.judge(make_photo(), None, RestoreOptions(), 0.5)["strength"] == 0
        assert not caplog.records
        engine.judge(make_photo(), None, RestoreOptions(variants=3), 0.5)
    (record,) = caplog.records
    assert "the 3 variants are alike" in record.getMessage()


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
