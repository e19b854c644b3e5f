from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Any

import pytest

from unfade.options import RestoreOptions
from unfade.types import command, numbered

#: The command line checks that the files are there, and no more.
FILES = (Path(__file__), Path(__file__).with_name("conftest.py"))


def make(**values: Any) -> RestoreOptions:
    return dataclasses.replace(RestoreOptions(), **values)


def test_command_names_only_what_differs_from_the_defaults() -> None:
    options = make(mask=Path("my mask.png"), only_damage=True, tile=512)
    record = options.record(threshold=0.5, diffuses=True, mask_sha256="ab")
    words = shlex.split(command(record, Path("-a b.jpg"), Path("out.jpg")))
    assert words[:4] == ["unfade", "restore", "-o", "out.jpg"]
    assert words[-2:] == ["--", "-a b.jpg"]
    middle = words[4:-2]
    assert middle == shlex.split("--mask 'my mask.png' --only-damage --tile 512 --threshold 0.5")


@pytest.mark.parametrize(
    "values",
    [
        {"task": "super-resolution", "scale": 3, "seed": 2, "fidelity": 0.3},
        {"paper": True, "steps": 7, "prompt": "a red dress"},
        {"task": "colorize", "paper": True, "eta": 0.5},
        {"task": "super-resolution"},
        {"task": "colorize", "prompt": "a 'red' dress", "negative_prompt": "-x", "guidance": 7.5},
        {"task": "colorize", "tone": "auto", "mask": "none", "variants": 3},
        {"strength": 0.30000000000000004, "steps": 5, "self_condition": 0.25, "tone": "keep"},
        {"strength": 0},
        {"sensitivity": "high"},
        {"sensitivity": "low", "protect": FILES},
        {"threshold": 0.25},
        {"preset": "sd21", "base": "a/b@c", "controlnet": Path("my net")},
        {"base": "sd15", "controlnet": "net", "reach": "damage"},
        {"base": "sd15", "prediction": "v", "dtype": "fp16", "offload": True, "compiled": True},
    ],
)
def test_command_gives_the_same_options_again(values: dict[str, Any]) -> None:
    from unfade.cli.options import RestoreCommand
    from unfade.cli.restore import restore

    assert isinstance(restore, RestoreCommand)
    record = make(**values).record(threshold=0.5, diffuses=True, mask_sha256=None)
    words = shlex.split(command(record, Path("-a in.jpg"), Path("out.jpg")))
    context = restore.make_context("restore", words[2:])
    assert context.params["inputs"] == ("-a in.jpg",)
    given = {f.name: context.params[f.name] for f in dataclasses.fields(RestoreOptions)}
    again = RestoreOptions(**given).record(threshold=0.5, diffuses=True, mask_sha256=None)
    assert again == record


def test_variants_are_numbered_when_there_are_several() -> None:
    assert numbered(Path("a/b.c.jpg"), 1) == [Path("a/b.c.jpg")]
    assert numbered(Path("a/b.c.jpg"), 2) == [Path("a/b.c-1.jpg"), Path("a/b.c-2.jpg")]
