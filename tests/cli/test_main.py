from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from unfade import _version
from unfade.cli.main import COMMANDS, run


def test_help_lists_every_command(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    text = capfd.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)


def test_version_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert _version.__version__ in capfd.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    assert capfd.readouterr().out.startswith("Usage: unfade " + name)


@pytest.mark.parametrize("arguments", [["bogus"], ["--bogus"], [], ["restore"], ["detect", "x"]])
def test_exit_code_is_two_when_the_usage_is_wrong(
    arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert "Usage: unfade" in err


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["restore", "a.png", "-o", "out", "--json"]]
)
def test_output_that_cannot_be_written_is_told_in_a_sentence(
    arguments: list[str], tmp_path: Path
) -> None:
    Image.new("L", (40, 40), 120).save(tmp_path / "a.png")
    command = [sys.executable, "-m", "unfade", *arguments]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    assert "Error: the output cannot be written (No space left on device)" in done.stderr
