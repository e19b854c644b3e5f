"""Worker processes of this machine, each with the weights in memory."""

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
    Decisive,
    Fetched,
    Item,
    Made,
    Row,
    Task,
    Worker,
    died,
)
from unfade.errors import UnfadeError

#: Inputs that a worker has at a time: one is read, one restored, one written.
_DEPTH = 3
_END_S = 10.0
_START_LIMIT = 3  # workers that die before they are ready


@dataclass
class _Process:
    """A worker process, and the inputs that it was given."""

    process: BaseProcess
    pipe: Connection
    ready: bool = False
    given: dict[str, Item] = field(default_factory=dict[str, Item])
    begun: set[str] = field(default_factory=set[str])
    alone: bool = False  # it works on a suspect, and on nothing else

    def send(self, item: Item) -> None:
        self.given[item.key] = item
        with contextlib.suppress(OSError):  # it has died, which is seen elsewhere
            self.pipe.send(item)


class LocalPool:
    """So many worker processes. One that dies is replaced, and costs nobody else's work.

    Of the inputs that a worker had begun when it died, each is then tried alone: the one at which
    workers die again goes into quarantine after so many attempts.
    """

    def __init__(self, task: Task, workers: int, *, attempts: int) -> None:
        self._task = task
        self._workers = workers
        self._attempts = attempts
        self._context = multiprocessing.get_context("spawn")
        self._pool: list[_Process] = []
        self._suspects: deque[Item] = deque()
        self._waiting: deque[Item] = deque()  # given to a worker that died before it began them
        self._tries: dict[str, int] = {}
        self._deaths = 0  # in a row, before a worker was ready

    def __enter__(self) -> LocalPool:
        self._pool = [self._start(i) for i in range(self._workers)]
        return self

    def __exit__(self, *error: object) -> None:
        for one in self._pool:
            with contextlib.suppress(OSError):
                one.pipe.close()  # it ends when it sees that
        limit = time.monotonic() + (_END_S if error[0] is None else 0)
        for one in self._pool:
            one.process.join(timeout=max(0.0, limit - time.monotonic()) if one.ready else 0)
            if one.process.is_alive():
                one.process.kill()
                one.process.join()

    def decisive(self, stopping: Callable[[], bool]) -> Decisive | None:
        """What decides the results, as the first worker that is ready tells it.

        None where the run is stopped before that.

        Raises:
            UnfadeError: the weights or the options are at fault.
        """
        while not stopping():
            for message in self._messages():
                if isinstance(message, Decisive):
                    return message
        return None

    def rows(self, items: Iterator[Item], stopping: Callable[[], bool]) -> Iterator[Row | None]:
        """Restores all items; their rows come as they are done, None when there is time to look.

        Args:
            items: taken one by one, as workers become free.
            stopping: whether no more are to be begun.
        """
        source: Iterator[Item] = items
        ended = False
        while True:
            ended = self._feed(source, ended=ended, stopping=stopping())
            busy = any(one.given for one in self._pool)
            left = not ended or self._suspects or self._waiting
            if not busy and (stopping() or not left):
                return
            for message in self._messages():
                if isinstance(message, dict):
                    yield message
            yield None

    def _feed(self, items: Iterator[Item], *, ended: bool, stopping: bool) -> bool:
        """Gives work to whoever is free; says whether the items have ended."""
        if stopping:
            return ended
        for one in self._pool:
            if one.ready and not one.given and self._suspects:
                one.alone = True
                one.send(self._suspects.popleft())
        for _ in range(_DEPTH):
            for one in self._pool:
                if not one.ready or one.alone or len(one.given) >= self._depth():
                    continue
                if self._waiting:
                    one.send(self._waiting.popleft())
                    continue
                item = None if ended else next(items, None)
                if item is None:
                    ended = True
                else:
                    one.send(item)
        return ended

    def _depth(self) -> int:
        return 1 if self._suspects else _DEPTH  # so that one becomes free for a suspect

    def _messages(self) -> list[Any]:
        """What workers have sent; deaths are dealt with."""
        found: list[Any] = []
        pipes = {one.pipe: one for one in self._pool}
        for pipe in wait(list(pipes), timeout=0.5):
            one = pipes[pipe]  # pyright: ignore[reportArgumentType]
            try:
                message: Any = one.pipe.recv()
            except (EOFError, OSError):
                found += self._bury(one)
                continue
            if isinstance(message, UnfadeError):
                raise message
            if isinstance(message, Decisive):
                one.ready, self._deaths = True, 0
            elif isinstance(message, str):
                one.begun.add(message)
                continue
            else:
                self._end(one, message)
            found.append(message)
        return found

    def _end(self, one: _Process, row: Row) -> None:
        key = row["key"]
        one.given.pop(key, None)
        one.begun.discard(key)
        one.alone = False
        row["attempts"] = self._tries.pop(key, 0) + 1

    def _bury(self, one: _Process) -> list[Row]:
        """Replaces a worker that died; the rows of inputs that have had all their attempts."""
        one.process.join()
        reason = _reason(one.process.exitcode)
        rows: list[Row] = []
        for key, item in one.given.items():
            if key not in one.begun:
                self._waiting.append(item)
                continue
            tries = self._tries[key] = self._tries.get(key, 0) + 1
            if tries < self._attempts:
                self._suspects.append(item)
                continue
            text = died(item, reason, tries)
            del self._tries[key]
            rows.append(item.row(QUARANTINED, error_kind="WorkerDied", error=text, attempts=tries))
        self._deaths += not one.ready
        if self._deaths >= _START_LIMIT:
            expected, fix = "a worker that loads the weights", "use fewer --workers"
            raise UnfadeError(f"workers that die at their start ({reason})", expected, fix)
        place = self._pool.index(one)
        self._pool[place] = self._start(place)
        return rows

    def _start(self, place: int) -> _Process:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs, self._task), daemon=True)
        threads = str(self._task.threads)
        wanted = {"OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": "PASSIVE"}
        gpus = count_gpus(self._task.options.device)
        if gpus > 1:
            wanted["CUDA_VISIBLE_DEVICES"] = str(place % gpus)
        with _environment(wanted):
            process.start()
        theirs.close()
        return _Process(process, ours)


@contextlib.contextmanager
def _environment(wanted: dict[str, str]) -> Generator[None]:
    """Sets the variables that a worker's libraries read at their start."""
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _reason(code: int | None) -> str:
    """How a process died."""
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = ", as when memory runs out" if name == "SIGKILL" else ""
        return f"was killed ({name}{hint})"
    return f"ended with code {code}"


# --- in the worker ---------------------------------------------------------------------------


def _work(pipe: Connection, task: Task) -> None:
    """A worker process: answers each item with a row, until the pipe is closed."""
    for name in (signal.SIGINT, signal.SIGTERM):  # the driver decides when to stop
        signal.signal(name, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    lock = threading.Lock()

    def send(message: object) -> None:
        with lock:
            pipe.send(message)

    try:
        worker = Worker(task)
    except UnfadeError as error:
        send(error)
        return
    send(worker.decisive)
    try:
        _serve(worker, pipe, send)
    except UnfadeError as error:  # of the weights: no photo's fault
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

    def fetch(item: Item) -> Fetched | Row:
        send(item.key)
        return worker.fetch(item)

    def publish(made: Made) -> None:
        send(worker.publish(made))

    fetching: deque[Future[Fetched | Row]] = deque()
    writing: Future[None] | None = None
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        while True:
            while not fetching or pipe.poll():
                fetching.append(reader.submit(fetch, pipe.recv()))
            fetched = fetching.popleft().result()
            made = worker.restore(fetched) if isinstance(fetched, Fetched) else fetched
            if writing is not None:
                writing.result()
                writing = None
            if isinstance(made, Made):
                writing = writer.submit(publish, made)
            else:
                send(made)


#: Memory of one worker with its first stage, at photos of 12 megapixels; see docs/archives.md.
WORKER_BYTES = 1_500_000_000


def default_workers(device: str) -> int:
    """One for each GPU; without one as many as there are cores, fewer where memory is short."""
    import psutil

    gpus = count_gpus(device)
    if gpus:
        return gpus
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, psutil.virtual_memory().available // WORKER_BYTES))


def count_gpus(device: str) -> int:
    """NVIDIA's GPUs of this machine, by its driver; 0 where the device is another one."""
    if device not in ("auto", "cuda"):
        return 0
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    found = len(list(Path("/proc/driver/nvidia/gpus").glob("*")))
    return found if visible is None else min(found, len(visible.split(",")))
