"""One run over an archive: plans it, has workers restore it, keeps the manifest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol

from unfade.archive.arrow import Table
from unfade.archive.lock import lock
from unfade.archive.manifest import ArchiveManifest
from unfade.archive.places import open_place
from unfade.archive.planning import Plan, check_places, make_plan, sample
from unfade.archive.sources import Search
from unfade.archive.work import FULL, Decisive, Item, Row, Task
from unfade.errors import OutputError

_FLUSH_S = 5.0
_FLUSH_ROWS = 500
_CHUNK = 1000


class Engine(Protocol):
    """Workers, on this machine or on several."""

    def __enter__(self) -> Engine:
        """Starts them."""
        ...

    def __exit__(self, *error: object) -> None:
        """Ends them."""
        ...

    def decisive(self, stopping: Callable[[], bool]) -> Decisive | None:
        """What decides the results, None where the run is stopped before that is known.

        Raises:
            UnfadeError: the weights or the options are at fault.
        """
        ...

    def rows(self, items: Iterator[Item], stopping: Callable[[], bool]) -> Iterator[Row | None]:
        """Restores all items; their rows come as they are done, None when there is time to look.

        Once `stopping`, what is in flight ends, and no more is begun.
        """
        ...


@dataclass(frozen=True)
class Archive:
    """Where an archive is, and what is done to it.

    Attributes:
        src: a folder, photo, glob, list, shard or URL.
        dst: a folder or URL.
        folder: below DST, for the results: "", or "data" of a bag.
        overwrite: do finished inputs again.
        retry: do what is in quarantine again.
        sample: so many inputs, spread over the tree; None is all.
    """

    src: str
    dst: str
    folder: str = ""
    overwrite: bool = False
    retry: bool = False
    sample: int | None = None


@dataclass
class Summary:
    """A run that has ended, or was stopped.

    Attributes:
        counts: state -> inputs that came to it in this run.
        kinds: kind of error -> inputs.
        left: inputs that were planned and not begun.
        stopped: why the run ended before its work did, else "".
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
        """Inputs that were planned and are not done."""
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
class Watcher:
    """What is told of a run while it goes on, and who may stop it.

    Attributes:
        planned: called once, with the plan and the number of inputs of this run.
        row: called with each row, and the summary until then.
        stopping: asked often; a reason ends the run once what is in flight is done.
    """

    planned: Callable[[Plan, int], None]
    row: Callable[[Row, Summary], None]
    stopping: Callable[[], str]


def run_archive(
    archive: Archive, task: Callable[[str], Task], engine: Callable[[Task], Engine],
    watcher: Watcher,
) -> Summary:  # fmt: skip
    """Restores what is not done yet.

    Args:
        task: what the workers are told, for a run of this name.
        engine: makes the workers.

    Raises:
        UsageError: SRC does not exist, DST is not apart from it, or another run writes to DST.
        UnfadeError: the weights or the options are at fault, or the manifest cannot be kept.
    """
    check_places(archive.src, archive.dst)
    place = open_place(archive.dst)
    with ExitStack() as stack:
        stack.enter_context(lock(place))
        place.clear_stages()
        stack.callback(place.clear_stages)
        manifest = ArchiveManifest(place)
        run = manifest.begin_run()
        workers = stack.enter_context(_entered(engine(task(f"run-{run}"))))
        started = time.monotonic()
        decisive = workers.decisive(lambda: bool(watcher.stopping()))
        if decisive is None:
            seconds = time.monotonic() - started
            return Summary(Plan.empty(), seconds=seconds, stopped=watcher.stopping())
        plan = make_plan(
            Search(archive.src, archive.dst), place, manifest, folder=archive.folder,
            settings=decisive.settings_text, weights=decisive.weights_text,
            overwrite=archive.overwrite, retry=archive.retry,
        )  # fmt: skip
        todo = plan.todo if archive.sample is None else sample(plan.todo, archive.sample)
        watcher.planned(plan, len(todo))
        summary = Summary(plan, total=len(todo))
        _drive(workers, todo, manifest, summary, watcher)
        manifest.compact()
    return summary


def _entered(engine: Engine) -> AbstractContextManager[Engine]:
    return engine


def items(todo: Table) -> Iterator[Item]:
    """The inputs of a plan, made as they are asked for."""
    for batch in todo.to_batches(max_chunksize=_CHUNK):
        rows: list[dict[str, Any]] = batch.to_pylist()
        for row in rows:
            yield Item.from_plan(row)


def _drive(
    workers: Engine, todo: Table, manifest: ArchiveManifest, summary: Summary, watcher: Watcher
) -> None:
    """Collects rows until all is done or the run is stopped, and keeps them."""
    started = flushed = time.monotonic()
    kept: list[Row] = []

    def stopping() -> bool:
        summary.stopped = summary.stopped or watcher.stopping()
        return bool(summary.stopped)

    try:
        for row in workers.rows(items(todo), stopping):
            now = time.monotonic()
            if row is not None:
                row |= {"run": manifest.run, "elapsed_s": now - started}
                kept.append(row)
                summary.add(row)
                if row.get("error_kind") == FULL:
                    summary.stopped = "the disk is full"
                watcher.row(row, summary)
            if kept and (now - flushed > _FLUSH_S or len(kept) >= _FLUSH_ROWS):
                flushed = now
                _flush(manifest, kept, summary)
    finally:  # whatever ends the run, what is known is written
        summary.seconds = time.monotonic() - started
        if kept:
            manifest.append(kept)


def _flush(manifest: ArchiveManifest, kept: list[Row], summary: Summary) -> None:
    """Writes rows; where the disk is full they are kept, and the run is stopped."""
    try:
        manifest.append(kept)
    except OutputError as error:
        summary.stopped = error.told()
        return
    kept.clear()
    manifest.compact()
