"""Restores one input of an archive: fetches it, restores it, publishes the result."""

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
from unfade.archive.places import LocalPlace, Place, file_system, is_url, open_place
from unfade.archive.sources import MEMBER
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
#: Pixels of a photo after which memory is handed back. To do it after each costs a fifth of the
#: time where photos are small: the next one asks for the same pages again.
_LARGE = 4_000_000

FULL = "FullDisk"  # the kind of error after which no other photo can be written either


@dataclass(frozen=True)
class Task:
    """What every worker is told.

    Attributes:
        dst: where results go.
        folder: below DST, for the mirrored tree; "" or "data" of a bag.
        run: number of the run, in the name of its stages.
        threads: of the network's arithmetic. The last bits of a result depend on it.
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
    """One input, as it was planned."""

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
        """A row of the manifest: what was planned, and what came of it."""
        planned = {f.name: getattr(self, f.name) for f in fields(self)}
        known = {name: value for name, value in planned.items() if not name.startswith("known")}
        return known | {"state": state} | columns

    @property
    def shard(self) -> str | None:
        """The shard that holds this input; None where it is a file of its own."""
        return None if self.offset is None else self.source.rpartition(MEMBER)[0]


@dataclass(frozen=True)
class Decisive:
    """What decides a result, beside its input: as the manifest holds it."""

    record: dict[str, Value]
    weights: dict[str, str]

    @property
    def settings_text(self) -> str:
        """The options that change a picture, and the version, as JSON."""
        kept = {k: v for k, v in self.record.items() if k not in manifests.INDIFFERENT}
        return json.dumps({"unfade": __version__, **kept}, sort_keys=True)

    @property
    def weights_text(self) -> str:
        """File -> SHA-256 as JSON."""
        return json.dumps(self.weights, sort_keys=True)


@dataclass
class Fetched:
    """An input on a disk of this machine, with its stage."""

    item: Item
    path: Path
    stage: Path
    sha256: str
    stat: tuple[int, int]  # bytes and time of change
    closing: ExitStack
    seconds: float = 0.0  # that it has taken until now


@dataclass
class Made:
    """A restored photo that is not published yet."""

    fetched: Fetched
    restored: Restored
    warnings: list[str]


class Worker:
    """The weights in memory, and the steps of one input.

    Args:
        restorer: weights that are in memory already; None loads them.

    Raises:
        WeightsError: the weights are missing or damaged.
        UsageError: options do not suit them.
    """

    def __init__(self, task: Task, restorer: Restorer | None = None) -> None:
        import cv2
        import torch

        torch.set_num_threads(task.threads)
        cv2.setNumThreads(task.threads)
        logging.getLogger("unfade").addHandler(logging.NullHandler())  # warnings go into rows
        options = task.options
        self._task = task
        self._place: Place = open_place(task.dst)
        self._restorer = restorer or _loaded(options)
        extra: dict[str, Value] = {} if task.quality is None else {"quality": task.quality}
        self.decisive = Decisive(
            self._restorer.record(options) | extra, self._restorer.weights_for(options)
        )

    def __call__(self, item: Item) -> Row:
        """All steps, one after the other. WeightsError alone is raised."""
        fetched = self.fetch(item)
        if not isinstance(fetched, Fetched):
            return fetched
        made = self.restore(fetched)
        return self.publish(made) if isinstance(made, Made) else made

    def fetch(self, item: Item) -> Fetched | Row:
        """Brings an input to this machine; a row where it is done, or cannot be read."""
        started = time.perf_counter()
        closing = ExitStack()
        try:
            stage = closing.enter_context(self._place.stage(self._task.run))
            with _readable(item):
                path = _copied(item, stage) if item.shard or is_url(item.source) else None
            path = path or Path(item.source)
            digest = sha256_file(path)
            info = path.stat()
            stat = info.st_size, info.st_mtime_ns
            fetched = Fetched(item, path, stage, digest, stat, closing)
            finished = None if self._task.overwrite else self._finished(item, digest)
            fetched.seconds = time.perf_counter() - started
            if finished is None:
                return fetched
            name, manifest = finished
            text = self._place.read(self._name(name)) or b""
            row = self._row(fetched, manifest, name, text, []) | {"adopted": True}
        except Exception as error:
            row = _failed(item, error, started)
        closing.close()
        return row

    def restore(self, fetched: Fetched) -> Made | Row:
        """Restores a fetched input. WeightsError where the weights are damaged."""
        started = time.perf_counter()
        try:
            with capture_warnings(fetched.path) as warnings:
                restored = self._restorer.run(fetched.path, self._task.options)
            self._require_unchanged(fetched, restored.manifest)
            fetched.seconds += time.perf_counter() - started
            return Made(fetched, restored, warnings)
        except WeightsError:
            fetched.closing.close()
            raise
        except Exception as error:
            fetched.closing.close()
            return _failed(fetched.item, error, started, fetched.seconds)

    def publish(self, made: Made) -> Row:
        """Writes the result and its manifest: each whole or not at all, the manifest first."""
        fetched, item = made.fetched, made.fetched.item
        started = time.perf_counter()
        with fetched.closing:
            try:
                named = posixpath.basename(item.key)
                with capture_warnings(fetched.path) as warnings:
                    manifest = made.restored.save(
                        fetched.stage / "out" / named, quality=self._task.quality
                    )
                manifest["command"] = self._command(manifest, item)
                photo, sidecar = fetched.stage / "out" / named, fetched.stage / "manifest.json"
                manifests.write(sidecar, manifest)
                text, name = sidecar.read_bytes(), self._free_sidecar(item)
                self._place.publish(sidecar, self._name(name))
                self._place.publish(photo, self._name(item.key))
                fetched.seconds += time.perf_counter() - started
                return self._row(fetched, manifest, name, text, made.warnings + warnings)
            except Exception as error:
                return _failed(item, error, started, fetched.seconds)
            finally:
                given = made.restored.manifest["input"]
                if given["width"] * given["height"] > _LARGE:
                    release_memory()

    def _name(self, key: str) -> str:
        return posixpath.join(self._task.folder, key)

    def _command(self, manifest: Manifest, item: Item) -> str | None:
        from unfade.types import command

        if item.shard or is_url(item.source) or not isinstance(self._place, LocalPlace):
            return None
        output = self._place.root / self._name(item.key)
        return command(manifest["options"], Path(item.source), output)

    def _finished(self, item: Item, digest: str) -> tuple[str, Manifest] | None:
        """The manifest of a result that need not be made again, and its name.

        Raises:
            OutputError: there is a file that must not be replaced.
        """
        name = self._name(item.key)
        if self._place.size(name) is None:
            return None
        fix = "move it away, name another DST, or use --overwrite"
        present = self._place.sha256(name)
        beside = next(((n, m) for n, m in self._sidecars(item) if m is not None), None)
        described = beside is not None and _output(beside[1]) == present
        if beside is not None and described and manifests.is_finished(
            beside[1], options=self.decisive.record, weights=self.decisive.weights,
            input_sha256=digest,
        ):  # fmt: skip
            return beside
        if described or item.known_output == present:
            if item.known_source not in (None, item.source) and item.known_input != digest:
                got = f"{name}, the result of another input ({item.known_source})"
                raise OutputError(got, "a result of its own for each input", fix)
            return None
        got = f"{name}, a file that unfade did not write, or that was changed afterwards"
        raise OutputError(got, "nothing, or an untouched result", fix)

    def _sidecars(self, item: Item) -> list[tuple[str, Manifest | None]]:
        """The names that the manifest of a result may have, and what is there of this result."""
        long = f"{item.key}.json"
        names = [long] if item.twin else [posixpath.splitext(item.key)[0] + ".json", long]
        return [(name, self._sidecar(name, item)) for name in names]

    def _sidecar(self, name: str, item: Item) -> Manifest | None:
        text = self._place.read(self._name(name))
        if text is None:
            return None
        try:
            found = manifests.parse(text, Path(name))
        except InputError:
            return None
        record = found["output"]
        return found if record and record["name"] == posixpath.basename(item.key) else None

    def _free_sidecar(self, item: Item) -> str:
        """The name for the manifest of a result. OutputError where files of others have it."""
        found = self._sidecars(item)
        for name, manifest in found:
            if manifest is not None or self._place.size(self._name(name)) is None:
                return name
        got, expected = f"{found[-1][0]}, a file of another kind", "nothing, or a manifest"
        raise OutputError(got, expected, "move it away, or name another DST")

    def _require_unchanged(self, fetched: Fetched, manifest: Manifest) -> None:
        """InputError where the input changed while it was read."""
        info = fetched.path.stat()
        same = (info.st_size, info.st_mtime_ns) == fetched.stat
        if not same or manifest["input"]["sha256"] != fetched.sha256:
            fix = "run the command again when nobody writes to it"
            raise InputError("a photo that changed while it was read", "a photo at rest", fix)

    def _row(
        self, fetched: Fetched, manifest: Manifest, name: str, text: bytes, warnings: list[str]
    ) -> Row:
        """The row of a result; `text` is its manifest, in the file of this name."""
        output, given = manifest["output"], manifest["input"]
        assert output is not None
        return fetched.item.row(
            DONE,
            input_sha256=fetched.sha256,
            output_sha256=output["sha256"],
            output_bytes=output["bytes"],
            sidecar=name,
            sidecar_sha256=hashlib.sha256(text).hexdigest(),
            width=given["width"],
            height=given["height"],
            settings=self.decisive.settings_text,
            weights=self.decisive.weights_text,
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


def describe(task: Task) -> Decisive:
    """What decides the results of a task, by its weights."""
    return Worker(task).decisive


def died(item: Item, how: str, attempts: int) -> str:
    """Why an input is in quarantine."""
    return InputError(
        f"a photo whose worker {how} {attempts} times",
        "a result",
        "restore it by itself with a smaller --tile, or copy it again, then use "
        "--retry-quarantined",
    ).told(item.source)


def worker_name() -> str:
    """Machine and process."""
    return f"{platform.node()}:{os.getpid()}"


def _output(manifest: Manifest) -> str | None:
    return manifest["output"]["sha256"] if manifest["output"] else None


@contextmanager
def _readable(item: Item) -> Generator[None]:
    """Makes an InputError of the many errors of stores."""
    try:
        yield
    except UnfadeError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        got, fix = f"{type(error).__name__}: {reason}", "check the name and the connection"
        raise InputError(got, "an input that can be read", fix) from error


def _copied(item: Item, stage: Path) -> Path:
    """An object, or the member of a shard, as a file in the stage."""
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
    """The row of an input that was not done."""
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
