"""Reuses a method's results on the same inputs from other cases."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from unfade.bench.cases import Case, Cost
from unfade.bench.paths import RunPaths
from unfade.bench.record import Record, Result, holds
from unfade.bench.result_checks import check_result
from unfade.errors import UnfadeError


def reuse(
    record: Record,
    wanted: Sequence[str],
    case: Case,
    method: str,
    hashes: Mapping[str, str],
    run_paths: RunPaths,
) -> list[str]:
    """Copies identical results from other cases of the output folder.

    A result is the same where the method's identity and the input are. It brings along its share
    of what it cost to make there.

    Args:
        record: of this case; gets the results and costs.
        wanted: names of images without a result.
        hashes: name -> SHA-256 of the input.

    Returns:
        The names that were found.
    """
    own_record, reused = run_paths.record(case, method), list[str]()
    left = {hashes[name]: name for name in wanted}
    for path in run_paths.records(method):
        if not left or path == own_record:
            continue
        other = Record.read(path)
        if other.identity != record.identity:
            continue
        for image, known in other.results.items():
            name = left.get(known.input)
            source = path.with_suffix("") / f"{image}.png"
            if name is None or not holds(source, known.output):
                continue
            if not _copied(source, case, name, run_paths.result(case, method, name)):
                continue
            record.results[name] = Result(known.input, known.output)
            record.add_cost(_share(other))
            del left[known.input]
            reused.append(name)
    return reused


def _copied(source: Path, case: Case, name: str, target: Path) -> bool:
    """Copies a result if it is valid for this case; returns whether it is."""
    try:
        check_result(case, name, source)
    except UnfadeError:
        return False
    shutil.copyfile(source, target)
    return True


def _share(record: Record) -> Cost | None:
    """The average cost of one image of a record."""
    cost = record.cost
    if cost is None or not cost.images:
        return None
    megapixels, seconds = cost.megapixels / cost.images, cost.seconds / cost.images
    return replace(cost, images=1, megapixels=megapixels, seconds=seconds)
