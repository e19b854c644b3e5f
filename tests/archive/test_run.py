from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.archive.helpers import FAULTS, Here, photos, run_here, states, task_for, watcher

import unfade.manifest as manifests
from unfade.archive import bag, local
from unfade.archive.estimate import estimate
from unfade.archive.manifest import ArchiveManifest
from unfade.archive.run import Archive, Summary, run_archive
from unfade.archive.storage import open_storage
from unfade.archive.work import ResultKey, Row
from unfade.cli.main import run
from unfade.errors import UsageError

MakePhoto = Callable[..., Path]


@pytest.fixture
def scans(make_photo: MakePhoto, tmp_path: Path) -> Path:
    for i, name in enumerate(["a/one.jpg", "a/one.png", "b/two.jpg", "three.tif"]):
        make_photo(f"scans/{name}", seed=i)
    return tmp_path / "scans"


def test_results_are_those_of_restore(scans: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    options = ["--strength", "0", "--device", "cpu"]
    assert run(["restore", str(scans), "-o", str(tmp_path / "plain"), *options]) == 0
    summary = run_here(scans, tmp_path / "out")
    assert summary.counts == {"done": 4}
    assert photos(tmp_path / "out") == photos(tmp_path / "plain")
    assert set(photos(tmp_path / "out")) == {"a/one.jpg", "a/one.png", "b/two.jpg", "three.tif"}
    for name in ("a/one.json", "a/one.png.json", "b/two.json", "three.json"):
        ours = manifests.read(tmp_path / "out" / name)
        theirs = manifests.read(tmp_path / "plain" / name)
        assert ours["output"] == theirs["output"]
        assert ours["command"] == (theirs["command"] or "").replace("plain", "out")


def test_second_run_does_what_is_missing_changed_or_failed(
    scans: Path, tmp_path: Path, make_photo: MakePhoto
) -> None:
    out = tmp_path / "out"
    (scans / "bad.jpg").write_bytes(b"\xff\xd8\xff broken")
    first = run_here(scans, out)
    assert first.counts == {"done": 4, "failed": 1}
    assert first.kinds == {"InputError": 1}
    before = photos(out)
    (out / "a/one.jpg").unlink()
    make_photo("scans/b/two.jpg", seed=7)
    make_photo("scans/bad.jpg", seed=8)
    done: list[str] = []
    second = run_here(scans, out, watcher(row=lambda row, _: done.append(row["key"])))
    assert sorted(done) == ["a/one.jpg", "b/two.jpg", "bad.jpg"]
    assert second.plan.finished == 2
    after = photos(out)
    assert after["a/one.jpg"] == before["a/one.jpg"]
    assert after["b/two.jpg"] != before["b/two.jpg"]
    assert set(states(out).values()) == {"done"}
    assert run_here(scans, out).total == 0


def test_files_of_others_are_never_replaced(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "b").mkdir(parents=True)
    (out / "b/two.jpg").write_bytes(b"mine")
    summary = run_here(scans, out)
    assert summary.counts == {"done": 3, "failed": 1}
    assert (out / "b/two.jpg").read_bytes() == b"mine"
    assert states(out)["b/two.jpg"] == "failed"


def test_another_archive_does_not_replace_results(
    scans: Path, tmp_path: Path, make_photo: MakePhoto
) -> None:
    out = tmp_path / "out"
    run_here(scans, out)
    before = photos(out)
    make_photo("other/three.tif", seed=9)
    summary = run_here(tmp_path / "other", out)
    assert summary.counts == {"failed": 1}
    assert photos(out) == before


def test_results_of_a_killed_run_are_adopted(scans: Path, tmp_path: Path) -> None:
    """The manifest lost its last part, and a photo lost its name: both happen at a kill -9."""
    out = tmp_path / "out"
    run_here(scans, out)
    whole = photos(out)
    for part in (out / "unfade-archive/manifest").iterdir():
        part.unlink()
    (out / "three.tif").unlink()
    (out / "unfade-archive/stage/run-1/x").mkdir(parents=True)
    summary = run_here(scans, out)
    assert summary.counts == {"done": 4}
    assert summary.adopted == 3
    assert photos(out) == whole
    assert not (out / "unfade-archive/stage").exists()


def test_input_that_vanishes_or_breaks_midway_costs_no_other(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def strike(row: Row, summary: Summary) -> None:
        (scans / "b/two.jpg").unlink(missing_ok=True)
        (scans / "three.tif").write_bytes(b"II*\0")

    summary = run_here(scans, out, watcher(row=strike))
    assert summary.counts == {"done": 2, "failed": 2}
    assert set(photos(out)) == {"a/one.jpg", "a/one.png"}
    run_here(scans, out)
    assert states(out)["b/two.jpg"] == "missing"


def test_stopped_run_lists_what_is_left_and_goes_on(scans: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    run_here(scans, whole)
    stop: list[str] = []
    seen = watcher(row=lambda row, _: stop.append("SIGTERM"), stopping=lambda: "".join(stop))
    summary = run_here(scans, out, seen)
    assert summary.stopped == "SIGTERM"
    assert (summary.counts, summary.left) == ({"done": 1}, 3)
    assert sorted(states(out).values()) == ["done", "planned", "planned", "planned"]
    run_here(scans, out)
    assert photos(out) == photos(whole)


def test_sample_is_spread_and_the_rest_follows(tmp_path: Path, make_photo: MakePhoto) -> None:
    for box in range(5):
        for i in range(2):
            make_photo(f"scans/box{box}/{i}.jpg", height=24, width=24)
    out = tmp_path / "out"
    assert run_here(tmp_path / "scans", out, sample=3).counts == {"done": 3}
    assert {name.split("/")[0] for name in photos(out)} == {"box0", "box2", "box4"}
    assert run_here(tmp_path / "scans", out).counts == {"done": 7}


def test_jumping_clock_changes_nothing(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    run_here(scans, out, sample=2)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    run_here(scans, out)
    assert run_here(scans, out).total == 0
    assert set(states(out).values()) == {"done"}


def test_originals_are_only_read(scans: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in scans.rglob("*")}
    digests = photos(scans)
    run_here(scans, tmp_path / "out")
    assert photos(scans) == digests
    assert {path: path.stat().st_mtime_ns for path in scans.rglob("*")} == before
    for dst in (scans, tmp_path):
        with pytest.raises(UsageError, match="which holds SRC"):
            run_here(scans, dst)
    assert run_here(scans, scans / "restored").counts == {"done": 4}
    assert run_here(scans, scans / "restored").total == 0


def test_bag_is_valid(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    place = open_storage(str(out))
    bag.declare(place)
    run_here(scans, out, folder=bag.PAYLOAD)
    assert bag.write_checksums(place, ArchiveManifest(place)) == 8
    listed: dict[str, str] = {}
    for line in (out / "manifest-sha256.txt").read_text().splitlines():
        digest, name = line.split("  ")
        listed[name] = digest
    files = [path for path in (out / "data").rglob("*") if path.is_file()]
    assert {path.relative_to(out).as_posix() for path in files} == set(listed)
    for path in files:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert listed[path.relative_to(out).as_posix()] == digest
    tags = (out / "tagmanifest-sha256.txt").read_text().splitlines()
    for digest, name in (line.split("  ") for line in tags):
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest


def test_dry_run_measures_and_writes_nothing(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = estimate(Archive(str(scans), str(out)), task_for(str(out)), Here, 2)
    assert (found.photos, found.measured, found.trial) == (4, 3, True)
    assert found.seconds is not None and found.seconds > 0
    assert found.bytes_out is not None and found.bytes_out > 1000
    assert not out.exists()
    run_here(scans, out, sample=2)
    later = estimate(Archive(str(scans), str(out)), task_for(str(out)), Here, 2)
    assert (later.photos, later.measured, later.trial) == (2, 2, False)


def test_status_and_report_tell_what_the_manifest_holds(
    scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    (scans / "bad <1>.jpg").write_bytes(b"\xff\xd8\xff broken")
    run_here(scans, out, sample=4)
    assert run(["batch", "--status", "--json", str(out)]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["inputs"] == 5
    assert found["states"]["done"] + found["states"]["failed"] == 4
    assert found["states"]["planned"] == 1
    assert found["rate"] > 0
    run_here(scans, out)
    assert run(["batch", "--report", str(out)]) == 0
    page = (out / "unfade-archive/report.html").read_text("utf-8")
    assert "bad &lt;1&gt;.jpg (failed)" in page
    assert page.count('alt="before"') == page.count('alt="after"') == 4
    assert 'href="../a/one.jpg"' in page and 'href="../../scans/a/one.jpg"' in page
    assert "file:" not in page and "None" not in page
    assert run(["batch", "--status", str(tmp_path / "nothing")]) == 2


def test_run_that_is_stopped_before_its_plan_does_nothing(scans: Path, tmp_path: Path) -> None:
    class Starting(Here):
        def result_key(self, stopping: Callable[[], bool]) -> ResultKey | None:
            return None if stopping() else super().result_key(stopping)

    out = str(tmp_path / "out")
    watch = watcher(stopping=lambda: "SIGTERM")
    summary = run_archive(Archive(str(scans), out), task_for(out), Starting, watch)
    assert (summary.stopped, summary.counts, summary.total) == ("SIGTERM", {}, 0)
    assert photos(tmp_path / "out") == {}


def test_inputs_that_cannot_be_read_are_named_before_the_first_photo(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make_photo: MakePhoto,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(local, "LocalPool", lambda task, workers, attempts: Here(task))
    make_photo("scans/one.jpg", height=24, width=24)
    (tmp_path / "list.txt").write_text("scans/one.jpg\nscans/none.jpg\n")
    command = ["batch", str(tmp_path / "list.txt"), str(tmp_path / "out"), "--workers", "1",
               "--threads", "1", "--strength", "0", "--device", "cpu"]  # fmt: skip
    assert run(command) == 1
    told = capsys.readouterr().err
    assert f"Error: {tmp_path}/scans/none.jpg: no such file" in told
    assert "1 done" in told


def test_src_without_photos_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans/notes.doc").write_bytes(b"x")
    (tmp_path / "scans/raw.heic").write_bytes(b"x")
    assert run(["batch", str(tmp_path / "scans"), str(tmp_path / "out"), "--bag"]) == 2
    told = capsys.readouterr().err
    assert f"no photos in {tmp_path}/scans (passed over: 1 x .heic file" in told
    assert "1 x .doc file" in told
    assert not (tmp_path / "out").exists()


def test_full_disk_stops_the_run(make_photo: MakePhoto, tmp_path: Path) -> None:
    """The disk is full at the second of three photos: one is done, two are listed as not done."""
    for name in ("a", "full", "z"):
        make_photo(f"scans/{name}.jpg", height=24, width=24)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(FAULTS), *sys.path])}
    command = [sys.executable, "-m", "unfade", "batch", str(tmp_path / "scans"),
               str(tmp_path / "out"), "--workers", "1", "--json"]  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    ended: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 1, done.stderr
    assert ended["kinds"]["FullDisk"] == 1
    assert ended["stopped"] == "the disk is full"
    assert "full.jpg" not in photos(tmp_path / "out")
    assert states(tmp_path / "out")["full.jpg"] == "failed"
