from __future__ import annotations

import pytest

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
