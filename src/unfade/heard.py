"""What is warned of while a photo is restored."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator
from pathlib import Path

import click

from unfade.errors import printable


class _Listener(logging.Handler):
    """Keeps every warning once; `aloud` says it on stderr too."""

    def __init__(self, source: Path, said: list[str], *, aloud: bool) -> None:
        super().__init__(logging.WARNING)
        self._name = printable(source)
        self._said = said
        self._aloud = aloud

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text in self._said:
            return
        self._said.append(text)
        if self._aloud:
            click.echo(text if self._name in text else f"{self._name}: {text}", err=True)


@contextlib.contextmanager
def warnings_heard(source: Path) -> Generator[list[str]]:
    """The package's warnings about a photo, as they come, each once.

    They go where they went before, too; where that is nowhere but stderr, with the photo's name.
    """
    said: list[str] = []
    logger = logging.getLogger("unfade")
    listener = _Listener(source, said, aloud=not logger.hasHandlers())
    logger.addHandler(listener)
    try:
        yield said
    finally:
        logger.removeHandler(listener)
