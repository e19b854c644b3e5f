from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.archive.helpers import FAULTS, photos, run_here, states, task_for, watcher

from unfade.archive.local import LocalPool
from unfade.archive.run import Archive, run_archive
from unfade.errors import UsageError

MakePhoto = Callable[..., Path]


@pytest.fixture
def scans(make_photo: MakePhoto, tmp_path: Path) -> Path:
    for i in range(6):
        make_photo(f"scans/{i}.jpg", height=32, width=32, seed=i)
    return tmp_path / "scans"


def test_photo_that_kills_its_worker_takes_no_other_along(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_photo: MakePhoto
) -> None:
    run_here(scans, tmp_path / "whole")
    make_photo("scans/poison.jpg")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FAULTS), *sys.path]))
    out = str(tmp_path / "out")
    rows: list[dict[str, Any]] = []
    pool = partial(LocalPool, workers=1, attempts=2)
    watch = watcher(row=lambda row, _: rows.append(row))
    summary = run_archive(Archive(str(scans), out), task_for(out), pool, watch)
    assert summary.counts == {"done": 6, "quarantined": 1}
    assert photos(tmp_path / "out") == photos(tmp_path / "whole")
    (out_row,) = [row for row in rows if row["state"] == "quarantined"]
    assert out_row["attempts"] == 2
    assert "was killed (SIGKILL" in out_row["error"]
    again = run_here(scans, out)
    assert (again.total, again.plan.quarantined) == (0, 1)


@contextmanager
def started(scans: Path, out: Path) -> Iterator[subprocess.Popen[str]]:
    """`unfade batch`, with its first photo done."""
    command = [sys.executable, "-m", "unfade", "batch", str(scans), str(out), "--json",
               "--workers", "1", "--threads", "1", "--strength", "0"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        events = [json.loads(process.stdout.readline())["event"] for _ in range(2)]
        assert events == ["planned", "photo"]
        yield process


def test_run_that_is_stopped_or_killed_goes_on(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_here(scans, tmp_path / "whole")
    with started(scans, out) as process:
        process.send_signal(signal.SIGTERM)
        text, _ = process.communicate()
        ended = json.loads(text.splitlines()[-1])
    assert process.returncode == 143
    assert ended["stopped"] == "SIGTERM"
    assert set(states(out).values()) <= {"done", "planned"}
    done = [key for key, state in states(out).items() if state == "done"]
    assert set(photos(out)) == set(done)
    (out / "0.jpg").unlink()
    with started(scans, out) as process:
        with pytest.raises(UsageError, match="another run"):
            run_here(scans, out)
        process.kill()
    run_here(scans, out)
    assert photos(out) == photos(tmp_path / "whole")
    assert set(states(out).values()) == {"done"}
