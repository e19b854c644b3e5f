"""How far an archive is, by its manifest alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from unfade.archive.arrow import Table, pc
from unfade.archive.manifest import ArchiveManifest, count_states
from unfade.archive.places import open_place
from unfade.archive.work import DONE, PLANNED
from unfade.errors import UsageError

_COLUMNS = ["key", "state", "run", "elapsed_s", "size", "output_bytes", "seconds", "adopted",
            "error_kind", "worker"]  # fmt: skip


@dataclass(frozen=True)
class Status:
    """How far an archive is.

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
        """The same as JSON has it."""
        return asdict(self)


def read_manifest(dst: str, columns: list[str]) -> Table:
    """The manifest of a DST. UsageError where it has none."""
    table = ArchiveManifest(open_place(dst)).read(columns)
    if not len(table):
        expected, fix = "a DST of unfade batch", "run unfade batch SRC DST first"
        raise UsageError(f"{dst}, which has no manifest", expected, fix)
    return table


def status(dst: str) -> Status:
    """Reads how far an archive is. UsageError where `dst` has no manifest."""
    table = read_manifest(dst, _COLUMNS)
    states = count_states(table)
    state = table["state"].cast("string")
    done = table.filter(pc.equal(state, DONE))
    found: list[dict[str, Any]] = pc.value_counts(table["error_kind"]).to_pylist()
    kinds = {str(one["values"]): int(one["counts"]) for one in found if one["values"]}
    run = int(pc.max(table["run"]).as_py())
    now = done.filter(pc.equal(done["run"], run))
    made = now.filter(pc.invert(pc.fill_null(now["adopted"], False)))
    last = pc.max(made["elapsed_s"]).as_py()
    rate = len(made) / last if last else None
    left = states[PLANNED]
    return Status(
        inputs=len(table), states=states, kinds=kinds,
        bytes_in=pc.sum(table["size"]).as_py() or 0,
        bytes_out=pc.sum(done["output_bytes"]).as_py() or 0,
        run=run, rate=rate, left_s=left / rate if rate else None,
        workers=len(pc.unique(made["worker"])),
    )  # fmt: skip
