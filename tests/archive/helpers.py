from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from unfade.api import Restorer
from unfade.archive.manifest import ArchiveManifest
from unfade.archive.run import Archive, RunCallbacks, Summary, run_archive
from unfade.archive.storage import open_storage
from unfade.archive.work import Item, ResultKey, Row, Task, Worker
from unfade.options import RestoreOptions

FAULTS = Path(__file__).parent / "faults"
EPOCH = "1700000000"


def task_for(dst: str, *, folder: str = "", overwrite: bool = False) -> Callable[[str], Task]:
    options = RestoreOptions(device="cpu", strength=0.0)
    return lambda run: Task(dst, folder, options, None, overwrite, run, threads=1)


@functools.cache
def _restorer() -> Restorer:
    return Restorer.from_pretrained("compact", device="cpu")


class Here:
    """The worker in this process, one input after the other."""

    def __init__(self, task: Task) -> None:
        self._worker = Worker(task, _restorer())

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def result_key(self, stopping: Callable[[], bool]) -> ResultKey | None:
        return self._worker.result_key

    def rows(self, items: Iterator[Item], stopping: Callable[[], bool]) -> Iterator[Row | None]:
        for item in items:
            if stopping():
                return
            yield self._worker(item)


def watcher(
    row: Callable[[Row, Summary], None] = lambda row, summary: None,
    stopping: Callable[[], str] = lambda: "",
) -> RunCallbacks:
    return RunCallbacks(lambda plan, total: None, row, stopping)


def run_here(
    src: Path | str, dst: Path | str, watch: RunCallbacks | None = None, **how: Any
) -> Summary:
    archive = Archive(str(src), str(dst), **how)
    task = task_for(str(dst), folder=archive.folder, overwrite=archive.overwrite)
    return run_archive(archive, task, Here, watch or watcher())


def states(dst: Path | str) -> dict[str, str]:
    table = ArchiveManifest(open_storage(str(dst))).read(["key", "state"])
    return {row["key"]: row["state"] for row in table.to_pylist()}


def photos(folder: Path) -> dict[str, str]:
    """Name -> SHA-256 of every photo below a folder; anything half written is among them."""
    found: dict[str, str] = {}
    for place, _, files in os.walk(folder):
        for name in files:
            path = Path(place, name)
            if path.suffix != ".json" and "unfade-archive" not in path.parts:
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                found[path.relative_to(folder).as_posix()] = digest
    return found
