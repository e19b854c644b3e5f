from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from unfade.cli import train
from unfade.cli.main import cli
from unfade.cli.train import duration, progress_line
from unfade.train.run import TASKS as KNOWN


@pytest.mark.parametrize("name", KNOWN)
def test_commands_take_what_their_task_needs(name: str) -> None:
    text = CliRunner().invoke(cli, ["train", name, "--help"]).output
    found = set(re.findall(r"--[a-z]+", text))
    assert {"--data", "--run", "--recipe", "--start"} <= found
    frozen = {"prior": {"--base"}, "controlnet": {"--base"}, "cfw": {"--base", "--controlnet"}}
    assert found & {"--base", "--controlnet"} == frozen.get(name, set())
    assert ("--cache" in found) == (name in frozen)
    assert ("--damage" in found) == (name in ("scratch", "stage1"))


def test_train_hands_the_shapes_of_damage_on(tmp_path: Path) -> None:
    grays = np.full((40, 40), 90, np.uint8)
    (tmp_path / "data").mkdir()
    (tmp_path / "shapes" / "moustache").mkdir(parents=True)
    for path in (tmp_path / "data" / "a.png", tmp_path / "shapes" / "moustache" / "0.png"):
        path.write_bytes(cv2.imencode(".png", grays)[1].tobytes())
    (tmp_path / "recipe.toml").write_text("[pairs]\nsize = 32\n")
    paths = {"data": "data", "run": "run", "recipe": "recipe.toml", "damage": "shapes"}
    options = [f"--{option}={tmp_path / path}" for option, path in paths.items()]
    done = CliRunner().invoke(cli, ["train", "scratch", *options])
    assert done.exit_code != 0
    assert "kind 'moustache'" in str(done.output) + str(done.exception)
    assert not (tmp_path / "run").exists()


def test_train_says_what_is_missing(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        cli, ["train", "prior", "--data", str(tmp_path), "--run", str(tmp_path / "run")]
    )
    assert done.exit_code == 2 and "--base" in done.output
    done = CliRunner().invoke(
        cli, ["train", "vae", "--data", str(tmp_path / "none"), "--run", str(tmp_path / "run")]
    )
    assert done.exit_code != 0 and "no such folder" in str(done.output) + str(done.exception)


@pytest.mark.parametrize(
    ("done", "seconds", "text"),
    [(0, 0.0, "100/500  loss 0.2500"),
     (50, 25.0, "100/500  loss 0.2500  2.00/s  3 min left"),
     (50, 250.0, "100/500  loss 0.2500  5.0 s each  33 min left")],
)  # fmt: skip
def test_progress_tells_the_rate_and_the_time_left(done: int, seconds: float, text: str) -> None:
    assert progress_line(100, 500, {"loss": 0.25}, done, seconds) == text


def test_progress_tells_the_whole_time_at_the_end() -> None:
    assert progress_line(500, 500, {}, 400, 7300.0) == "500/500  18.2 s each  2 h 2 min in all"
    assert [duration(s) for s in (0.4, 89, 91, 5400, 200_000)] == [
        "0 s", "89 s", "2 min", "1 h 30 min", "2 d 8 h",
    ]  # fmt: skip


def test_a_training_into_a_pipe_is_told_of_every_half_minute(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    clock = [0.0]
    monkeypatch.setattr(train.time, "monotonic", lambda: clock[0])
    report = train._reporter()
    for step in range(201, 321):  # resumed at step 200, a step a second
        report(step, 320, {"loss": 1.0})
        clock[0] += 1
    lines = capfd.readouterr().err.splitlines()
    assert [line.split("/")[0] for line in lines] == ["201", "231", "261", "291", "320"]
    assert lines[1].endswith("1.00/s  89 s left")
