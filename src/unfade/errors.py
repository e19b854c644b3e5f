"""Errors that say what was given, what was expected, and how to fix it."""

from __future__ import annotations

import os
import re
from pathlib import Path

#: Beginnings of a fix that is a command.
_COMMANDS = ("curl ", "hf ", "pip ")


def printable(path: Path) -> str:
    """The name of a file as text that any terminal can show, even where it is not UTF-8."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def with_flags(text: str) -> str:
    """A message with the arguments in it as flags: "strength=0.5" becomes "--strength 0.5".

    Messages name arguments as Python does; on the command line each is a flag of the same name.
    """
    return re.sub(r"\b([a-z_]+)=(True\b|'[^']+'|[A-Z][A-Z|]*|\d[\d.]*)", _flag, text)


def _flag(argument: re.Match[str]) -> str:
    flag, value = "--" + argument[1].replace("_", "-"), argument[2].strip("'")
    return flag if value == "True" else f"{flag} {value}"


class UnfadeError(Exception):
    """The base class of all errors that a user can cause and can fix.

    Attributes:
        got: what is there, or was given: "a folder", "no such file", "threshold 3".
        expected: what is needed: "a photo", "between 0 and 1".
        fix: what to do, as an order: "name a file".
        path: the file that it is about, None where there is none.
    """

    def __init__(self, got: str, expected: str, fix: str, *, path: Path | None = None) -> None:
        super().__init__(got, expected, fix)
        self.got = got
        self.expected = expected
        self.fix = fix
        self.path = path

    def __str__(self) -> str:
        name = "" if self.path is None else f"{printable(self.path)}: "
        return f"{name}got {self.got}, expected {self.expected}; {self.fix}"

    def message(self, name: str = "") -> str:
        """The error on a terminal, in sentences: "a.jpg is a folder. Needed: a photo. Name a file."

        Arguments are named as flags (`with_flags`).

        Args:
            name: what it is about, where the error names no file.
        """
        name = name if self.path is None else printable(self.path)
        if not name:
            first = self.got
        elif self.got.startswith(("a ", "an ")):
            first = f"{name} is {self.got}"
        else:
            first = f"{name}: {self.got}"
        # A command or a file name is copied: no full stop behind it.
        fix = with_flags(self.fix)
        end = "." if re.search(r"(^|\s)(\w[\w-]*\)?|\d+\.\d+)$", fix) else ""
        order = f"{fix[:1].upper()}{fix[1:]}"
        order = f"Run: {fix}" if fix.startswith(_COMMANDS) else order
        return f"{first}. Needed: {with_flags(self.expected)}. {order}{end}"

    #: The name of `message` before version 0.2.
    told = message


class InputError(UnfadeError):
    """A photo or mask that cannot be read."""


class OutputError(UnfadeError):
    """A result that cannot be written."""


class UsageError(UnfadeError):
    """Options that do not make sense."""


class WeightsError(UnfadeError):
    """Weights that are missing, damaged, or not the expected ones."""


def first_line(error: Exception) -> str:
    """What an error of another library says, in one line."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def explain(error: Exception, source: Path) -> str:
    """An error about a photo, in one line that names the photo and says what to do."""
    name = printable(source)
    if isinstance(error, UnfadeError):
        named = error.path is None or error.path == source
        return error.message(name) if named else f"{name}: {error.message()}"
    reason = " ".join(str(error).split())[:300]
    text = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    if is_out_of_memory(error):
        return f"{name}: not enough memory ({text}); use a smaller --tile or a smaller photo"
    return f"{name}: an unexpected error ({text}); run it again with --verbose to see where"


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out, on the processor or on the device."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    words = ("can't allocate memory", "not enough memory", "out of memory", "Unable to allocate")
    return any(word.lower() in str(error).lower() for word in words)
