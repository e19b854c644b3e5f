"""A pool of worker processes on this machine, each with its own copy of the weights."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from unfade.archive.work import (
    QUARANTINED,
    FetchedItem,
    Item,
    RestoredItem,
    ResultKey,
    Row,
    Task,
    Worker,
    keep_warnings_off_stderr,
    quarantine_error,
)
from unfade.errors import UnfadeError

#: Inputs that are assigned to a worker at a time: one is read, one restored, one written.
_MAX_ASSIGNED = 3
_END_S = 10.0
_MAX_START_FAILURES = 3  # in a row, of workers before they are ready


@dataclass
class _WorkerProcess:
    """A worker process, and the inputs assigned to it."""

    process: BaseProcess
    pipe: Connection
    ready: bool = False
    assigned: dict[str, Item] = field(default_factory=dict[str, Item])
    started: set[str] = field(default_factory=set[str])
    exclusive: bool = False  # it works on a suspect alone

    def send(self, item: Item) -> None:
        self.assigned[item.key] = item
        with contextlib.suppress(OSError):  # it has died: `_messages` replaces it
            self.pipe.send(item)


class LocalPool:
    """A fixed number of worker processes. One that dies is replaced.

    The inputs that a worker had started when it died are suspects: each is then tried alone. One
    whose workers die `attempts` times is quarantined.
    """

    def __init__(self, task: Task, workers: int, *, attempts: int) -> None:
        self._task = task
        self._workers = workers
        self._attempts = attempts
        self._context = multiprocessing.get_context("spawn")
        self._pool: list[_WorkerProcess] = []
        self._suspects: deque[Item] = deque()
        self._waiting: deque[Item] = deque()  # of workers that died before they started them
        self._tries: dict[str, int] = {}
        self._deaths = 0  # in a row, before a worker was ready

    def __enter__(self) -> LocalPool:
        self._pool = [self._start(i) for i in range(self._workers)]
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._pool:
            with contextlib.suppress(OSError):
                worker.pipe.close()  # the worker then ends
        deadline = time.monotonic() + (_END_S if error[0] is None else 0)
        for worker in self._pool:
            worker.process.join(
                timeout=max(0.0, deadline - time.monotonic()) if worker.ready else 0
            )
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()

    def result_key(self, stopping: Callable[[], bool]) -> ResultKey | None:
        """Options and weights of the results, from the first worker that is ready.

        None if the run is stopped before that.

        Raises:
            UnfadeError: the weights or the options are at fault.
        """
        while not stopping():
            for message in self._messages():
                if isinstance(message, ResultKey):
                    return message
        return None

    def rows(self, items: Iterator[Item], stopping: Callable[[], bool]) -> Iterator[Row | None]:
        """Restores all items; yields a row for each as it is done, and None while it waits.

        Args:
            items: taken one by one, as workers become free.
            stopping: whether to start no others.
        """
        source: Iterator[Item] = items
        ended = False
        while True:
            ended = self._assign(source, ended=ended, stopping=stopping())
            busy = any(worker.assigned for worker in self._pool)
            remaining = not ended or self._suspects or self._waiting
            if not busy and (stopping() or not remaining):
                return
            for message in self._messages():
                if isinstance(message, dict):
                    yield message
            yield None

    def _assign(self, items: Iterator[Item], *, ended: bool, stopping: bool) -> bool:
        """Assigns items to free workers; returns whether the items are exhausted."""
        if stopping:
            return ended
        for worker in self._pool:
            if worker.ready and not worker.assigned and self._suspects:
                worker.exclusive = True
                worker.send(self._suspects.popleft())
        for _ in range(_MAX_ASSIGNED):
            for worker in self._pool:
                if (
                    not worker.ready
                    or worker.exclusive
                    or len(worker.assigned) >= self._max_assigned()
                ):
                    continue
                if self._waiting:
                    worker.send(self._waiting.popleft())
                    continue
                item = None if ended else next(items, None)
                if item is None:
                    ended = True
                else:
                    worker.send(item)
        return ended

    def _max_assigned(self) -> int:
        return 1 if self._suspects else _MAX_ASSIGNED  # so that a worker becomes free for a suspect

    def _messages(self) -> list[Any]:
        """The messages of the workers; replaces workers that died."""
        messages: list[Any] = []
        pipes = {worker.pipe: worker for worker in self._pool}
        for pipe in wait(list(pipes), timeout=0.5):
            worker = pipes[pipe]  # pyright: ignore[reportArgumentType]
            try:
                message: Any = worker.pipe.recv()
            except (EOFError, OSError):
                messages += self._replace_dead(worker)
                continue
            if isinstance(message, UnfadeError):
                raise message
            if isinstance(message, ResultKey):
                worker.ready, self._deaths = True, 0
            elif isinstance(message, str):
                worker.started.add(message)
                continue
            else:
                self._finish(worker, message)
            messages.append(message)
        return messages

    def _finish(self, worker: _WorkerProcess, row: Row) -> None:
        key = row["key"]
        worker.assigned.pop(key, None)
        worker.started.discard(key)
        worker.exclusive = False
        row["attempts"] = self._tries.pop(key, 0) + 1

    def _replace_dead(self, worker: _WorkerProcess) -> list[Row]:
        """Replaces a worker that died; returns the rows of inputs that are now quarantined."""
        worker.process.join()
        reason = _reason(worker.process.exitcode)
        rows: list[Row] = []
        for key, item in worker.assigned.items():
            if key not in worker.started:
                self._waiting.append(item)
                continue
            tries = self._tries[key] = self._tries.get(key, 0) + 1
            if tries < self._attempts:
                self._suspects.append(item)
                continue
            text = quarantine_error(item, reason, tries)
            del self._tries[key]
            rows.append(item.row(QUARANTINED, error_kind="WorkerDied", error=text, attempts=tries))
        self._deaths += not worker.ready
        if self._deaths >= _MAX_START_FAILURES:
            expected, fix = "a worker that loads the weights", "use fewer --workers"
            raise UnfadeError(f"workers that die at their start ({reason})", expected, fix)
        storage = self._pool.index(worker)
        self._pool[storage] = self._start(storage)
        return rows

    def _start(self, storage: int) -> _WorkerProcess:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_worker_main, args=(theirs, self._task), daemon=True)
        threads = str(self._task.threads)
        variables = {"OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": "PASSIVE"}
        gpus = count_gpus(self._task.options.device)
        if gpus > 1:
            variables["CUDA_VISIBLE_DEVICES"] = str(storage % gpus)
        with _environment(variables):
            process.start()
        theirs.close()
        return _WorkerProcess(process, ours)


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Generator[None]:
    """Sets environment variables for the start of a worker, and restores them."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _reason(code: int | None) -> str:
    """How a process ended, by its exit code."""
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = ", as when memory runs out" if name == "SIGKILL" else ""
        return f"was killed ({name}{hint})"
    return f"ended with code {code}"


# --- in the worker ---------------------------------------------------------------------------


def _worker_main(pipe: Connection, task: Task) -> None:
    """Main function of a worker process: answers each item with a row, until the pipe closes."""
    for name in (signal.SIGINT, signal.SIGTERM):  # the driver decides when to stop
        signal.signal(name, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    keep_warnings_off_stderr()
    lock = threading.Lock()

    def send(message: object) -> None:
        with lock:
            pipe.send(message)

    try:
        worker = Worker(task)
    except UnfadeError as error:
        send(error)
        return
    send(worker.result_key)
    try:
        _serve(worker, pipe, send)
    except UnfadeError as error:  # of the weights, not of a photo
        send(error)
    except (EOFError, OSError):  # the driver has closed the pipe
        return


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _serve(worker: Worker, pipe: Connection, send: Callable[[object], None]) -> None:
    """Reads the next input and writes the last result while the network works."""

    def fetch(item: Item) -> FetchedItem | Row:
        send(item.key)
        return worker.fetch(item)

    def publish(restored: RestoredItem) -> None:
        send(worker.publish(restored))

    fetching: deque[Future[FetchedItem | Row]] = deque()
    writing: Future[None] | None = None
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        while True:
            while not fetching or pipe.poll():
                fetching.append(reader.submit(fetch, pipe.recv()))
            fetched = fetching.popleft().result()
            restored = worker.restore(fetched) if isinstance(fetched, FetchedItem) else fetched
            if writing is not None:
                writing.result()
                writing = None
            if isinstance(restored, RestoredItem):
                writing = writer.submit(publish, restored)
            else:
                send(restored)


#: Memory of one worker with its first stage, at photos of 12 megapixels; see docs/archives.md.
WORKER_BYTES = 1_500_000_000


def default_workers(device: str) -> int:
    """One worker a GPU; without GPUs one a core, fewer if memory is short."""
    import psutil

    gpus = count_gpus(device)
    if gpus:
        return gpus
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, psutil.virtual_memory().available // WORKER_BYTES))


def count_gpus(device: str) -> int:
    """The number of NVIDIA GPUs of this machine, by its driver; 0 for other devices."""
    if device not in ("auto", "cuda"):
        return 0
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = len(list(Path("/proc/driver/nvidia/gpus").glob("*")))
    return count if visible is None else min(count, len(visible.split(",")))
