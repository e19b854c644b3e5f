"""Plans a run: compares the inputs with the manifest and with the results in DST."""

from __future__ import annotations

import posixpath
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from unfade.archive.arrow import Table, pa, pc
from unfade.archive.manifest import PLAN, ArchiveManifest
from unfade.archive.sources import Input, Search
from unfade.archive.storage import LocalStorage, Storage, is_url
from unfade.archive.work import DONE, FAILED, MISSING, PLANNED, QUARANTINED
from unfade.errors import UsageError
from unfade.files.photos import is_one_file
from unfade.memory import release_memory

_CHUNK = 20_000
_RECORDED = ("key", "source", "origin", "size", "stamp", "state", "input_sha256", "output_sha256",
          "output_bytes", "settings", "weights", "run")  # fmt: skip


@dataclass
class Plan:
    """The inputs of an archive, and which of them a run restores.

    Attributes:
        todo: the inputs to restore: columns of PLAN, and `known_source`, `known_input`,
            `known_output`: path and hashes that the manifest has of an earlier result.
        inputs: number of inputs.
        finished: number of inputs whose result is up to date.
        quarantined: number of inputs that are left out, since they killed their workers.
        broken: key -> why an input cannot be read, or clashes with another name.
        bytes_todo: total size of the inputs to restore.
        left_out: reason -> count of files and folders that are no inputs.
    """

    todo: Table
    inputs: int
    finished: int
    quarantined: int
    broken: dict[str, str]
    bytes_todo: int
    left_out: dict[str, int] = field(default_factory=dict[str, int])

    @classmethod
    def empty(cls) -> Plan:
        """A plan without inputs, for a run that was stopped before planning."""
        return cls(pa.table({}), 0, 0, 0, {}, 0)


def check_paths(src: str, dst: str) -> None:
    """Raises UsageError if results would be written among the originals."""
    if is_url(src) != is_url(dst):
        return
    if is_url(src):
        overlap = f"{dst.rstrip('/')}/" == f"{src.rstrip('/')}/"
    else:
        source, target = Path(src).resolve(), Path(dst).resolve()
        overlap = source == target or target in source.parents
    if overlap:
        expected = "a DST apart from the originals, which may lie below SRC"
        raise UsageError(f"{dst} as DST, which holds SRC", expected, "name another DST")


def list_inputs(search: Search, storage: Storage, folder: str = "") -> Iterator[Table]:
    """The inputs as tables with the columns of PLAN, and `error`; results go to `folder`."""
    names = _Names(storage, folder)
    chunk: list[tuple[Any, ...]] = []
    for item in search:
        key, twin, error = names.add(item)
        chunk.append((key, item.source, search.src, item.offset, item.size, item.stamp, twin,
                      FAILED if error else PLANNED, error))  # fmt: skip
        if len(chunk) == _CHUNK:
            yield _table(chunk)
            chunk = []
    yield _table(chunk)


class _Names:
    """The names of all results so far, as hashes: a million take less than 200 MB."""

    def __init__(self, storage: Storage, folder: str) -> None:
        self._root = storage.root / folder if isinstance(storage, LocalStorage) else None
        self._keys: set[int] = set()
        self._stems: set[int] = set()
        self._folded: set[int] = set()

    def add(self, item: Input) -> tuple[str, bool, str | None]:
        """The key, whether another key differs in the suffix only, and the error or None."""
        key, stem = item.key, posixpath.splitext(item.key)[0]
        twin = hash(stem) in self._stems
        self._stems.add(hash(stem))
        if hash(key) in self._keys:
            return f"{key} ({item.source})", twin, item.error or _duplicate(item)
        self._keys.add(hash(key))
        if self._root is None or item.error:
            return key, twin, item.error
        folded = unicodedata.normalize("NFKC", key).casefold()
        clash = hash(folded) in self._folded and self._is_same_file(key, folded)
        self._folded.add(hash(folded))
        return key, twin, _duplicate(item) if clash else None

    def _is_same_file(self, key: str, folded: str) -> bool:
        """Whether the disk of the results treats a name and its case variant as one file."""
        assert self._root is not None
        variants = {folded, key.swapcase()} - {key}
        return any(is_one_file(self._root / variant, self._root / key) for variant in variants)


def _duplicate(item: Input) -> str:
    return (
        f"{item.source}: got a second input for the result {item.key}, expected a result of its "
        "own for each; rename one, or use a second DST"
    )


def _table(rows: list[tuple[Any, ...]]) -> Table:
    fields = [*PLAN, pa.field("error", pa.string())]
    columns = zip(*rows, strict=True) if rows else [()] * len(fields)
    arrays = [
        pa.array(values, pa.string()).dictionary_encode()
        if pa.types.is_dictionary(column.type)
        else pa.array(values, column.type)
        for column, values in zip(fields, columns, strict=True)
    ]
    return pa.table(arrays, names=[column.name for column in fields])


class _Recorded:
    """The manifest's columns aligned with the listed inputs; null where it has no row."""

    def __init__(self, inputs: Table, table: Table) -> None:
        order = pa.table({"key": inputs["key"], "position": np.arange(len(inputs))})
        rows = pa.table({"key": table["key"], "row": np.arange(len(table))})
        self._row = order.join(rows, "key").sort_by("position")["row"]
        self._inputs, self._table = inputs, table

    def column(self, name: str) -> Any:
        return self._table[name].take(self._row)

    def equals(self, name: str, value: str) -> Any:
        """Whether a dictionary column has this value, for each input."""
        if not len(self._table):
            return pa.array(np.zeros(len(self._inputs), bool))
        column = self._table[name].combine_chunks()
        number = column.dictionary.index(value).as_py()
        return pc.fill_null(pc.equal(column.indices, number).take(self._row), False)

    def unchanged(self, name: str) -> Any:
        """Whether a column has the same value as the listed input."""
        return pc.fill_null(pc.equal(self.column(name), self._inputs[name]), False)


def make_plan(
    search: Search, storage: Storage, manifest: ArchiveManifest, *, settings: str, weights: str,
    folder: str = "", overwrite: bool = False, retry: bool = False, write: bool = True,
) -> Plan:  # fmt: skip
    """Compares inputs, manifest and results.

    An input is restored again if its size or stamp has changed, if its result is missing or was
    made with other settings or weights, or if it failed.

    Args:
        settings, weights: as the manifest holds them, of this run.
        folder: below DST, for the results.
        overwrite: restore all inputs again.
        retry: restore quarantined inputs again.
        write: append new and changed inputs to the manifest.

    Raises:
        UsageError: SRC does not exist.
    """
    inputs = pa.concat_tables(list(list_inputs(search, storage, folder))).unify_dictionaries()
    release_memory()  # of the names: 200 MB for a million
    rows = manifest.read(_RECORDED)
    recorded = _Recorded(inputs, rows)
    broken = pc.is_valid(inputs["error"])
    unchanged = _and(
        recorded.unchanged("size"), recorded.unchanged("stamp"), recorded.unchanged("source")
    )
    done = _and(unchanged, recorded.equals("state", DONE), recorded.equals("settings", settings),
                recorded.equals("weights", weights))  # fmt: skip
    done = _and(
        done, _present(storage, folder, inputs["key"], recorded.column("output_bytes"), done)
    )
    quarantined = _and(unchanged, recorded.equals("state", QUARANTINED))
    if overwrite:
        done = _and(done, False)
    if overwrite or retry:
        quarantined = _and(quarantined, False)
    todo_mask = pc.invert(pc.or_(pc.or_(done, quarantined), broken))
    known_hashes = [("known_input", "input_sha256"), ("known_output", "output_sha256")]
    recorded_columns = [("known_source", "source"), *known_hashes]
    todo = inputs.filter(todo_mask).drop_columns(["error"])
    for name, column in recorded_columns:
        todo = todo.append_column(name, recorded.column(column).filter(todo_mask))
    if write:
        unfinished = pc.or_(recorded.equals("state", PLANNED), recorded.equals("state", FAILED))
        up_to_date = pc.or_(
            done, _and(unchanged, pc.or_(unfinished, recorded.equals("state", QUARANTINED)))
        )
        for _, column in known_hashes:
            inputs = inputs.append_column(column, recorded.column(column))
        _record(manifest, inputs.filter(pc.invert(up_to_date)))
        _record_missing(manifest, inputs, rows, search.src)
    return Plan(
        todo=todo.sort_by("key"),
        inputs=len(inputs),
        finished=pc.sum(done).as_py() or 0,
        quarantined=pc.sum(quarantined).as_py() or 0,
        broken=_errors(inputs.filter(broken)),
        bytes_todo=pc.sum(todo["size"]).as_py() or 0,
        left_out=dict(search.left_out),
    )


def _errors(rows: Table) -> dict[str, str]:
    return dict(zip(rows["key"].to_pylist(), rows["error"].to_pylist(), strict=True))


def _and(*masks: Any) -> Any:
    result = masks[0]
    for mask in masks[1:]:
        result = pc.and_(result, mask)
    return result


def _present(storage: Storage, folder: str, keys: Any, sizes: Any, selected: Any) -> Any:
    """Whether the result of each selected input exists with the recorded size."""
    mask = selected.to_numpy(zero_copy_only=False).copy()
    names = [posixpath.join(folder, key) for key in keys.filter(selected).to_pylist()]
    actual = storage.sizes(names)
    expected = sizes.filter(selected).to_pylist()
    mask[mask] = [
        size == recorded_size for size, recorded_size in zip(actual, expected, strict=True)
    ]
    return pa.array(mask)


def _record(manifest: ArchiveManifest, rows: Table) -> None:
    """Appends new and changed inputs."""
    if len(rows):
        run = pa.array(np.full(len(rows), manifest.run, np.int32))
        kind = pa.nulls(len(rows), pa.string())
        broken = pc.is_valid(rows["error"])
        kind = pc.if_else(broken, pa.scalar("InputError"), kind).dictionary_encode()
        manifest.append_table(rows.append_column("run", run).append_column("error_kind", kind))


def _record_missing(manifest: ArchiveManifest, inputs: Table, recorded: Table, src: str) -> None:
    """Marks inputs of earlier runs that no longer exist and were never finished as missing."""
    if not len(recorded):
        return
    state, origin = (recorded[name].cast(pa.string()) for name in ("state", "origin"))
    unfinished = pc.is_in(state, pa.array([PLANNED, FAILED, QUARANTINED]))
    unfinished = _and(unfinished, pc.equal(origin, src))
    missing = _and(unfinished, pc.invert(pc.is_in(recorded["key"], inputs["key"].combine_chunks())))
    rows = recorded.filter(missing)
    if len(rows):
        states = pa.array([MISSING] * len(rows)).dictionary_encode()
        run = pa.array(np.full(len(rows), manifest.run, np.int32))
        rows = rows.drop_columns(["state", "run"])
        manifest.append_table(rows.append_column("state", states).append_column("run", run))


def sample(todo: Table, count: int) -> Table:
    """`count` rows, spread evenly over the table."""
    if count >= len(todo):
        return todo
    return todo.take(pa.array(np.linspace(0, len(todo) - 1, count).round().astype(np.int64)))
