from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from unfade.cli.main import cli
from unfade.cli.train import TASKS
from unfade.train.run import TASKS as KNOWN


def test_every_task_has_a_command() -> None:
    assert tuple(TASKS) == KNOWN


@pytest.mark.parametrize(
    ("name", "needed"),
    [("vae", set()), ("prior", {"--base"}), ("controlnet", {"--base"}),
     ("cfw", {"--base", "--controlnet"})],
)  # fmt: skip
def test_commands_take_the_frozen_networks_that_they_need(name: str, needed: set[str]) -> None:
    text = CliRunner().invoke(cli, ["train", name, "--help"]).output
    assert {"--data", "--run", "--recipe", "--start"} <= set(re.findall(r"--[a-z]+", text))
    assert set(re.findall(r"--base|--controlnet", text)) == needed
    assert ("--cache" in text) == (name != "vae")


def test_train_says_what_is_missing(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        cli, ["train", "prior", "--data", str(tmp_path), "--run", str(tmp_path / "run")]
    )
    assert done.exit_code == 2 and "--base" in done.output
    done = CliRunner().invoke(
        cli, ["train", "vae", "--data", str(tmp_path / "none"), "--run", str(tmp_path / "run")]
    )
    assert done.exit_code != 0 and "no such folder" in str(done.output) + str(done.exception)
