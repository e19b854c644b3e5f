"""Summarises the progress of an archive from its manifest."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from unfade.archive.arrow import Table, pc
from unfade.archive.manifest import ArchiveManifest, count_states
from unfade.archive.storage import open_storage
from unfade.archive.work import DONE, PLANNED
from unfade.errors import UsageError

_COLUMNS = ["key", "state", "run", "elapsed_s", "size", "output_bytes", "seconds", "adopted",
            "error_kind", "worker"]  # fmt: skip


@dataclass(frozen=True)
class Status:
    """The progress of an archive.

    Attributes:
        states: state -> inputs.
        kinds: kind of error -> inputs that failed with it or are in quarantine.
        rate: inputs restored in a second by the last run; None before it has restored any.
        left_s: seconds to the end at that rate; None where it is unknown.
        workers: processes that restored photos in the last run.
    """

    inputs: int
    states: dict[str, int]
    kinds: dict[str, int]
    bytes_in: int
    bytes_out: int
    run: int
    rate: float | None
    left_s: float | None
    workers: int

    def to_dict(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


def read_manifest(dst: str, columns: list[str]) -> Table:
    """The manifest of a DST. UsageError where it has none."""
    table = ArchiveManifest(open_storage(dst)).read(columns)
    if not len(table):
        expected, fix = "a DST of unfade batch", "run unfade batch SRC DST first"
        raise UsageError(f"{dst}, which has no manifest", expected, fix)
    return table


def status(dst: str) -> Status:
    """Reads the progress of an archive. UsageError where `dst` has no manifest."""
    table = read_manifest(dst, _COLUMNS)
    states = count_states(table)
    state = table["state"].cast("string")
    done = table.filter(pc.equal(state, DONE))
    counts: list[dict[str, Any]] = pc.value_counts(table["error_kind"]).to_pylist()
    kinds = {str(count["values"]): int(count["counts"]) for count in counts if count["values"]}
    run = int(pc.max(table["run"]).as_py())
    last_run = done.filter(pc.equal(done["run"], run))
    restored = last_run.filter(pc.invert(pc.fill_null(last_run["adopted"], False)))
    elapsed_s = pc.max(restored["elapsed_s"]).as_py()
    rate = len(restored) / elapsed_s if elapsed_s else None
    remaining = states[PLANNED]
    return Status(
        inputs=len(table), states=states, kinds=kinds,
        bytes_in=pc.sum(table["size"]).as_py() or 0,
        bytes_out=pc.sum(done["output_bytes"]).as_py() or 0,
        run=run, rate=rate, left_s=remaining / rate if rate else None,
        workers=len(pc.unique(restored["worker"])),
    )  # fmt: skip
