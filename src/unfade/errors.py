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
        """The error as sentences: "a.jpg is a folder. Needed: a photo. Name a file."

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
        end = "." if re.search(r"(^|\s)(\w[\w-]*\)?|\d+\.\d+)$", self.fix) else ""
        order = f"{self.fix[:1].upper()}{self.fix[1:]}"
        fix = f"Run: {self.fix}" if self.fix.startswith(_COMMANDS) else order
        return f"{first}. Needed: {self.expected}. {fix}{end}"

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
