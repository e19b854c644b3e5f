"""Checks cases and methods before anything runs."""

from __future__ import annotations

from collections.abc import Sequence

from unfade.bench.case_files import inputs_of, references_of
from unfade.bench.cases import Case
from unfade.bench.methods.base import Method
from unfade.bench.result_checks import size_text, target_size
from unfade.errors import UsageError
from unfade.imaging import read_photo


def check_cases(cases: Sequence[Case], methods: Sequence[Method]) -> None:
    """Checks that every photo can be read and every method can run.

    Raises:
        UsageError: no case or method, two of one name, a folder that is missing or empty, inputs
            without a reference, a photo of another size than its reference asks for.
        UnfadeError: a photo cannot be read, or a method cannot work.
    """
    if not cases:
        raise UsageError("nothing to compare", "at least one case", "name another table")
    if not methods:
        raise UsageError("no method", "at least one", "name one with --method")
    _refuse_duplicates([f"{case.table}/{case.name}" for case in cases], "case", "leave one out")
    _refuse_duplicates([method.name for method in methods], "method", "name one of them NAME=...")
    for case in cases:
        if not any(takes_part(method.name, case) for method in methods):
            got = f"no method for {case.table}/{case.name}"
            raise UsageError(got, f"one of {', '.join(case.methods)}", "name it with --method")
        _check_photos(case)
    for method in methods:
        method_cases = [case for case in cases if takes_part(method.name, case)]
        if method_cases:
            method.check(method_cases)


def takes_part(method: str, case: Case) -> bool:
    """Whether a method is to restore a case."""
    return not case.methods or method in case.methods


def _check_photos(case: Case) -> None:
    references = references_of(case)
    for name, path in inputs_of(case).items():
        photo = read_photo(path)
        if name not in references:
            continue
        target = read_photo(references[name])
        height, width = target_size(case, photo)
        if (target.height, target.width) != (height, width):
            raise UsageError(
                f"a reference of {size_text(target)} for an input of {size_text(photo)}",
                f"{width} x {height} pixels, as the task '{case.options.task}' makes it",
                "use references of that size, or another scale",
                path=references[name],
            )


def _refuse_duplicates(names: Sequence[str], kind: str, fix: str) -> None:
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        raise UsageError(f"two {kind}s called {duplicates[0]!r}", "names that differ", fix)
