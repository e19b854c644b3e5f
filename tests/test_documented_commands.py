"""The commands of the README and docs/: each is one that the program takes."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
from pathlib import Path

import click
import pytest

from unfade.cli.main import COMMANDS, cli
from unfade.cli.protocols import ALSO_TABLES, PROTOCOLS

ROOT = Path(__file__).parents[1]
_SPEC = importlib.util.spec_from_file_location(
    "documented_commands", ROOT / "benchmarks" / "documented_commands.py"
)
assert _SPEC is not None and _SPEC.loader is not None
documented = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = documented
_SPEC.loader.exec_module(documented)
FOUND = [
    (page.name, line)
    for page in documented.PAGES
    for line in documented.commands(page.read_text(encoding="utf-8"))
]


def parse(line: str) -> None:
    """Names and number of a command's options and arguments; no file is looked for."""
    _, name, *words = shlex.split(re.sub(r"\$\{?\w+\}?", "X", line))
    context = click.Context(cli)
    command = cli.get_command(context, name)
    assert command is not None, f"no command {name}"
    tables = any(word.startswith(("-o", "--out", "--prepare")) for word in words)
    if name == "bench" and words[0] in PROTOCOLS and not (words[0] in ALSO_TABLES and tables):
        command, words = PROTOCOLS[words[0]], words[1:]
    command.make_parser(click.Context(command, info_name=name)).parse_args(words)


@pytest.mark.parametrize(("page", "line"), [f for f in FOUND if f[1].startswith("unfade ")])
def test_the_program_takes_every_documented_command(page: str, line: str) -> None:
    parse(line)


def test_every_command_is_documented() -> None:
    named = {line.split()[1] for _, line in FOUND if line.startswith("unfade ")}
    assert set(COMMANDS) <= named


def test_a_wrong_option_is_noticed() -> None:
    with pytest.raises(click.NoSuchOption):
        parse("unfade restore print.jpg --sharpness 3")


@pytest.mark.parametrize(("page", "line"), [f for f in FOUND if "benchmarks/" in f[1]])
def test_the_scripts_that_the_pages_name_are_there(page: str, line: str) -> None:
    scripts = [word for word in shlex.split(line) if word.startswith("benchmarks/")]
    assert scripts and all((ROOT / script).is_file() for script in scripts)


def test_the_pages_name_targets_of_make_and_extras_that_are_there() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    extras = set(re.findall(r"^([\w-]+) = \[", _optional(), re.M))
    for _, line in FOUND:
        if line.startswith("make "):
            assert line.split()[1] in targets, line
        assert set(re.findall(r"'\.\[([\w-]+)\]'", line)) <= extras, line


def _optional() -> str:
    text = (ROOT / "pyproject.toml").read_text()
    return text.split("[project.optional-dependencies]")[1].split("[project.scripts]")[0]
