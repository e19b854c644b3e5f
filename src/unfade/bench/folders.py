"""The photos of a case, and which output belongs to which input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from unfade.bench.cases import Case
from unfade.errors import InputError, UsageError
from unfade.eval.folders import photos_below
from unfade.imaging import SUFFIXES


def inputs_of(case: Case) -> dict[str, Path]:
    """Name (the place below the folder, without suffix) -> file.

    Raises:
        UsageError: there is no such folder, or no photo in it.
        InputError: two files have one name.
    """
    return _unambiguous(case.inputs)


def references_of(case: Case) -> dict[str, Path]:
    """The references of the inputs, under their names; nothing where the case has none.

    Raises:
        UsageError: there is no such folder, or inputs without a reference.
        InputError: two files have one name.
    """
    if case.references is None:
        return {}
    found, names = _unambiguous(case.references), list(inputs_of(case))
    missing = [name for name in names if name not in found]
    if missing:
        raise UsageError(
            f"no reference of {_some(missing, len(names))}", "a clean photo for every input",
            "add them under the names of the inputs, or take the inputs away", path=case.references,
        )  # fmt: skip
    return {name: found[name] for name in names}


def reference_of(case: Case, name: str) -> Path | None:
    """The reference of one input; None where there is none."""
    if case.references is None:
        return None
    for suffix in (".png", *sorted(SUFFIXES)):
        path = case.references / f"{name}{suffix}"
        if path.is_file():
            return path
    return references_of(case).get(name)  # a suffix in capitals


def match_outputs(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """The outputs that belong to inputs, as far as there are any.

    An output is named as its input is, whatever its suffix; or all of them have the same few
    letters more at the end or at the beginning, as in `NAME_out.png`.

    Args:
        folder: searched with its sub-folders, which belong to the names.
        names: of the inputs.

    Raises:
        UsageError: there is no such folder, or no photo in it.
        InputError: two files have one name.
    """
    found, wanted = _unambiguous(folder), list(names)
    if any(name in found for name in wanted):
        return {name: found[name] for name in wanted if name in found}
    best: dict[str, Path] = {}
    for before, after in sorted(_affixes(found, wanted)):
        matched = {
            n: found[f"{before}{n}{after}"] for n in wanted if f"{before}{n}{after}" in found
        }
        best = max(best, matched, key=len)
    return best


def _affixes(found: Mapping[str, Path], wanted: list[str]) -> set[tuple[str, str]]:
    """What outputs have before and after the name of some input, one of the two empty."""
    tails = {("", stem[len(n) :]) for n in wanted for stem in found if stem.startswith(n)}
    heads = {(stem[: -len(n)], "") for n in wanted for stem in found if stem.endswith(n)}
    return {pair for pair in tails | heads if "/" not in "".join(pair)}


def _unambiguous(folder: Path) -> dict[str, Path]:
    problems: list[InputError] = []
    found = photos_below(folder, "", problems)
    if problems:
        raise problems[0]
    return found


def _some(names: list[str], total: int) -> str:
    """ "a, b, c and 7 more (10 of 100)"."""
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{shown} ({len(names)} of {total})"
