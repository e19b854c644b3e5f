from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Any

import pytest

from unfade import imaging, types
from unfade.errors import UsageError
from unfade.types import RestoreOptions, command, refuse_reserved


def make(**values: Any) -> RestoreOptions:
    return dataclasses.replace(RestoreOptions(), **values)


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
        ({"preset": ""}, "empty preset"),
        ({"device": ""}, "empty device"),
    ],
)
def test_options_are_refused_when_they_make_no_sense(values: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        make(**values)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "values", [{"task": "super-resolution"}, {"task": "colorize"}, {"preset": "sd21"}]
)
def test_options_say_so_when_they_are_reserved(values: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="reserved for the diffusion model"):
        make(**values)


def test_reserved_arguments_are_refused_when_given() -> None:
    refuse_reserved({"prompt": None, "steps": None})
    with pytest.raises(UsageError, match="steps '0'"):
        refuse_reserved({"prompt": None, "steps": 0})


def test_pixel_limit_is_the_one_of_the_readers() -> None:
    assert types.MAX_PIXELS == imaging.MAX_PIXELS


def test_command_names_only_what_differs_from_the_defaults() -> None:
    options = make(mask=Path("my mask.png"), only_damage=True, tile=512)
    record = options.record(threshold=0.5, mask_sha256="ab")
    words = shlex.split(command(record, Path("-a b.jpg"), Path("out.jpg")))
    assert words[:4] == ["unfade", "restore", "-o", "out.jpg"]
    assert words[-2:] == ["--", "-a b.jpg"]
    middle = words[4:-2]
    assert middle == [
        "--mask",
        "my mask.png",
        "--only-damage",
        "--tile",
        "512",
        "--threshold",
        "0.5",
    ]


def test_command_is_understood_by_the_command_line() -> None:
    from unfade.cli.restore import restore

    record = make(mask="none", tone="keep", seed=3, device="cpu").record(
        threshold=0.5, mask_sha256=None
    )
    words = shlex.split(command(record, Path("-a b.jpg"), Path("out.jpg")))
    context = restore.make_context("restore", words[2:])
    assert context.params["mask"] == "none"
    assert context.params["tone"] == "keep"
    assert context.params["seed"] == 3
    assert context.params["inputs"] == ("-a b.jpg",)


def test_record_is_complete() -> None:
    record = RestoreOptions().record(threshold=0.4, mask_sha256=None)
    fields = {field.name for field in dataclasses.fields(RestoreOptions)}
    assert set(record) == fields | {"mask_sha256"}
    assert record["threshold"] == 0.4
