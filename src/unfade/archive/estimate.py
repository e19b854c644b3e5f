"""Estimates the time and disk space of a run before it starts."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from unfade.archive.arrow import Table, pc
from unfade.archive.manifest import ArchiveManifest
from unfade.archive.planning import Plan, check_paths, make_plan, sample
from unfade.archive.run import Archive, WorkerPool, items
from unfade.archive.sources import Search
from unfade.archive.storage import open_storage
from unfade.archive.work import DONE, Task
from unfade.errors import InputError

TRIAL_PHOTOS = 3


@dataclass(frozen=True)
class Estimate:
    """The estimated time and space of a run.

    Attributes:
        photos: number of photos to restore.
        measured: number of photos that the estimate is based on.
        trial: whether these were restored for the estimate; else they are of earlier runs.
        seconds: duration with this many workers; None if nothing could be measured.
        bytes_out: size of the results; None likewise.
    """

    plan: Plan
    photos: int
    measured: int
    trial: bool
    workers: int
    seconds: float | None
    bytes_out: int | None


def estimate(
    archive: Archive,
    task: Callable[[str], Task],
    make_pool: Callable[[Task], WorkerPool],
    workers: int,
) -> Estimate:
    """Plans a run without writing to DST; restores TRIAL_PHOTOS photos if no earlier run has any.

    Raises:
        UsageError: SRC does not exist, or DST is not apart from it.
    """
    check_paths(archive.src, archive.dst)
    storage = open_storage(archive.dst)
    manifest = ArchiveManifest(storage)
    with tempfile.TemporaryDirectory(prefix="unfade-") as folder:
        trial = dataclasses.replace(task("trial"), dst=folder, folder="")
        with make_pool(trial) as pool:
            result_key = pool.result_key(lambda: False)
            assert result_key is not None  # nothing stops it
            plan = make_plan(
                Search(archive.src, archive.dst), storage, manifest, folder=archive.folder,
                settings=result_key.settings_text, weights=result_key.weights_text,
                overwrite=archive.overwrite, retry=archive.retry, write=False,
            )  # fmt: skip
            todo = plan.todo if archive.sample is None else sample(plan.todo, archive.sample)
            rows = _restored_rows(manifest)
            measured = bool(rows)
            if not measured:
                results = pool.rows(items(sample(todo, TRIAL_PHOTOS)), lambda: False)
                rows = [row for row in results if row is not None and row["state"] == DONE]
    return _scaled(plan, todo, rows, workers, trial=not measured)


def _restored_rows(manifest: ArchiveManifest) -> list[dict[str, Any]]:
    columns = ["key", "state", "size", "seconds", "output_bytes", "adopted"]
    try:
        table = manifest.read(columns)
    except InputError:
        return []
    restored = pc.equal(table["state"].cast("string"), DONE)
    restored = pc.and_(restored, pc.invert(pc.fill_null(table["adopted"], False)))
    return table.filter(restored).to_pylist()


def _scaled(
    plan: Plan, todo: Table, rows: list[dict[str, Any]], workers: int, *, trial: bool
) -> Estimate:
    size = sum(row["size"] for row in rows)
    bytes_todo = pc.sum(todo["size"]).as_py() or 0
    seconds = bytes_out = None
    if size:
        active = min(workers, max(1, len(todo)))
        seconds = sum(row["seconds"] for row in rows) / size * bytes_todo / active
        bytes_out = round(sum(row["output_bytes"] for row in rows) / size * bytes_todo)
    return Estimate(plan, len(todo), len(rows), trial, workers, seconds, bytes_out)
