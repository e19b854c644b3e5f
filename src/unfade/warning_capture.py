"""Captures the warnings that the package logs while it restores a photo."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator
from pathlib import Path

import click

from unfade.errors import printable, with_flags


class _CaptureHandler(logging.Handler):
    """Stores each warning once; with `to_stderr` also writes it to stderr."""

    def __init__(self, source: Path, warnings: list[str], *, to_stderr: bool) -> None:
        super().__init__(logging.WARNING)
        self._name = printable(source)
        self._warnings = warnings
        self._to_stderr = to_stderr

    def emit(self, record: logging.LogRecord) -> None:
        text = with_flags(record.getMessage())
        if text in self._warnings:
            return
        self._warnings.append(text)
        if self._to_stderr:
            click.echo(text if self._name in text else f"{self._name}: {text}", err=True)


@contextlib.contextmanager
def capture_warnings(source: Path) -> Generator[list[str]]:
    """Collects the package's warnings about a photo, each once, in a list that grows.

    They name arguments as flags (`unfade.errors.with_flags`). Existing log handlers still receive
    them as they were logged. If no handler is configured, the warnings go to stderr with the
    photo's name.

    Args:
        source: path of the photo.
    """
    warnings: list[str] = []
    logger = logging.getLogger("unfade")
    handler = _CaptureHandler(source, warnings, to_stderr=not logger.hasHandlers())
    logger.addHandler(handler)
    try:
        yield warnings
    finally:
        logger.removeHandler(handler)
