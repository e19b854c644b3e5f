"""What a run would cost, in time and space, before it is begun."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from unfade.archive.arrow import Table, pc
from unfade.archive.manifest import ArchiveManifest
from unfade.archive.places import open_place
from unfade.archive.planning import Plan, check_places, make_plan, sample
from unfade.archive.run import Archive, Engine, items
from unfade.archive.sources import Search
from unfade.archive.work import DONE, Task
from unfade.errors import InputError

TRIAL = 3


@dataclass(frozen=True)
class Estimate:
    """What a run would cost.

    Attributes:
        photos: that it would restore.
        measured: photos that the estimate was measured on.
        trial: whether these were restored now, into a folder that is gone; else they are results
            of earlier runs.
        seconds: of the run, with this many workers; None where nothing could be measured.
        bytes_out: that it would write; None likewise.
    """

    plan: Plan
    photos: int
    measured: int
    trial: bool
    workers: int
    seconds: float | None
    bytes_out: int | None


def estimate(
    archive: Archive, task: Callable[[str], Task], engine: Callable[[Task], Engine], workers: int
) -> Estimate:
    """Plans a run without writing to DST, and measures TRIAL photos where nothing is known yet.

    Raises:
        UsageError: SRC does not exist, or DST is not apart from it.
    """
    check_places(archive.src, archive.dst)
    place = open_place(archive.dst)
    manifest = ArchiveManifest(place)
    with tempfile.TemporaryDirectory(prefix="unfade-") as folder:
        trial = dataclasses.replace(task("trial"), dst=folder, folder="")
        with engine(trial) as pool:
            decisive = pool.decisive(lambda: False)
            assert decisive is not None  # nothing stops it
            plan = make_plan(
                Search(archive.src, archive.dst), place, manifest, folder=archive.folder,
                settings=decisive.settings_text, weights=decisive.weights_text,
                overwrite=archive.overwrite, retry=archive.retry, write=False,
            )  # fmt: skip
            todo = plan.todo if archive.sample is None else sample(plan.todo, archive.sample)
            rows = _known(manifest)
            known = bool(rows)
            if not known:
                made = pool.rows(items(sample(todo, TRIAL)), lambda: False)
                rows = [row for row in made if row is not None and row["state"] == DONE]
    return _scaled(plan, todo, rows, workers, trial=not known)


def _known(manifest: ArchiveManifest) -> list[dict[str, Any]]:
    columns = ["key", "state", "size", "seconds", "output_bytes", "adopted"]
    try:
        table = manifest.read(columns)
    except InputError:
        return []
    made = pc.equal(table["state"].cast("string"), DONE)
    made = pc.and_(made, pc.invert(pc.fill_null(table["adopted"], False)))
    return table.filter(made).to_pylist()


def _scaled(
    plan: Plan, todo: Table, rows: list[dict[str, Any]], workers: int, *, trial: bool
) -> Estimate:
    size = sum(row["size"] for row in rows)
    bytes_todo = pc.sum(todo["size"]).as_py() or 0
    seconds = bytes_out = None
    if size:
        busy = min(workers, max(1, len(todo)))
        seconds = sum(row["seconds"] for row in rows) / size * bytes_todo / busy
        bytes_out = round(sum(row["output_bytes"] for row in rows) / size * bytes_todo)
    return Estimate(plan, len(todo), len(rows), trial, workers, seconds, bytes_out)
