"""A pool of workers on one or several machines: actors of Ray Data that hold the weights."""

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
    Item,
    ResultKey,
    Row,
    Task,
    Worker,
    describe,
    keep_warnings_off_stderr,
    quarantine_error,
)
from unfade.errors import UnfadeError, UsageError, WeightsError

_BLOCKS_PER_WORKER = 16
_MAX_BLOCK_ROWS = 64
_WINDOW = 100_000  # inputs of one dataset; actors load the weights once for each dataset
_WEIGHTS = "WeightsError"  # the kind of error that ends a run
_ANSWER_S = 120.0  # timeout for the answer of a cluster
_POLL_S = 0.5  # between two checks whether to stop
_END_S = 2.0
_STDERR = 2  # file descriptor
_MAX_REASON_CHARACTERS = 200  # of an error of Ray


def _ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        fix = "pip install '.[cluster]' in a clone of unfade, or leave out --address"
        raise UsageError("no package ray", "Ray", fix) from error


def connect(address: str, workers: int | None) -> int:
    """Joins a cluster, or starts a local one; returns how many workers it has room for.

    Args:
        address: "auto", "local" or ray://HOST:PORT.
        workers: the number to use; None derives it from GPUs, cores and memory.

    Raises:
        UsageError: there is no such cluster, or it does not answer.
    """
    os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")  # read at the import: no second cluster
    ray = _ray()
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault(
        "RAY_worker_niceness", "0"
    )  # a local cluster has the priority of this command
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # sends no usage statistics
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
    return workers or _capacity(ray.cluster_resources())


def _quieten(level: int = logging.ERROR) -> None:
    """Sets the level from which Ray Data logs to the terminal.

    Ray Data adds the root logger's handlers to its own; those belong to the caller and stay.
    """
    importlib.import_module("ray.data")  # sets up its own logging
    shared = logging.getLogger().handlers
    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler) and handler not in shared:
            handler.setLevel(level)


@contextmanager
def _quiet_core() -> Generator[None]:
    """Keeps the log of Ray's core from the terminal; its errors are raised as exceptions too.

    The core warns that each actor keeps its arguments, which a user cannot change. At its start it
    also logs that the level was set, which only a redirection of stderr suppresses.
    """
    name = "RAY_BACKEND_LOG_LEVEL"
    if name in os.environ:  # set by the user, for debugging
        yield
        return
    os.environ[name] = "fatal"
    sys.stderr.flush()
    saved_stderr = os.dup(_STDERR)
    with Path(os.devnull).open("wb") as null_device:
        os.dup2(null_device.fileno(), _STDERR)
    try:
        yield
    finally:
        os.dup2(saved_stderr, _STDERR)
        os.close(saved_stderr)


def _require_answer(address: str, timeout_s: float = _ANSWER_S) -> None:
    """Asks a cluster for its status. UsageError where it refuses, or is silent for `timeout_s` s.

    `ray.init` waits forever for a cluster that refuses its token, hence `ray status` in a
    subprocess.
    """
    command = [sys.executable, "-m", "ray.scripts.scripts", "status"]
    command += [] if address == "auto" else ["--address", address]
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _no_cluster(address, f"no answer in {timeout_s:g} s") from error
    if result.returncode:
        lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
        raise _no_cluster(address, (lines or ["'ray status' failed"])[-1])


def _no_cluster(address: str, reason: str) -> UsageError:
    fix = (
        "check it with 'ray status'; set RAY_AUTH_MODE=token in this terminal, as where Ray was "
        "started; start Ray with 'ray start --head', or use --address local"
    )
    short = (
        reason if len(reason) <= _MAX_REASON_CHARACTERS else reason[:_MAX_REASON_CHARACTERS] + "..."
    )
    return UsageError(f"--address {address} ({short})", "a Ray cluster that answers", fix)


def _capacity(resources: dict[str, float]) -> int:
    """Workers for the GPUs of a cluster, else for its cores and memory."""
    gpus = int(resources.get("GPU", 0))
    if gpus:
        return gpus
    by_memory = int(resources.get("memory", WORKER_BYTES) // WORKER_BYTES)
    return max(1, min(int(resources.get("CPU", 1)), by_memory))


class RayPool:
    """A fixed number of actors. Ray Data assigns inputs to them, and replaces actors that die.

    An actor tells the register which input it starts. Ray Data repeats the work of a dead actor
    without limit; the register counts how often each input was started, so that one which kills
    every actor is quarantined.
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

    def result_key(self, stopping: Callable[[], bool]) -> ResultKey | None:
        """Options and weights of the results; None if the run is stopped before they are loaded.

        Raises:
            UnfadeError: the weights or the options are at fault.
        """
        remote = self._ray.remote(num_cpus=1, num_gpus=self._gpus())(_describe)
        pending = [remote.remote(self._task), self._register.started.remote()]
        while self._ray.wait(pending, num_returns=len(pending), timeout=_POLL_S)[1]:
            if stopping():
                return None
        result: ResultKey | UnfadeError = self._ray.get(pending[0])
        if isinstance(result, UnfadeError):
            raise result
        return result

    def rows(self, items: Iterator[Item], stopping: Callable[[], bool]) -> Iterator[Row | None]:
        """Restores all items; yields a row for each as it is done, and None while it waits.

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
        """`rows` for the items of one dataset."""
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

        # In a thread: the iterator blocks, and cannot be stopped, while actors start.
        thread = threading.Thread(target=collect, daemon=True)
        thread.start()
        try:
            yield from self._rows_of(batches, stopping)
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

    def _rows_of(
        self, batches: queue.SimpleQueue[Any], stopping: Callable[[], bool]
    ) -> Iterator[Row | None]:
        """The rows of batches, until None comes instead of a batch, or the run has stopped."""
        finished: set[str] = set()
        stop_sent = False
        while True:
            try:
                batch: Any = batches.get(timeout=_POLL_S)
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
                if row["state"] != PLANNED and row["key"] not in finished:
                    finished.add(row["key"])
                    yield row
            yield None
            if stopping():
                if not stop_sent:
                    self._ray.get(self._register.stop.remote())
                    stop_sent = True
                if self._ray.get(self._register.started.remote()) <= finished:
                    return

    def _gpus(self) -> float:
        uses_gpu = self._task.options.device in ("auto", "cuda")
        return 1 if uses_gpu and self._ray.cluster_resources().get("GPU") else 0

    def _blocks(self, items: Sequence[Item]) -> list[Any]:
        """Tables of items, small enough that every worker gets some."""
        pa: Any = importlib.import_module("pyarrow")
        share = len(items) // (self._workers * _BLOCKS_PER_WORKER)
        step = min(max(share, 1), _MAX_BLOCK_ROWS)
        texts = [json.dumps(asdict(item)) for item in items]
        return [pa.table({"item": texts[i : i + step]}) for i in range(0, len(texts), step)]


def _describe(task: Task) -> ResultKey | UnfadeError:
    try:
        return describe(task)
    except UnfadeError as error:
        return error


class Register:
    """A Ray actor that counts how often each input was started."""

    def __init__(self) -> None:
        self._started: dict[str, int] = {}
        self._stopped = False

    def start(self, key: str) -> int:
        """How often the input was started, this time included; 0 after `stop`."""
        if self._stopped:
            return 0
        self._started[key] = self._started.get(key, 0) + 1
        return self._started[key]

    def stop(self) -> None:
        """Starts no further inputs."""
        self._stopped = True

    def started(self) -> set[str]:
        """The inputs that were started, each of which gets a row."""
        return set(self._started)


class RayWorker:
    """An actor of Ray Data that restores one input at a time."""

    def __init__(self, task: Task, register: Any, attempts: int) -> None:
        os.environ["OMP_NUM_THREADS"] = str(task.threads)
        keep_warnings_off_stderr()
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
        tries = self._ray.get(self._register.start.remote(item.key))
        if not tries:
            self._stopped = True
            return item.row(PLANNED)
        if tries > self._attempts:
            return item.row(
                QUARANTINED, attempts=tries - 1, error_kind="WorkerDied",
                error=quarantine_error(item, "died", tries - 1),
            )  # fmt: skip
        try:
            return self._worker(item) | {"attempts": tries}
        except WeightsError as error:
            return item.row(PLANNED, error_kind=_WEIGHTS, error=error.got)
