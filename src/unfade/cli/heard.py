"""What is warned of while a photo is restored."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator


class _Listener(logging.Handler):
    def __init__(self, said: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(record.getMessage())


@contextlib.contextmanager
def warnings_heard() -> Generator[list[str]]:
    """The package's warnings, as they come; they go where they went before, too."""
    said: list[str] = []
    logger = logging.getLogger("unfade")
    added: list[logging.Handler] = [_Listener(said)]
    if not logger.hasHandlers() and logging.lastResort is not None:
        added.append(logging.lastResort)  # what a logger without any handler goes to
    for handler in added:
        logger.addHandler(handler)
    try:
        yield said
    finally:
        for handler in added:
            logger.removeHandler(handler)
