"""Workers on one or several machines, by Ray Data: a pool of actors that hold the weights."""

from __future__ import annotations

import importlib
import json
import logging
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from unfade.archive.local import WORKER_BYTES
from unfade.archive.work import (
    PLANNED,
    QUARANTINED,
    Decisive,
    Item,
    Row,
    Task,
    Worker,
    describe,
    died,
)
from unfade.errors import UnfadeError, UsageError, WeightsError

_BLOCKS_PER_WORKER = 16
_MOST_IN_BLOCK = 64
_WINDOW = 100_000  # inputs of one dataset, for which actors load their weights
_WEIGHTS = "WeightsError"  # the kind of error that ends a run
_ANSWER_S = 120.0  # in which a cluster must answer
_LOOK_S = 0.5  # between two looks whether the run is to stop
_END_S = 2.0
_STDERR = 2  # number of the file
_MOST_REASON = 200  # characters of what Ray says


def _ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        fix = "pip install '.[cluster]' in a clone of unfade, or leave out --address"
        raise UsageError("no package ray", "Ray", fix) from error


def connect(address: str, workers: int | None) -> int:
    """Joins a cluster, or starts one here; says how many workers it has room for.

    Args:
        address: "auto", "local" or ray://HOST:PORT.
        workers: how many are asked for; None is by GPUs, cores and memory.

    Raises:
        UsageError: there is no such cluster, or it does not answer.
    """
    os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")  # read at the import: no second cluster
    ray = _ray()
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # of a new one: as important as this command
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    _quieten()
    if not ray.is_initialized():
        if address != "local" and not address.startswith("ray://"):
            _require_answer(address)
        try:
            with _quiet_core():
                ray.init(
                    address, log_to_driver=False, logging_level="error", include_dashboard=False
                )
        except (ConnectionError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise _no_cluster(address, reason) from error
    return workers or _room(ray.cluster_resources())


def _quieten(level: int = logging.ERROR) -> None:
    """Lets Ray Data show nothing below a level; its log file has the rest."""
    importlib.import_module("ray.data")  # sets up its own logging
    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(level)


@contextmanager
def _quiet_core() -> Generator[None]:
    """Keeps the log of Ray's core from the terminal; its errors are raised as exceptions too.

    The core logs that each actor keeps its arguments, which a user can do nothing about. Its start,
    in this context, would log that the level was set, which only a redirection of stderr prevents.
    """
    name = "RAY_BACKEND_LOG_LEVEL"
    if name in os.environ:  # somebody looks for a fault
        yield
        return
    os.environ[name] = "fatal"
    sys.stderr.flush()
    kept = os.dup(_STDERR)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), _STDERR)
    try:
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)


def _require_answer(address: str, limit: float = _ANSWER_S) -> None:
    """Asks a cluster for its status. UsageError where it refuses, or is silent for `limit` s.

    `ray.init` waits without a limit for a cluster that refuses its token, hence `ray status` in a
    process of its own.
    """
    command = [sys.executable, "-m", "ray.scripts.scripts", "status"]
    command += [] if address == "auto" else ["--address", address]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired as error:
        raise _no_cluster(address, f"no answer in {limit:g} s") from error
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise _no_cluster(address, (lines or ["'ray status' failed"])[-1])


def _no_cluster(address: str, reason: str) -> UsageError:
    fix = (
        "check it with 'ray status'; set RAY_AUTH_MODE=token in this terminal, as where Ray was "
        "started; start Ray with 'ray start --head', or use --address local"
    )
    short = reason if len(reason) <= _MOST_REASON else reason[:_MOST_REASON] + "..."
    return UsageError(f"--address {address} ({short})", "a Ray cluster that answers", fix)


def _room(resources: dict[str, float]) -> int:
    """Workers for the GPUs of a cluster, else for its cores and memory."""
    gpus = int(resources.get("GPU", 0))
    if gpus:
        return gpus
    by_memory = int(resources.get("memory", WORKER_BYTES) // WORKER_BYTES)
    return max(1, min(int(resources.get("CPU", 1)), by_memory))


class RayPool:
    """So many actors, which Ray Data keeps busy and replaces when they die.

    An actor tells the register which input it begins. Ray Data repeats the work of an actor that
    died, without a limit of its own; the register counts how often each input was begun, so that
    one which kills every actor goes into quarantine.
    """

    def __init__(self, task: Task, workers: int, *, attempts: int) -> None:
        self._task = task
        self._workers = workers
        self._attempts = attempts
        self._ray = _ray()
        self._register: Any = None

    def __enter__(self) -> RayPool:
        make = self._ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Register)
        self._register = make.remote()
        return self

    def __exit__(self, *error: object) -> None:
        self._ray.kill(self._register)

    def decisive(self, stopping: Callable[[], bool]) -> Decisive | None:
        """What decides the results, None where the run is stopped before that is known.

        Raises:
            UnfadeError: the weights or the options are at fault.
        """
        remote = self._ray.remote(num_cpus=1, num_gpus=self._gpus())(_described)
        asked = [remote.remote(self._task), self._register.begun.remote()]
        while self._ray.wait(asked, num_returns=len(asked), timeout=_LOOK_S)[1]:
            if stopping():
                return None
        found: Decisive | UnfadeError = self._ray.get(asked[0])
        if isinstance(found, UnfadeError):
            raise found
        return found

    def rows(self, items: Iterator[Item], stopping: Callable[[], bool]) -> Iterator[Row | None]:
        """Restores all items; their rows come as they are done, None when there is time to look.

        Raises:
            WeightsError: the weights are damaged.
        """
        try:
            while not stopping() and (window := list(islice(items, _WINDOW))):
                yield from self._window(window, stopping)
        except self._ray.exceptions.RayError as error:
            reason = " ".join(str(error).split())[:200]
            expected, fix = "a cluster that goes on", "start it again; the same command goes on"
            raise UnfadeError(f"an error of Ray ({reason})", expected, fix) from error

    def _window(self, items: Sequence[Item], stopping: Callable[[], bool]) -> Iterator[Row | None]:
        """`rows`, of so many items as one dataset."""
        batches: queue.SimpleQueue[Any] = queue.SimpleQueue()
        ended = threading.Event()

        def collect() -> None:
            try:
                dataset = self._dataset(items)
                for batch in dataset.iter_batches(batch_size=None, batch_format="numpy"):
                    batches.put(batch)
                    if ended.is_set():
                        return
                batches.put(None)
            except BaseException as error:  # Ray raises SystemExit in threads where it ends
                batches.put(error)

        # A thread of its own: the iterator gives nothing, and cannot be ended, while actors start.
        thread = threading.Thread(target=collect, daemon=True)
        thread.start()
        try:
            yield from self._collected(batches, stopping)
        finally:
            ended.set()
            thread.join(_END_S)
            if thread.is_alive():  # it ends with an error when Ray does
                _quieten(logging.CRITICAL)

    def _dataset(self, items: Sequence[Item]) -> Any:
        data: Any = importlib.import_module("ray.data")
        context = data.DataContext.get_current()
        context.enable_progress_bars = False
        context.target_max_block_size = 1  # each row is sent when it is done
        context.target_min_block_size = 1
        return data.from_arrow(self._blocks(items)).map_batches(
            RayWorker, batch_size=1, batch_format="numpy", num_cpus=1, num_gpus=self._gpus(),
            fn_constructor_args=(self._task, self._register, self._attempts),
            compute=data.ActorPoolStrategy(size=self._workers, max_tasks_in_flight_per_actor=2),
        )  # fmt: skip

    def _collected(
        self, batches: queue.SimpleQueue[Any], stopping: Callable[[], bool]
    ) -> Iterator[Row | None]:
        """The rows of batches, until None comes instead of a batch, or the run has stopped."""
        seen: set[str] = set()
        told = False
        while True:
            try:
                batch: Any = batches.get(timeout=_LOOK_S)
            except queue.Empty:
                batch = {"row": []}
            if batch is None:
                return
            if isinstance(batch, BaseException):
                raise batch
            for text in batch["row"]:
                row: Row = json.loads(text)
                if row.get("error_kind") == _WEIGHTS:
                    raise WeightsError(row["error"], "the weights of this run", "check every node")
                if row["state"] != PLANNED and row["key"] not in seen:
                    seen.add(row["key"])
                    yield row
            yield None
            if stopping():
                if not told:
                    self._ray.get(self._register.stop.remote())
                    told = True
                if self._ray.get(self._register.begun.remote()) <= seen:
                    return

    def _gpus(self) -> float:
        asked = self._task.options.device in ("auto", "cuda")
        return 1 if asked and self._ray.cluster_resources().get("GPU") else 0

    def _blocks(self, items: Sequence[Item]) -> list[Any]:
        """Tables of items: small ones, so that every worker has some."""
        pa: Any = importlib.import_module("pyarrow")
        share = len(items) // (self._workers * _BLOCKS_PER_WORKER)
        step = min(max(share, 1), _MOST_IN_BLOCK)
        texts = [json.dumps(asdict(item)) for item in items]
        return [pa.table({"item": texts[i : i + step]}) for i in range(0, len(texts), step)]


def _described(task: Task) -> Decisive | UnfadeError:
    try:
        return describe(task)
    except UnfadeError as error:
        return error


class Register:
    """Counts how often each input was begun; an actor of Ray."""

    def __init__(self) -> None:
        self._begun: dict[str, int] = {}
        self._stopped = False

    def begin(self, key: str) -> int:
        """How often the input was begun, this time included; 0 where no more is to be begun."""
        if self._stopped:
            return 0
        self._begun[key] = self._begun.get(key, 0) + 1
        return self._begun[key]

    def stop(self) -> None:
        """Lets nothing more begin."""
        self._stopped = True

    def begun(self) -> set[str]:
        """The inputs that were begun: a row of each has come, or is to come."""
        return set(self._begun)


class RayWorker:
    """An actor of Ray Data: one input at a time."""

    def __init__(self, task: Task, register: Any, attempts: int) -> None:
        os.environ["OMP_NUM_THREADS"] = str(task.threads)
        self._ray = _ray()
        self._attempts = attempts
        self._register = register
        self._worker = Worker(task)
        self._stopped = False

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """Columns of one item, as JSON -> those of its row."""
        return {"row": [json.dumps(self._row(Item(**json.loads(text)))) for text in batch["item"]]}

    def _row(self, item: Item) -> Row:
        if self._stopped:
            return item.row(PLANNED)
        tries = self._ray.get(self._register.begin.remote(item.key))
        if not tries:
            self._stopped = True
            return item.row(PLANNED)
        if tries > self._attempts:
            return item.row(
                QUARANTINED, attempts=tries - 1, error_kind="WorkerDied",
                error=died(item, "died", tries - 1),
            )  # fmt: skip
        try:
            return self._worker(item) | {"attempts": tries}
        except WeightsError as error:
            return item.row(PLANNED, error_kind=_WEIGHTS, error=error.got)
