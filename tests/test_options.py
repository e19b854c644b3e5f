from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from unfade import imaging, options
from unfade.colours import ColourRegion
from unfade.errors import UsageError
from unfade.options import RestoreOptions


def make(**values: Any) -> RestoreOptions:
    return dataclasses.replace(RestoreOptions(), **values)


SR = {"task": "super-resolution"}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"task": "old"}, "one of 'old-photo'"),
        ({"tone": "warm"}, "one of 'auto', 'keep'"),
        ({"mask": "mask.png"}, "pathlib.Path"),
        ({"mask": "none", "only_damage": True}, "changes nothing"),
        ({"tile": 0}, "from 64"),
        ({"tile": 512.0}, "whole number"),
        ({"tile": True}, "whole number"),
        ({"seed": -1}, "from 0"),
        ({"max_pixels": 0}, "from 1"),
        ({"threshold": 0.0}, "between 0 and 1"),
        ({"threshold": 1.0}, "between 0 and 1"),
        ({"threshold": float("nan")}, "between 0 and 1"),
        ({"sensitivity": "mad"}, "one of 'low', 'normal', 'high'"),
        ({"sensitivity": "low", "threshold": 0.5}, "threshold by name"),
        ({"sensitivity": "low", "mask": Path("mask.png")}, "detector does not run"),
        ({"sensitivity": "high", "mask": "none"}, "detector does not run"),
        ({"protect": ("mask.png",)}, "pathlib.Path"),
        ({"preset": ""}, "empty preset"),
        ({"device": ""}, "empty device"),
        ({"self_condition": 1.5}, "from 0 to 1"),
        ({"guidance": 101, "prompt": "red"}, "from 0 to 100"),
        ({"fidelity": "much"}, "'auto' or a number"),
        ({"strength": float("nan")}, "'auto' or a number"),
        ({"strength": True}, "'auto' or a number"),
        ({"steps": 0}, "'auto' or a whole number from 1 to 1000"),
        ({"steps": "few"}, "'auto' or a whole number from 1 to 1000"),
        ({"steps": 20, "strength": 0}, "steps 20 with strength 0"),
        ({"variants": 0}, "from 1 to 100"),
        ({"task": "super-resolution", "scale": 0.5}, "from 1 to 64"),
        ({"base": ""}, "empty base"),
        ({"scale": 2}, "task='super-resolution'"),
        ({"task": "colorize", "scale": 2}, "task='super-resolution'"),
        (SR | {"prompt": "a dress"}, "task='colorize'"),
        (SR | {"negative_prompt": "a dress"}, "task='colorize'"),
        (SR | {"only_damage": True}, "task='old-photo'"),
        (SR | {"mask": Path("mask.png")}, "task='old-photo'"),
        (SR | {"tone": "keep"}, "task='old-photo'"),
        (SR | {"sensitivity": "low"}, "task='old-photo'"),
        (SR | {"protect": (Path("face.png"),)}, "task='old-photo'"),
        (SR | {"saturation": 0.5}, "leave it out"),
        ({"saturation": 0.5}, "leave it out"),
        ({"task": "colorize", "saturation": 2.5}, "0 to 2"),
        ({"task": "colorize", "strength": 0, "steps": 4}, "strength 0"),
        ({"guidance": 4.0}, "without a prompt"),
        ({"strength": 0, "prompt": "a dress"}, "strength 0"),
        ({"strength": 0, "variants": 2}, "strength 0"),
        ({"strength": 0, "fidelity": 1.0}, "strength 0"),
        ({"strength": 0, "eta": 0.5}, "strength 0"),
        ({"eta": 1.5}, "0 to 1"),
        ({"posterior_mean": "all"}, "'auto' or a number"),
        ({"paper": True, "tone": "keep"}, "tone 'keep' with paper"),
        ({"paper": True, "strength": 0.5}, "strength 0.5 with paper"),
        ({"strength": 0, "reach": "all"}, "strength 0"),
        ({"task": "colorize", "reach": "damage"}, "leave the reach out"),
        (SR | {"reach": "damage"}, "leave the reach out"),
    ],
)
def test_options_that_make_no_sense_are_refused_with_a_way_out(
    values: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        make(**values)
    assert words in str(caught.value)


def test_diffusion_is_asked_for_when_the_first_stage_cannot_do_it() -> None:
    assert not make().asks_diffusion
    assert not make(strength=0).asks_diffusion
    assert not make(**SR).asks_diffusion and not make(**SR, strength=0).asks_diffusion
    assert not make(only_damage=True, seed=3, tone="keep").asks_diffusion
    colorize = {"task": "colorize", "prompt": "red", "variants": 3, "guidance": 2.0}
    assert not make(**colorize).asks_diffusion and not make(**colorize, strength=0).asks_diffusion
    for values in ({"strength": 0.1}, colorize | {"steps": 4}, SR | {"steps": 4}, {"prompt": "red"},
                   {"steps": 4}, {"variants": 2}, {"fidelity": 0.5}):  # fmt: skip
        assert make(**values).asks_diffusion


def test_model_reaches_the_damage_of_old_photos_and_all_of_others() -> None:
    assert make().within_damage and make(reach="damage").within_damage
    for values in ({"reach": "all"}, SR, SR | {"reach": "all"}, {"task": "colorize"}):
        assert not make(**values).within_damage
        record = make(**values).record(threshold=0.5, diffuses=True, mask_sha256=None)
        assert record["reach"] == "all"
    assert make(base="sd21").within_damage and not make(controlnet="net").within_damage
    assert make(controlnet="net", reach="damage").within_damage


def test_defaults_follow_the_task() -> None:
    assert make().mends_tone and not make(tone="keep").mends_tone
    assert not make(task="colorize").mends_tone
    assert make(task="colorize", tone="auto").mends_tone
    assert make(**SR).search == "none" and make(task="colorize").search == "auto"


def test_pixel_limit_is_the_one_of_the_readers() -> None:
    assert options.MAX_PIXELS == imaging.MAX_PIXELS


def test_record_is_complete() -> None:
    record = RestoreOptions().record(threshold=0.4, diffuses=True, mask_sha256=None)
    fields = {field.name for field in dataclasses.fields(RestoreOptions)}
    assert set(record) == fields | {
        "mask_sha256", "colour_sha256", "protect_sha256", "full_prompt",
    }  # fmt: skip
    assert record["threshold"] == 0.4


def test_record_holds_the_defaults_of_the_task() -> None:
    def record(**values: Any) -> dict[str, Any]:
        return dict(make(**values).record(threshold=0.4, diffuses=True, mask_sha256=None))

    old = record()
    assert (old["tone"], old["scale"], old["guidance"], old["mask"]) == ("auto", None, None, "auto")
    large = record(**SR)
    assert (large["tone"], large["scale"], large["mask"]) == ("keep", options.SCALE, "none")
    assert record(task="colorize", prompt="red")["guidance"] == options.GUIDANCE


@pytest.mark.parametrize(
    ("values", "sensitivity"),
    [
        ({}, "normal"),
        ({"sensitivity": "high"}, "high"),
        ({"threshold": 0.3}, None),
        ({"mask": Path("mask.png")}, None),
        ({"mask": "none"}, None),
        (SR, None),
    ],
)
def test_sensitivity_is_recorded_where_it_decides(
    values: dict[str, Any], sensitivity: str | None
) -> None:
    record = make(**values).record(threshold=0.4, diffuses=True, mask_sha256=None)
    assert record["sensitivity"] == sensitivity
    assert record["threshold"] == values.get("threshold", 0.4)


def test_regions_join_the_prompt_when_the_model_colours() -> None:
    regions = (ColourRegion(Path("a.png"), "red"), ColourRegion(Path("b.png"), "#345ca5"))
    coloured = make(task="colorize", prompt="a girl", colour_regions=regions)
    assert coloured.full_prompt == "a girl, red, blue"
    record = coloured.record(threshold=0.4, diffuses=True, mask_sha256=None)
    assert (record["prompt"], record["full_prompt"]) == ("a girl", "a girl, red, blue")
    assert make(task="colorize", colour_regions=regions, guidance=2.0).prompted
    assert make(prompt="a girl", colour_regions=regions).full_prompt == "a girl"
