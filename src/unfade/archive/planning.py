"""Decides what a run does: compares the inputs with the manifest and with the results."""

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
from unfade.archive.places import LocalPlace, Place, is_url
from unfade.archive.sources import Found, Search
from unfade.archive.work import DONE, FAILED, MISSING, PLANNED, QUARANTINED
from unfade.errors import UsageError
from unfade.files.photos import is_one_file
from unfade.memory import release_memory

_CHUNK = 20_000
_KNOWN = ("key", "source", "origin", "size", "stamp", "state", "input_sha256", "output_sha256",
          "output_bytes", "settings", "weights", "run")  # fmt: skip


@dataclass
class Plan:
    """What there is to do.

    Attributes:
        todo: rows with the columns of PLAN, and `known_source`, `known_input`, `known_output`: the
            input, and the hashes, that the manifest has of an earlier result.
        inputs: how many were found.
        finished: how many of them need not be done.
        quarantined: how many are left out, since they killed their workers.
        broken: key -> why an input cannot be read, or clashes with another name.
        bytes_todo: size of the inputs to do.
        left_out: reason -> count of what was passed over.
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
        """A plan of no input, of a run that was stopped before it could be planned."""
        return cls(pa.table({}), 0, 0, 0, {}, 0)


def check_places(src: str, dst: str) -> None:
    """UsageError where results would lie among the originals."""
    if is_url(src) != is_url(dst):
        return
    if is_url(src):
        same = f"{dst.rstrip('/')}/" == f"{src.rstrip('/')}/"
    else:
        one, other = Path(src).resolve(), Path(dst).resolve()
        same = one == other or other in one.parents
    if same:
        expected = "a DST apart from the originals, which may lie below SRC"
        raise UsageError(f"{dst} as DST, which holds SRC", expected, "name another DST")


def list_inputs(search: Search, place: Place, folder: str = "") -> Iterator[Table]:
    """The inputs as tables with the columns of PLAN, and `error`; results go to `folder`."""
    names = _Names(place, folder)
    chunk: list[tuple[Any, ...]] = []
    for found in search:
        key, twin, error = names.add(found)
        chunk.append((key, found.source, search.src, found.offset, found.size, found.stamp, twin,
                      FAILED if error else PLANNED, error))  # fmt: skip
        if len(chunk) == _CHUNK:
            yield _table(chunk)
            chunk = []
    yield _table(chunk)


class _Names:
    """The names of results until now, as hashes: a million take less than 200 MB."""

    def __init__(self, place: Place, folder: str) -> None:
        self._root = place.root / folder if isinstance(place, LocalPlace) else None
        self._seen: set[int] = set()
        self._stems: set[int] = set()
        self._folded: set[int] = set()

    def add(self, found: Found) -> tuple[str, bool, str | None]:
        """Key, whether another result has this name but for the suffix, and what is wrong."""
        key, stem = found.key, posixpath.splitext(found.key)[0]
        twin = hash(stem) in self._stems
        self._stems.add(hash(stem))
        if hash(key) in self._seen:
            return f"{key} ({found.source})", twin, found.error or _duplicate(found)
        self._seen.add(hash(key))
        if self._root is None or found.error:
            return key, twin, found.error
        folded = unicodedata.normalize("NFKC", key).casefold()
        clash = hash(folded) in self._folded and self._is_one(key, folded)
        self._folded.add(hash(folded))
        return key, twin, _duplicate(found) if clash else None

    def _is_one(self, key: str, folded: str) -> bool:
        """Whether the disk of the results takes a name and its variant in case for one file."""
        assert self._root is not None
        others = {folded, key.swapcase()} - {key}
        return any(is_one_file(self._root / other, self._root / key) for other in others)


def _duplicate(found: Found) -> str:
    return (
        f"{found.source}: got a second input for the result {found.key}, expected a result of its "
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


class _Known:
    """What the manifest has of each listed input; null where it has none."""

    def __init__(self, listed: Table, known: Table) -> None:
        order = pa.table({"key": listed["key"], "place": np.arange(len(listed))})
        rows = pa.table({"key": known["key"], "row": np.arange(len(known))})
        self._row = order.join(rows, "key").sort_by("place")["row"]
        self._listed, self._known = listed, known

    def column(self, name: str) -> Any:
        return self._known[name].take(self._row)

    def has(self, name: str, value: str) -> Any:
        """Whether a column of words has this one."""
        if not len(self._known):
            return pa.array(np.zeros(len(self._listed), bool))
        words = self._known[name].combine_chunks()
        number = words.dictionary.index(value).as_py()
        return pc.fill_null(pc.equal(words.indices, number).take(self._row), False)

    def same(self, name: str) -> Any:
        """Whether a column is as it is listed now."""
        return pc.fill_null(pc.equal(self.column(name), self._listed[name]), False)


def make_plan(
    search: Search, place: Place, manifest: ArchiveManifest, *, settings: str, weights: str,
    folder: str = "", overwrite: bool = False, retry: bool = False, write: bool = True,
) -> Plan:  # fmt: skip
    """Compares inputs, manifest and results.

    An input is done again where its size or stamp has changed, where its result is missing or was
    made with other settings or weights, and where it failed.

    Args:
        settings, weights: as the manifest holds them, of this run.
        folder: below DST, for the results.
        overwrite: do everything again.
        retry: do what is in quarantine again.
        write: append what is new to the manifest.

    Raises:
        UsageError: SRC does not exist.
    """
    listed = pa.concat_tables(list(list_inputs(search, place, folder))).unify_dictionaries()
    release_memory()  # of the names: 200 MB for a million
    table = manifest.read(_KNOWN)
    known = _Known(listed, table)
    broken = pc.is_valid(listed["error"])
    same = _all(known.same("size"), known.same("stamp"), known.same("source"))
    done = _all(same, known.has("state", DONE), known.has("settings", settings),
                known.has("weights", weights))  # fmt: skip
    done = _all(done, _present(place, folder, listed["key"], known.column("output_bytes"), done))
    out = _all(same, known.has("state", QUARANTINED))
    if overwrite:
        done = _all(done, False)
    if overwrite or retry:
        out = _all(out, False)
    todo_mask = pc.invert(pc.or_(pc.or_(done, out), broken))
    known_hashes = [("known_input", "input_sha256"), ("known_output", "output_sha256")]
    earlier = [("known_source", "source"), *known_hashes]
    todo = listed.filter(todo_mask).drop_columns(["error"])
    for name, column in earlier:
        todo = todo.append_column(name, known.column(column).filter(todo_mask))
    if write:
        unsettled = pc.or_(known.has("state", PLANNED), known.has("state", FAILED))
        kept = pc.or_(done, _all(same, pc.or_(unsettled, known.has("state", QUARANTINED))))
        for _, column in known_hashes:
            listed = listed.append_column(column, known.column(column))
        _record(manifest, listed.filter(pc.invert(kept)))
        _record_missing(manifest, listed, table, search.src)
    return Plan(
        todo=todo.sort_by("key"),
        inputs=len(listed),
        finished=pc.sum(done).as_py() or 0,
        quarantined=pc.sum(out).as_py() or 0,
        broken=_errors(listed.filter(broken)),
        bytes_todo=pc.sum(todo["size"]).as_py() or 0,
        left_out=dict(search.left_out),
    )


def _errors(rows: Table) -> dict[str, str]:
    return dict(zip(rows["key"].to_pylist(), rows["error"].to_pylist(), strict=True))


def _all(*masks: Any) -> Any:
    result = masks[0]
    for mask in masks[1:]:
        result = pc.and_(result, mask)
    return result


def _present(place: Place, folder: str, keys: Any, sizes: Any, asked: Any) -> Any:
    """Whether the result of each input that is asked about is there, with its size."""
    mask = asked.to_numpy(zero_copy_only=False).copy()
    names = [posixpath.join(folder, key) for key in keys.filter(asked).to_pylist()]
    found = place.sizes(names)
    wanted = sizes.filter(asked).to_pylist()
    mask[mask] = [one == other for one, other in zip(found, wanted, strict=True)]
    return pa.array(mask)


def _record(manifest: ArchiveManifest, rows: Table) -> None:
    """Appends new and changed inputs."""
    if len(rows):
        run = pa.array(np.full(len(rows), manifest.run, np.int32))
        kind = pa.nulls(len(rows), pa.string())
        broken = pc.is_valid(rows["error"])
        kind = pc.if_else(broken, pa.scalar("InputError"), kind).dictionary_encode()
        manifest.append_table(rows.append_column("run", run).append_column("error_kind", kind))


def _record_missing(manifest: ArchiveManifest, listed: Table, known: Table, src: str) -> None:
    """Notes which inputs of earlier runs are no longer there, and were never done."""
    if not len(known):
        return
    state, origin = (known[name].cast(pa.string()) for name in ("state", "origin"))
    asked = pc.is_in(state, pa.array([PLANNED, FAILED, QUARANTINED]))
    asked = _all(asked, pc.equal(origin, src))
    gone = _all(asked, pc.invert(pc.is_in(known["key"], listed["key"].combine_chunks())))
    rows = known.filter(gone)
    if len(rows):
        words = pa.array([MISSING] * len(rows)).dictionary_encode()
        run = pa.array(np.full(len(rows), manifest.run, np.int32))
        rows = rows.drop_columns(["state", "run"])
        manifest.append_table(rows.append_column("state", words).append_column("run", run))


def sample(todo: Table, count: int) -> Table:
    """So many rows, spread evenly over the tree."""
    if count >= len(todo):
        return todo
    return todo.take(pa.array(np.linspace(0, len(todo) - 1, count).round().astype(np.int64)))
