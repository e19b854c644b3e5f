"""Parses methods from their names on the command line."""

from __future__ import annotations

import ast
import re
import shlex
import typing
from collections.abc import Sequence
from pathlib import Path

from unfade.bench.methods.base import Method
from unfade.bench.methods.classics import INTERPOLATIONS, MENDING, Classical, Interpolation
from unfade.bench.methods.precomputed import ResultsFolder
from unfade.bench.methods.program import PLACEHOLDERS, Program
from unfade.errors import UsageError
from unfade.manifest import Value
from unfade.models.presets import MANIFEST, PRESETS
from unfade.options import RestoreOptions

FIRST_STAGE = "first-stage"
#: Those that need nothing but their name.
BUILT_IN = (*INTERPOLATIONS, *MENDING, FIRST_STAGE, *PRESETS)

_LABEL = re.compile(r"([^:={}\\]+)=(.+)", re.DOTALL)


def parse_methods(texts: Sequence[str], *, timeout_s: float | None = None) -> list[Method]:
    """Methods from texts, each `WHAT` or `NAME=WHAT`.

    WHAT is one of BUILT_IN; a preset with options, such as `compact:strength=0,tone=keep`; a
    folder of a preset, or of results made elsewhere; a network file; or a command with {input}
    and {output}. A NAME holds no colon, equals sign, brace or backslash. A text that is the path
    of something is never parted.

    Args:
        texts: in the order of tables.
        timeout_s: of a command, for one case.

    Raises:
        UsageError: a text is none of these.
    """
    return [_parse(text, timeout_s) for text in texts]


def _parse(text: str, timeout_s: float | None) -> Method:
    label = None if _exists(text.strip()) else _LABEL.fullmatch(text)
    name, what = (label[1].strip(), label[2]) if label else (text.strip(), text.strip())
    if any(placeholder in what for placeholder in PLACEHOLDERS):
        if label is None:
            raise UsageError(f"the command {what!r} without a name", "NAME=COMMAND", "name it")
        return Program(name, what, timeout_s)
    if what in INTERPOLATIONS:
        return Interpolation(name, INTERPOLATIONS[what])
    if what in MENDING:
        return Classical(name, what)
    return _networks(name, what, labelled=label is not None)


def _exists(text: str) -> bool:
    """Whether it is a path of something; a command may be too long to be one."""
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False


def _networks(name: str, what: str, *, labelled: bool) -> Method:
    from unfade.bench.methods.autoencoder import Autoencoder, is_autoencoder
    from unfade.bench.methods.network import SUFFIXES, Network
    from unfade.bench.methods.ours import FirstStage, Preset

    path = Path(what)
    if what == FIRST_STAGE:
        return FirstStage(name)
    if path.suffix.lower() in SUFFIXES:
        return Network(name if labelled else path.stem, path)
    preset, _, options = what.partition(":")
    if preset in PRESETS or (Path(preset) / MANIFEST).is_file():
        settings = _options(options) if options else {}
        if not labelled and preset not in PRESETS:
            name = Path(preset).resolve().name + what[len(preset) :]
        return Preset(name, settings | {"preset": preset})
    if is_autoencoder(path):
        return Autoencoder(name if labelled else path.resolve().name, path)
    if path.is_dir():
        return ResultsFolder(name if labelled else path.resolve().name, path)
    raise UsageError(
        f"the method {what!r}",
        f"one of {', '.join(BUILT_IN)}, PRESET:OPTION=VALUE,..., a folder of results or of an "
        f"autoencoder, a network "
        f"file ({' '.join(SUFFIXES)}), or NAME=COMMAND with {{input}} and {{output}}",
        "check the name",
    )


def _options(text: str) -> dict[str, Value]:
    """ "strength=0,tone=keep" by name; `RestoreOptions` checks the values."""
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = ",", True, ""
    kinds = typing.get_type_hints(RestoreOptions)
    values: dict[str, Value] = {}
    for item in lexer:
        name, sign, value = item.partition("=")
        if not sign:
            got = f"the option {item!r} of a preset"
            raise UsageError(got, "OPTION=VALUE", "give it a value")
        name = name.strip().replace("-", "_")
        values[name] = value if kinds.get(name) is str else _value(value.strip())
    return values


def _value(text: str) -> Value:
    words = {"true": True, "false": False}
    if text.lower() in words:
        return words[text.lower()]
    try:
        number = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return number if isinstance(number, (int, float)) else text
