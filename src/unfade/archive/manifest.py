"""The manifest of an archive: Parquet files that are appended in parts and compacted.

The state of an input is its last row. Rows are ordered by the number of the run and of the part in
the names of the files, not by a clock. `base-*.parquet` holds the last row of every input up to its
number, `part-*.parquet` the rows after it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from unfade.archive.arrow import Table, pa, pc, pq
from unfade.archive.storage import RECORDS, Storage
from unfade.archive.work import STATES
from unfade.errors import InputError

FOLDER = f"{RECORDS}/manifest"
_NAME = re.compile(r"(base|part)-(\d{6})-(\d{6})\.parquet")
_MAX_PARTS = 200

_CATEGORY = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("key", pa.string()),  # where the result lies below DST
        ("source", pa.string()),  # path or URL of the input; of a member, SHARD::NAME
        ("origin", _CATEGORY),  # SRC, as it was given
        ("offset", pa.int64()),  # of a member in its shard, else None
        ("size", pa.int64()),  # of the input, in bytes
        ("stamp", pa.string()),  # changes when the input does: time of change, or ETag
        ("twin", pa.bool_()),  # whether an earlier key differs from it in the suffix only
        ("state", _CATEGORY),
        ("run", pa.int32()),
        ("input_sha256", pa.string()),
        ("output_sha256", pa.string()),
        ("output_bytes", pa.int64()),
        ("sidecar", pa.string()),  # the JSON file of the result, below DST
        ("sidecar_sha256", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("settings", _CATEGORY),  # JSON, what decides the result
        ("weights", _CATEGORY),  # JSON, file -> SHA-256
        ("created", pa.string()),  # ISO 8601, UTC
        ("elapsed_s", pa.float64()),  # since the start of the run, on a clock that does not jump
        ("seconds", pa.float64()),  # that the photo took, in its worker
        ("adopted", pa.bool_()),  # an earlier result, found finished
        ("attempts", pa.int32()),  # how often a worker began it in this run
        ("damaged", pa.float64()),  # share of the pixels, 0..1
        ("alignment", pa.float64()),  # -1..1, 1 = it shows what the input shows
        ("warnings", pa.list_(pa.string())),
        ("error_kind", _CATEGORY),
        ("error", pa.string()),
        ("worker", _CATEGORY),  # machine:process
        ("peak_memory_mib", pa.float64()),  # of the worker
    ]
)
#: The columns that a plan fills.
PLAN = pa.schema([SCHEMA.field(i) for i in range(8)])


class ArchiveManifest:
    """The manifest below one DST."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._parts = 0
        self.run = 0  # the number of the present run, from 1

    def begin_run(self) -> int:
        """Starts a run with the next number, and removes parts that a base already contains."""
        base, parts, obsolete = self._files()
        for name in obsolete:
            self._storage.remove(f"{FOLDER}/{name}")
        numbers = [_numbers(name)[0] for name in [*base, *parts]]
        self.run = max(numbers, default=0) + 1
        return self.run

    def read(self, columns: Sequence[str] | None = None) -> Table:
        """The last row of each input, sorted by key.

        Raises:
            InputError: a file of the manifest is damaged.
        """
        base, parts, _ = self._files()
        return _last_rows([self._read(name, columns) for name in [*base, *parts]], columns)

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes rows as a part. OutputError where that fails; the rows are not lost then."""
        if rows:
            self.append_table(pa.Table.from_pylist(list(rows), SCHEMA))

    def append_table(self, table: Table) -> None:
        """As `append`, of a table with any of the columns."""
        self._write("part", _with_all_columns(table))

    def compact(self, *, force: bool = False) -> None:
        """Merges base and parts into a new base, if there are many parts."""
        base, parts, _ = self._files()
        if not parts or (not force and len(parts) < _MAX_PARTS):
            return
        tables = [self._read(name, None) for name in [*base, *parts]]
        self._write("base", _last_rows(tables, None))
        for name in [*base, *parts]:
            self._storage.remove(f"{FOLDER}/{name}")

    def _write(self, kind: str, table: Table) -> None:
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        name = f"{kind}-{self.run:06d}-{self._parts + 1:06d}.parquet"
        self._storage.write(f"{FOLDER}/{name}", buffer.getvalue())
        self._parts += 1

    def _files(self) -> tuple[list[str], list[str], list[str]]:
        """The newest base, the parts after it in order, and the files that the base contains."""
        names = [name for name in self._storage.names(FOLDER) if _NAME.fullmatch(name)]
        bases = sorted((n for n in names if n.startswith("base")), key=_numbers)
        last = _numbers(bases[-1]) if bases else (0, 0)
        parts = sorted((n for n in names if n.startswith("part")), key=_numbers)
        new = [name for name in parts if _numbers(name) > last]
        return bases[-1:], new, [n for n in names if n not in {*bases[-1:], *new}]

    def _read(self, name: str, columns: Sequence[str] | None) -> Table:
        data = self._storage.read(f"{FOLDER}/{name}")
        try:
            if data is None:
                raise OSError("it vanished")
            return pq.read_table(pa.BufferReader(data), columns=columns and [*columns])
        except (OSError, pa.ArrowException) as error:
            fix = "remove it: results that it lists are found again by their own JSON files"
            got = f"{FOLDER}/{name}, which cannot be read ({error})"
            raise InputError(got, "a part of the manifest", fix) from error


def _numbers(name: str) -> tuple[int, int]:
    match = _NAME.fullmatch(name)
    assert match is not None
    return int(match[2]), int(match[3])


def _with_all_columns(table: Table) -> Table:
    """The table with all columns of the schema; missing ones are null."""
    columns = [
        table[field.name].cast(field.type)
        if field.name in table.column_names
        else pa.nulls(len(table), field.type)
        for field in SCHEMA
    ]
    return pa.table(columns, SCHEMA)


def _last_rows(tables: list[Table], columns: Sequence[str] | None) -> Table:
    """The last row of each key."""
    schema = SCHEMA if columns is None else pa.schema([SCHEMA.field(name) for name in columns])
    if not tables:
        return schema.empty_table()
    table = pa.concat_tables(tables).unify_dictionaries()
    keys = pa.table({"key": table["key"], "row": np.arange(len(table))})
    rows = keys.group_by("key").aggregate([("row", "max")]).sort_by("key")["row_max"]
    return table.take(rows)


def count_states(table: Table) -> dict[str, int]:
    """How many inputs are in each state."""
    counts = {
        str(c["values"]): int(c["counts"]) for c in pc.value_counts(table["state"]).to_pylist()
    }
    return {state: counts.get(state, 0) for state in STATES}
