"""Runs one pass over an archive: plans, lets workers restore, and writes the manifest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol

from unfade.archive.arrow import Table
from unfade.archive.lock import lock
from unfade.archive.manifest import ArchiveManifest
from unfade.archive.planning import Plan, check_paths, make_plan, sample
from unfade.archive.sources import Search
from unfade.archive.storage import open_storage
from unfade.archive.work import FULL, Item, ResultKey, Row, Task
from unfade.errors import OutputError

_FLUSH_S = 5.0
_FLUSH_ROWS = 500
_CHUNK = 1000


class WorkerPool(Protocol):
    """Workers that restore inputs, on this machine or on several."""

    def __enter__(self) -> WorkerPool:
        """Starts the workers."""
        ...

    def __exit__(self, *error: object) -> None:
        """Ends the workers."""
        ...

    def result_key(self, stopping: Callable[[], bool]) -> ResultKey | None:
        """Options and weights of the results; None if the run is stopped before they are loaded.

        Raises:
            UnfadeError: the weights or the options are at fault.
        """
        ...

    def rows(self, items: Iterator[Item], stopping: Callable[[], bool]) -> Iterator[Row | None]:
        """Restores all items; yields a row for each as it is done, and None while it waits.

        Once `stopping` returns True, items in progress are finished and no others are started.
        """
        ...


@dataclass(frozen=True)
class Archive:
    """Source, destination and options of a run.

    Attributes:
        src: a folder, photo, glob, list, shard or URL.
        dst: a folder or URL.
        folder: below DST, for the results: "", or "data" of a bag.
        overwrite: restore finished inputs again.
        retry: restore quarantined inputs again.
        sample: number of inputs to restore, spread over the tree; None is all.
    """

    src: str
    dst: str
    folder: str = ""
    overwrite: bool = False
    retry: bool = False
    sample: int | None = None


@dataclass
class Summary:
    """The result of a run.

    Attributes:
        counts: state -> number of inputs that this run brought to it.
        kinds: kind of error -> number of inputs.
        stopped: the reason for which the run was stopped early, else "".
    """

    plan: Plan
    counts: dict[str, int] = field(default_factory=dict[str, int])
    kinds: dict[str, int] = field(default_factory=dict[str, int])
    adopted: int = 0
    total: int = 0
    seconds: float = 0.0
    stopped: str = ""

    @property
    def left(self) -> int:
        """Number of inputs that were planned and are not done."""
        return self.total - sum(self.counts.values())

    def add(self, row: Row) -> None:
        """Counts a row."""
        state = row["state"]
        self.counts[state] = self.counts.get(state, 0) + 1
        self.adopted += bool(row.get("adopted"))
        kind = row.get("error_kind")
        if kind:
            self.kinds[kind] = self.kinds.get(kind, 0) + 1


@dataclass(frozen=True)
class RunCallbacks:
    """Callbacks that report the progress of a run, and that may stop it.

    Attributes:
        planned: called once, with the plan and the number of inputs of this run.
        row: called with each row, and the summary so far.
        stopping: called often; returns "", or a reason to stop after the items in progress.
    """

    planned: Callable[[Plan, int], None]
    row: Callable[[Row, Summary], None]
    stopping: Callable[[], str]


def run_archive(
    archive: Archive, task: Callable[[str], Task], make_pool: Callable[[Task], WorkerPool],
    callbacks: RunCallbacks,
) -> Summary:  # fmt: skip
    """Restores the inputs that have no up-to-date result.

    Args:
        task: makes the task of the workers, from the name of the run.
        make_pool: makes the pool of workers.

    Raises:
        UsageError: SRC does not exist, DST is not apart from it, or another run writes to DST.
        UnfadeError: the weights or the options are at fault, or the manifest cannot be kept.
    """
    check_paths(archive.src, archive.dst)
    storage = open_storage(archive.dst)
    with ExitStack() as stack:
        stack.enter_context(lock(storage))
        storage.clear_stages()
        stack.callback(storage.clear_stages)
        manifest = ArchiveManifest(storage)
        run = manifest.begin_run()
        workers = stack.enter_context(_as_context(make_pool(task(f"run-{run}"))))
        started = time.monotonic()
        result_key = workers.result_key(lambda: bool(callbacks.stopping()))
        if result_key is None:
            seconds = time.monotonic() - started
            return Summary(Plan.empty(), seconds=seconds, stopped=callbacks.stopping())
        plan = make_plan(
            Search(archive.src, archive.dst), storage, manifest, folder=archive.folder,
            settings=result_key.settings_text, weights=result_key.weights_text,
            overwrite=archive.overwrite, retry=archive.retry,
        )  # fmt: skip
        todo = plan.todo if archive.sample is None else sample(plan.todo, archive.sample)
        callbacks.planned(plan, len(todo))
        summary = Summary(plan, total=len(todo))
        _collect_rows(workers, todo, manifest, summary, callbacks)
        manifest.compact()
    return summary


def _as_context(pool: WorkerPool) -> AbstractContextManager[WorkerPool]:
    return pool


def items(todo: Table) -> Iterator[Item]:
    """The inputs of a plan, as an iterator."""
    for batch in todo.to_batches(max_chunksize=_CHUNK):
        rows: list[dict[str, Any]] = batch.to_pylist()
        for row in rows:
            yield Item.from_plan(row)


def _collect_rows(
    workers: WorkerPool,
    todo: Table,
    manifest: ArchiveManifest,
    summary: Summary,
    callbacks: RunCallbacks,
) -> None:
    """Writes the rows of the workers to the manifest until all are done or the run is stopped."""
    started = flushed = time.monotonic()
    pending: list[Row] = []

    def stopping() -> bool:
        summary.stopped = summary.stopped or callbacks.stopping()
        return bool(summary.stopped)

    try:
        for row in workers.rows(items(todo), stopping):
            now = time.monotonic()
            if row is not None:
                row |= {"run": manifest.run, "elapsed_s": now - started}
                pending.append(row)
                summary.add(row)
                if row.get("error_kind") == FULL:
                    summary.stopped = "the disk is full"
                callbacks.row(row, summary)
            if pending and (now - flushed > _FLUSH_S or len(pending) >= _FLUSH_ROWS):
                flushed = now
                _flush(manifest, pending, summary)
    finally:  # also after an error the finished rows are written
        summary.seconds = time.monotonic() - started
        if pending:
            manifest.append(pending)


def _flush(manifest: ArchiveManifest, pending: list[Row], summary: Summary) -> None:
    """Writes rows; if that fails they stay in `pending`, and the run is stopped."""
    try:
        manifest.append(pending)
    except OutputError as error:
        summary.stopped = error.message()
        return
    pending.clear()
    manifest.compact()
