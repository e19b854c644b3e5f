"""Reads shapes of real damage from shards or folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from unfade.data.sources import load_photos
from unfade.degrade.stencils import KINDS, Stencil
from unfade.errors import InputError


def load_stencils(folder: Path) -> Sequence[Stencil]:
    """Every picture KIND/NAME.png of a folder or of its shards (*.tar), sorted by name.

    Raises:
        InputError: the folder is missing or holds none, or a kind is unknown.
    """
    stencils = [
        Stencil(PurePosixPath(file.key).parent.name, file.code) for file in load_photos(folder)
    ]
    unknown = sorted({s.kind for s in stencils} - set(KINDS))
    if unknown:
        raise InputError(
            f"damage of kind '{unknown[0]}'",
            f"folders named {', '.join(KINDS)}",
            "rename the folder",
            path=folder,
        )
    return stencils
