"""Finds the inputs and references of a case, and matches outputs to inputs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from unfade.bench.cases import Case
from unfade.errors import UsageError
from unfade.eval.matching import match_names, unambiguous_photos
from unfade.imaging import SUFFIXES


def inputs_of(case: Case) -> dict[str, Path]:
    """The inputs: name (path below the folder, without suffix) -> file.

    Raises:
        UsageError: there is no such folder, or no photo in it.
        InputError: two files have one name.
    """
    return unambiguous_photos(case.inputs)


def references_of(case: Case) -> dict[str, Path]:
    """The references of the inputs, under their names; nothing where the case has none.

    Raises:
        UsageError: there is no such folder, or inputs without a reference.
        InputError: two files have one name.
    """
    if case.references is None:
        return {}
    references, names = unambiguous_photos(case.references), list(inputs_of(case))
    missing = [name for name in names if name not in references]
    if missing:
        raise UsageError(
            f"no reference of {_some(missing, len(names))}",
            "a clean photo for every input",
            "add them under the names of the inputs, or take the inputs away",
            path=case.references,
        )
    return {name: references[name] for name in names}


def reference_of(case: Case, name: str) -> Path | None:
    """The reference of one input; None if there is none."""
    if case.references is None:
        return None
    for suffix in (".png", *sorted(SUFFIXES)):
        path = case.references / f"{name}{suffix}"
        if path.is_file():
            return path
    return references_of(case).get(name)  # a suffix in capitals


def match_outputs(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """The outputs in a folder that belong to inputs (`match_names`).

    Raises:
        UsageError: there is no such folder, or no photo in it.
        InputError: two files have one name.
    """
    return match_names(unambiguous_photos(folder), names)


def _some(names: list[str], total: int) -> str:
    """ "a, b, c and 7 more (10 of 100)"."""
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{shown} ({len(names)} of {total})"
