"""On one local Ray, started once."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import ray
from tests.archive.helpers import EPOCH, FAULTS, photos, run_here, states, task_for, watcher

from unfade.archive import cluster
from unfade.archive.cluster import RayPool, connect
from unfade.archive.run import Archive, RunCallbacks, Summary, run_archive
from unfade.archive.work import Item
from unfade.errors import UsageError

MakePhoto = Callable[..., Path]


@pytest.fixture(scope="module")
def workers() -> Iterator[int]:
    """The number of workers of a Ray whose processes have the faults."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(FAULTS), *sys.path])
    os.environ["SOURCE_DATE_EPOCH"] = EPOCH
    try:
        yield connect("local", 2)
    finally:
        ray.shutdown()
        del os.environ["SOURCE_DATE_EPOCH"]
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def run_ray(src: Path, dst: Path, workers: int, watch: RunCallbacks | None = None) -> Summary:
    pool = partial(RayPool, workers=workers, attempts=1)
    return run_archive(Archive(str(src), str(dst)), task_for(str(dst)), pool, watch or watcher())


def test_workers_of_ray_give_the_same_bytes_and_survive_a_poisoned_photo(
    workers: int, tmp_path: Path, make_photo: MakePhoto
) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    for i in range(6):
        make_photo(f"scans/{i}.jpg", height=32, width=32, seed=i)
    run_here(scans, tmp_path / "whole")
    make_photo("scans/poison.jpg")
    rows: list[dict[str, Any]] = []
    summary = run_ray(scans, out, workers, watcher(row=lambda row, _: rows.append(row)))
    assert summary.counts == {"done": 6, "quarantined": 1}
    assert photos(out) == photos(tmp_path / "whole")
    assert len(rows) == 7
    assert all(row["worker"] for row in rows if row["state"] == "done")


@pytest.mark.usefixtures("workers")
def test_run_on_ray_drains(tmp_path: Path, make_photo: MakePhoto) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    for i in range(40):
        make_photo(f"scans/{i:02d}.jpg", height=24, width=24, seed=i)
    stop: list[str] = []
    seen = watcher(row=lambda row, _: stop.append("SIGTERM"), stopping=lambda: "".join(stop[:1]))
    summary = run_ray(scans, out, 1, seen)
    assert summary.stopped == "SIGTERM"
    assert 1 <= summary.counts["done"] < 40
    found = states(out)
    assert set(found.values()) == {"done", "planned"}
    assert set(photos(out)) == {key for key, state in found.items() if state == "done"}


def test_silent_cluster_is_told() -> None:
    """An address at which nothing answers."""
    with pytest.raises(UsageError, match=r"RAY_AUTH_MODE.*ray start --head"):
        cluster._require_answer("127.0.0.1:9", timeout_s=1.0)


@pytest.mark.usefixtures("workers")
def test_run_on_ray_that_is_stopped_while_its_workers_start_ends(
    tmp_path: Path, make_photo: MakePhoto
) -> None:
    """More workers than the cluster has room for: some never start."""
    make_photo("scans/0.jpg", height=24, width=24)
    pool = RayPool(task_for(str(tmp_path / "out"))("run-1"), 3, attempts=1)
    with pool:
        item = Item("0.jpg", str(tmp_path / "scans/0.jpg"), "", None, 1, "", twin=False,
                    known_source=None, known_input=None, known_output=None)  # fmt: skip
        stop = iter([False])
        started = time.monotonic()
        assert pool.result_key(lambda: True) is None
        rows = list(pool.rows(iter([item]), lambda: next(stop, True)))
    assert [row for row in rows if row is not None] == []
    assert time.monotonic() - started < 30
