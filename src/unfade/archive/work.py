"""The work on one input of an archive: fetch it, restore it, publish the result."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import platform
import posixpath
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import unfade.manifest as manifests
from unfade._version import __version__
from unfade.archive.sources import MEMBER
from unfade.archive.storage import LocalStorage, Storage, file_system, is_url, open_storage
from unfade.errors import (
    InputError,
    OutputError,
    UnfadeError,
    WeightsError,
    explain,
    is_out_of_memory,
)
from unfade.files import sha256_file
from unfade.memory import release_memory
from unfade.options import RestoreOptions
from unfade.warning_capture import capture_warnings

if TYPE_CHECKING:
    from unfade.api import Restorer
    from unfade.manifest import Manifest, Value
    from unfade.types import Restored

#: States of an input in the manifest.
PLANNED, DONE, FAILED = "planned", "done", "failed"
QUARANTINED, MISSING = "quarantined", "missing"
STATES = (PLANNED, DONE, FAILED, QUARANTINED, MISSING)

Row = dict[str, Any]  # columns of the manifest
#: Pixels of a photo after which memory is returned to the system. With small photos, returning it
#: after each costs a fifth of the time, as the next one allocates the same pages again.
_LARGE = 4_000_000

FULL = "FullDisk"  # the kind of error that ends a run: no photo can be written


@dataclass(frozen=True)
class Task:
    """The settings of a run, sent to every worker.

    Attributes:
        dst: folder or URL of the results.
        folder: below DST, for the mirrored tree; "" or "data" of a bag.
        run: name of the run, for its temporary folders.
        threads: threads of torch and OpenCV. The last bits of a result depend on their number.
    """

    dst: str
    folder: str
    options: RestoreOptions
    quality: int | None
    overwrite: bool
    run: str
    threads: int


@dataclass(frozen=True)
class Item:
    """One input of the plan; the fields are columns of the manifest, see `manifest.SCHEMA`."""

    key: str
    source: str
    origin: str
    offset: int | None
    size: int
    stamp: str
    twin: bool
    known_source: str | None
    known_input: str | None
    known_output: str | None

    @classmethod
    def from_plan(cls, planned: Mapping[str, Any]) -> Item:
        """The input of a row of a plan."""
        return cls(**{field.name: planned[field.name] for field in fields(cls)})

    def row(self, state: str, **columns: Any) -> Row:
        """A row of the manifest: the planned columns, the new state, and further columns."""
        planned = {f.name: getattr(self, f.name) for f in fields(self)}
        planned_columns = {
            name: value for name, value in planned.items() if not name.startswith("known")
        }
        return planned_columns | {"state": state} | columns

    @property
    def shard(self) -> str | None:
        """The shard that holds this input; None where it is a file of its own."""
        return None if self.offset is None else self.source.rpartition(MEMBER)[0]


@dataclass(frozen=True)
class ResultKey:
    """Options and weights, which together with the input determine a result."""

    record: dict[str, Value]
    weights: dict[str, str]

    @property
    def settings_text(self) -> str:
        """The options that change a picture, and the version, as JSON."""
        deciding = {k: v for k, v in self.record.items() if k not in manifests.INDIFFERENT}
        return json.dumps({"unfade": __version__, **deciding}, sort_keys=True)

    @property
    def weights_text(self) -> str:
        """File -> SHA-256 as JSON."""
        return json.dumps(self.weights, sort_keys=True)


@dataclass
class FetchedItem:
    """An input on a disk of this machine, with its temporary folder."""

    item: Item
    path: Path
    stage: Path
    sha256: str
    stat: tuple[int, int]  # bytes and time of change
    closing: ExitStack
    seconds: float = 0.0  # spent on it so far


@dataclass
class RestoredItem:
    """A restored photo that is not published yet."""

    fetched: FetchedItem
    restored: Restored
    warnings: list[str]


class Worker:
    """Loads the weights, and performs the steps of one input.

    Args:
        restorer: a loaded restorer; None loads one.

    Raises:
        WeightsError: the weights are missing or damaged.
        UsageError: options do not suit them.
    """

    def __init__(self, task: Task, restorer: Restorer | None = None) -> None:
        import cv2
        import torch

        torch.set_num_threads(task.threads)
        cv2.setNumThreads(task.threads)
        options = task.options
        self._task = task
        self._storage: Storage = open_storage(task.dst)
        self._restorer = restorer or _loaded(options)
        extra: dict[str, Value] = {} if task.quality is None else {"quality": task.quality}
        self.result_key = ResultKey(
            self._restorer.record(options) | extra, self._restorer.weights_for(options)
        )

    def __call__(self, item: Item) -> Row:
        """All steps, one after the other. WeightsError alone is raised."""
        fetched = self.fetch(item)
        if not isinstance(fetched, FetchedItem):
            return fetched
        restored = self.restore(fetched)
        return self.publish(restored) if isinstance(restored, RestoredItem) else restored

    def fetch(self, item: Item) -> FetchedItem | Row:
        """Copies an input to this machine; returns its row if it is done, or cannot be read."""
        started = time.perf_counter()
        closing = ExitStack()
        try:
            stage = closing.enter_context(self._storage.stage(self._task.run))
            with _readable(item):
                path = _copy(item, stage) if item.shard or is_url(item.source) else None
            path = path or Path(item.source)
            digest = sha256_file(path)
            info = path.stat()
            stat = info.st_size, info.st_mtime_ns
            fetched = FetchedItem(item, path, stage, digest, stat, closing)
            finished = None if self._task.overwrite else self._finished(item, digest)
            fetched.seconds = time.perf_counter() - started
            if finished is None:
                return fetched
            name, manifest = finished
            text = self._storage.read(self._name(name)) or b""
            row = self._row(fetched, manifest, name, text, []) | {"adopted": True}
        except Exception as error:
            row = _failed(item, error, started)
        closing.close()
        return row

    def restore(self, fetched: FetchedItem) -> RestoredItem | Row:
        """Restores a fetched input. WeightsError where the weights are damaged."""
        started = time.perf_counter()
        try:
            with capture_warnings(fetched.path) as warnings:
                restored = self._restorer.run(fetched.path, self._task.options)
            self._require_unchanged(fetched, restored.manifest)
            fetched.seconds += time.perf_counter() - started
            return RestoredItem(fetched, restored, warnings)
        except WeightsError:
            fetched.closing.close()
            raise
        except Exception as error:
            fetched.closing.close()
            return _failed(fetched.item, error, started, fetched.seconds)

    def publish(self, result: RestoredItem) -> Row:
        """Writes the result and its manifest, each atomically, the manifest first."""
        fetched, item = result.fetched, result.fetched.item
        started = time.perf_counter()
        with fetched.closing:
            try:
                named = posixpath.basename(item.key)
                with capture_warnings(fetched.path) as warnings:
                    manifest = result.restored.save(
                        fetched.stage / "out" / named, quality=self._task.quality
                    )
                manifest["command"] = self._command(manifest, item)
                photo, sidecar = fetched.stage / "out" / named, fetched.stage / "manifest.json"
                manifests.write(sidecar, manifest)
                text, name = sidecar.read_bytes(), self._free_sidecar(item)
                self._storage.publish(sidecar, self._name(name))
                self._storage.publish(photo, self._name(item.key))
                fetched.seconds += time.perf_counter() - started
                return self._row(fetched, manifest, name, text, result.warnings + warnings)
            except Exception as error:
                return _failed(item, error, started, fetched.seconds)
            finally:
                input_record = result.restored.manifest["input"]
                if input_record["width"] * input_record["height"] > _LARGE:
                    release_memory()

    def _name(self, key: str) -> str:
        return posixpath.join(self._task.folder, key)

    def _command(self, manifest: Manifest, item: Item) -> str | None:
        from unfade.types import command

        if item.shard or is_url(item.source) or not isinstance(self._storage, LocalStorage):
            return None
        output = self._storage.root / self._name(item.key)
        return command(manifest["options"], Path(item.source), output)

    def _finished(self, item: Item, digest: str) -> tuple[str, Manifest] | None:
        """The name and content of the manifest of an up-to-date result, else None.

        Raises:
            OutputError: there is a file that must not be replaced.
        """
        name = self._name(item.key)
        if self._storage.size(name) is None:
            return None
        fix = "move it away, name another DST, or use --overwrite"
        present = self._storage.sha256(name)
        sidecar = next(((n, m) for n, m in self._sidecars(item) if m is not None), None)
        described = sidecar is not None and _output(sidecar[1]) == present
        if sidecar is not None and described and manifests.is_finished(
            sidecar[1], options=self.result_key.record, weights=self.result_key.weights,
            input_sha256=digest,
        ):  # fmt: skip
            return sidecar
        if described or item.known_output == present:
            if item.known_source not in (None, item.source) and item.known_input != digest:
                got = f"{name}, the result of another input ({item.known_source})"
                raise OutputError(got, "a result of its own for each input", fix)
            return None
        got = f"{name}, a file that unfade did not write, or that was changed afterwards"
        raise OutputError(got, "nothing, or an untouched result", fix)

    def _sidecars(self, item: Item) -> list[tuple[str, Manifest | None]]:
        """The possible names of the manifest of a result, each with the manifest if it is there."""
        long = f"{item.key}.json"
        names = [long] if item.twin else [posixpath.splitext(item.key)[0] + ".json", long]
        return [(name, self._sidecar(name, item)) for name in names]

    def _sidecar(self, name: str, item: Item) -> Manifest | None:
        text = self._storage.read(self._name(name))
        if text is None:
            return None
        try:
            manifest = manifests.parse(text, Path(name))
        except InputError:
            return None
        output = manifest["output"]
        return manifest if output and output["name"] == posixpath.basename(item.key) else None

    def _free_sidecar(self, item: Item) -> str:
        """The name for the manifest of a result. OutputError if all names are taken."""
        candidates = self._sidecars(item)
        for name, manifest in candidates:
            if manifest is not None or self._storage.size(self._name(name)) is None:
                return name
        got, expected = f"{candidates[-1][0]}, a file of another kind", "nothing, or a manifest"
        raise OutputError(got, expected, "move it away, or name another DST")

    def _require_unchanged(self, fetched: FetchedItem, manifest: Manifest) -> None:
        """InputError where the input changed while it was read."""
        info = fetched.path.stat()
        unchanged = (info.st_size, info.st_mtime_ns) == fetched.stat
        if not unchanged or manifest["input"]["sha256"] != fetched.sha256:
            fix = "run the command again when nobody writes to it"
            raise InputError("a photo that changed while it was read", "a photo at rest", fix)

    def _row(
        self, fetched: FetchedItem, manifest: Manifest, name: str, text: bytes, warnings: list[str]
    ) -> Row:
        """The row of a result; `text` is its manifest, in the file of this name."""
        output, input_record = manifest["output"], manifest["input"]
        assert output is not None
        return fetched.item.row(
            DONE,
            input_sha256=fetched.sha256,
            output_sha256=output["sha256"],
            output_bytes=output["bytes"],
            sidecar=name,
            sidecar_sha256=hashlib.sha256(text).hexdigest(),
            width=input_record["width"],
            height=input_record["height"],
            settings=self.result_key.settings_text,
            weights=self.result_key.weights_text,
            created=manifest["created"],
            seconds=fetched.seconds,
            damaged=manifest["damaged"],
            alignment=manifest["alignment"],
            warnings=warnings,
            worker=worker_name(),
            peak_memory_mib=manifests.peak_memory_mib(),
        )


def _loaded(options: RestoreOptions) -> Restorer:
    from unfade.api import Restorer

    return Restorer.from_pretrained(
        options.preset, device=options.device, base=options.base, controlnet=options.controlnet,
        prediction=options.prediction, dtype=options.dtype, offload=options.offload,
    )  # fmt: skip


def keep_warnings_off_stderr() -> None:
    """For processes that do nothing but restore: their warnings go into rows."""
    logging.getLogger("unfade").addHandler(logging.NullHandler())


def describe(task: Task) -> ResultKey:
    """Options and weights of the results of a task."""
    return Worker(task).result_key


def quarantine_error(item: Item, how: str, attempts: int) -> str:
    """The error text of a quarantined input."""
    return InputError(
        f"a photo whose worker {how} {attempts} times",
        "a result",
        "restore it by itself with a smaller --tile, or copy it again, then use "
        "--retry-quarantined",
    ).message(item.source)


def worker_name() -> str:
    """Machine and process."""
    return f"{platform.node()}:{os.getpid()}"


def _output(manifest: Manifest) -> str | None:
    return manifest["output"]["sha256"] if manifest["output"] else None


@contextmanager
def _readable(item: Item) -> Generator[None]:
    """Converts the errors of file systems and object stores to InputError."""
    try:
        yield
    except UnfadeError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        got, fix = f"{type(error).__name__}: {reason}", "check the name and the connection"
        raise InputError(got, "an input that can be read", fix) from error


def _copy(item: Item, stage: Path) -> Path:
    """Copies an object, or the member of a shard, to the temporary folder."""
    path = stage / posixpath.basename(item.key)
    if item.shard is None:
        fs, name = file_system(item.source)
        fs.get_file(name, str(path))
        return path
    assert item.offset is not None
    if is_url(item.shard):
        fs, name = file_system(item.shard)
        data: bytes = fs.cat_file(name, start=item.offset, end=item.offset + item.size)
    else:
        with Path(item.shard).open("rb") as file:
            file.seek(item.offset)
            data = file.read(item.size)
    if len(data) != item.size:
        got = f"{len(data)} of {item.size} bytes"
        raise InputError(got, "a whole member of a shard", "copy the shard again")
    path.write_bytes(data)
    return path


def _failed(item: Item, error: Exception, started: float, before: float = 0.0) -> Row:
    """The row of a failed input."""
    source = Path(item.source)
    if isinstance(error, UnfadeError):
        error.path = None  # it may name a copy
    text = explain(error, source).replace(str(source), item.source, 1)
    return item.row(
        FAILED,
        error_kind=_kind(error),
        error=text,
        seconds=before + time.perf_counter() - started,
        worker=worker_name(),
    )


def _kind(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            return FULL
        cause = cause.__cause__
    if isinstance(error, UnfadeError):
        return type(error).__name__
    return "OutOfMemory" if isinstance(error, Exception) and is_out_of_memory(error) else "Error"
