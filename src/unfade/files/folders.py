"""Makes folders to write to."""

from __future__ import annotations

import os
from pathlib import Path

from unfade.errors import OutputError


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it. OutputError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        in_the_way = isinstance(error, (FileExistsError, NotADirectoryError))
        got = "a file where a folder should be" if in_the_way else (error.strerror or str(error))
        raise OutputError(got, "a folder to write to", "choose another OUT", path=folder) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        got, expected = "no right to write", "a folder that can be written"
        raise OutputError(got, expected, "choose another OUT", path=folder)
