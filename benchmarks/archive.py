"""Figures of `unfade batch`, each as one JSON line.

    python benchmarks/archive.py all            every figure (an hour on two cores)
    python benchmarks/archive.py speed          against the plain loop, by workers and threads
    python benchmarks/archive.py memory         over 2,000 photos, and after a large one
    python benchmarks/archive.py planning       listing and manifest of 1,000,000 inputs
    python benchmarks/archive.py faults         kill -9 at 30 random moments, and a full disk
    python benchmarks/archive.py faults --ray   the same on Ray, its head included

The photos are parts of scikit-image's astronaut, aged.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import psutil
from skimage.data import astronaut

from unfade.degrade import degrade
from unfade.rng import generator

EPOCH = "1700000000"
UNFADE = [sys.executable, "-m", "unfade"]
PLAN = """
import json, resource, sys, time
from unfade.archive.manifest import ArchiveManifest
from unfade.archive.storage import open_storage
from unfade.archive.planning import make_plan
from unfade.archive.sources import Search
src, dst = sys.argv[1:]
storage = open_storage(dst)
manifest = ArchiveManifest(storage)
began = time.perf_counter()
manifest.begin_run()
plan = make_plan(Search(src, dst), storage, manifest, settings="{}", weights="{}")
seconds = time.perf_counter() - began
cpu = time.process_time()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps({"inputs": plan.inputs, "todo": len(plan.todo), "seconds": round(seconds, 1),
                  "cpu_s": round(cpu, 1), "peak_gib": round(peak, 2)}))
"""
LARGE = """
import json, sys
import psutil
from unfade.api import Restorer
from unfade.memory import release_memory
from unfade.options import RestoreOptions
restorer = Restorer.from_pretrained("compact", device="cpu")
process = psutil.Process()
restorer.run(sys.argv[1], RestoreOptions(strength=0.0))
release_memory()
small = process.memory_info().rss
restorer.run(sys.argv[2], RestoreOptions(strength=0.0))
kept = process.memory_info().rss
release_memory()
print(json.dumps({"before_mib": small >> 20, "after_large_mib": kept >> 20,
                  "after_release_mib": process.memory_info().rss >> 20}))
"""


def tell(name: str, facts: dict[str, Any]) -> None:
    load = round(os.getloadavg()[0], 1)
    print(json.dumps({"figure": name, "cores": os.cpu_count(), "load": load, **facts}), flush=True)


def make_photos(folder: Path, count: int, side: int) -> None:
    """Aged parts of one photo, in folders of 100."""
    clean = astronaut()
    for i in range(count):
        rng = np.random.default_rng(i)
        top, left = rng.integers(0, 512 - min(side, 511), 2)
        part = cv2.resize(clean[top : top + side, left : left + side], (side, side))
        aged = degrade(part.astype(np.float32) / np.float32(255), generator(i, "archive")).lq
        path = folder / f"box{i // 100:03d}" / f"{i:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.rint(aged[..., ::-1] * 255).astype(np.uint8))


def photos(folder: Path) -> dict[str, str]:
    """Name -> SHA-256 of all that is no JSON and none of the records."""
    files = [p for p in folder.rglob("*") if p.is_file() and p.suffix != ".json"]
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in files
        if "unfade-archive" not in p.parts
    }


def environment(threads: int) -> dict[str, str]:
    return {**os.environ, "SOURCE_DATE_EPOCH": EPOCH, "OMP_NUM_THREADS": str(threads)}


def timed(command: list[str], threads: int) -> tuple[float, float]:
    """Seconds by the clock, and of all cores together; Ray's are not among the latter."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment(threads), check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, cpu


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="unfade-bench-") as name:
        yield Path(name)


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command()
@click.option("--count", default=60)
@click.option("--side", default=400)
@click.option("--rounds", default=2, help="Each way so many times, in turn; the least counts.")
@click.option("--ray", is_flag=True, help="Measure Ray's workers too.")
def speed(count: int, side: int, rounds: int, ray: bool) -> None:
    """Seconds for all photos, starts included, and whether the bytes are the same."""
    ways = [("restore", 1, 2), ("batch", 1, 2), ("batch", 2, 1), ("batch", 2, 2), ("restore", 1, 1)]
    ways += [("batch --address local", 1, 2), ("batch --address local", 2, 2)] * ray
    times: dict[tuple[str, int, int], list[tuple[float, float]]] = {way: [] for way in ways}
    results: dict[tuple[str, int, int], dict[str, str]] = {}
    with folder() as place:
        make_photos(place / "in", count, side)
        for _ in range(rounds):
            for how, workers, threads in ways:
                command, *extra = how.split()
                if command == "restore":
                    given = ["-o", str(place / "out")]
                else:
                    given = [str(place / "out"), "--workers", str(workers),
                             "--threads", str(threads), *extra]  # fmt: skip
                timing = timed([*UNFADE, command, str(place / "in"), *given], threads)
                times[how, workers, threads].append(timing)
                results[how, workers, threads] = photos(place / "out")
                shutil.rmtree(place / "out")
    base = min(times["restore", 1, 2])[0]
    for (how, workers, threads), timings in times.items():
        facts = {
            "how": how, "workers": workers, "threads": threads,
            "seconds": [round(seconds, 1) for seconds, _ in timings],
            "cpu_s": round(min(cpu for _, cpu in timings), 1),
            "against_restore": round(min(timings)[0] / base, 3),
            "same_bytes": results[how, workers, threads] == results["restore", 1, threads],
        }  # fmt: skip
        tell("speed", facts)


@main.command()
@click.option("--count", default=2000)
@click.option("--side", default=128)
@click.option("--megapixels", default=24)
def memory(count: int, side: int, megapixels: int) -> None:
    """Peak memory of one worker as photos go by; resident memory after one large photo."""
    import pyarrow.parquet as pq

    with folder() as place:
        make_photos(place / "in", min(count, 100), side)
        first = sorted((place / "in").rglob("*.jpg"))
        for i in range(len(first), count):
            target = place / "in" / f"box{i // 100:03d}" / f"{i:05d}.jpg"
            target.parent.mkdir(exist_ok=True)
            shutil.copy(first[i % len(first)], target)
        command = [*UNFADE, "batch", str(place / "in"), str(place / "out"), "--workers", "1"]
        driver = subprocess.Popen([*command, "--json"], env=environment(2), stdout=subprocess.PIPE)
        assert driver.stdout is not None
        peak, seen, drivers = psutil.Process(driver.pid), 0, {}
        for line in driver.stdout:
            seen += b'"photo"' in line
            if seen in (100, count // 2, count):
                drivers[seen] = peak.memory_info().rss >> 20
        driver.wait()
        parts = sorted((place / "out/unfade-archive/manifest").iterdir())
        rows = [row for part in parts for row in pq.read_table(part).to_pylist()]
        peaks = [row["peak_memory_mib"] for row in rows if row["state"] == "done"]
        marks = {n: round(peaks[n - 1]) for n in (100, count // 4, count // 2, count)}
        tell("memory", {"photos": len(peaks), "worker_peak_mib": marks, "driver_mib": drivers})
        large = cv2.resize(astronaut(), (int((megapixels * 1e6) ** 0.5),) * 2)
        cv2.imwrite(str(place / "large.jpg"), large[..., ::-1])
        command = [sys.executable, "-c", LARGE, str(first[0]), str(place / "large.jpg")]
        done = subprocess.run(command, env=environment(2), check=True, capture_output=True)
        tell("memory_after_large", {"megapixels": megapixels, **json.loads(done.stdout)})


@main.command()
@click.option("--count", default=1_000_000)
def planning(count: int) -> None:
    """Time and memory of a plan; the second one finds the manifest of the first."""
    with folder() as place:
        for i in range(count):
            box = place / "in" / f"box{i // 1000:04d}"
            if i % 1000 == 0:
                box.mkdir(parents=True)
            (box / f"Photo {i:07d}.jpg").touch()
        for turn in (1, 2):
            command = [sys.executable, "-c", PLAN, str(place / "in"), str(place / "out")]
            done = subprocess.run(command, check=True, capture_output=True)
            tell("planning", {"turn": turn, **json.loads(done.stdout)})


# --- faults ----------------------------------------------------------------------------------


@main.command()
@click.option("--moments", default=30)
@click.option("--count", default=40)
@click.option("--side", default=160)
@click.option("--seed", default=0)
@click.option("--ray", is_flag=True)
def faults(moments: int, count: int, side: int, seed: int, ray: bool) -> None:
    """Kills workers, drivers and heads at random moments, then compares with a quiet run."""
    rng = random.Random(seed)
    extra = ["--address", "local"] if ray else []
    with folder() as place:
        make_photos(place / "in", count, side)
        command = [*UNFADE, "batch", str(place / "in")]
        seconds, _ = timed([*command, str(place / "whole"), "--workers", "2"], 2)
        whole = photos(place / "whole")
        if ray:  # it takes longer to start
            seconds, _ = timed([*command, str(place / "ray"), "--workers", "2", *extra], 2)
        killed: dict[str, int] = {}
        turn = 0
        while sum(killed.values()) < moments:
            out = place / f"out{turn}"
            kind = ("worker", "driver", "head")[sum(killed.values()) % (3 if ray else 2)]
            ended = _strike([*command, str(out), "--workers", "2", *extra], kind,
                            rng.uniform(0, seconds))  # fmt: skip
            if ended is not None:
                killed[ended] = killed.get(ended, 0) + 1
            if ended is None or photos(out) == whole:  # done: begin anew
                turn += 1
        for i in range(turn + 1):
            subprocess.run([*command, str(place / f"out{i}")], env=environment(2), check=False,
                           capture_output=True)  # fmt: skip
        same = [photos(place / f"out{i}") == whole for i in range(turn + 1)]
        states = [_states(place / f"out{i}") for i in range(turn + 1)]
        facts = {"ray": ray, "moments": moments, "killed": killed, "same_bytes": same}
        tell("faults", facts | {"states": states})
        _disturbed(place, seconds, whole)
        _full_disk(place, command, whole)


def _disturbed(place: Path, seconds: float, whole: dict[str, str]) -> None:
    """Inputs vanish, are cut short and change during a run, and a second run wants the same DST."""
    source, out = place / "changing", place / "disturbed"
    shutil.copytree(place / "in", source)
    command = [*UNFADE, "batch", str(source), str(out), "--workers", "2"]
    quiet = {"env": environment(2), "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    first = subprocess.Popen(command, **quiet)
    time.sleep(seconds / 2)
    late = sorted(source.rglob("*.jpg"))[-3:]
    late[0].unlink()
    late[1].write_bytes(late[1].read_bytes()[:500])
    late[2].write_bytes((place / "in" / late[0].relative_to(source)).read_bytes())
    second = subprocess.run(command, check=False, **quiet)
    first.wait()
    found = photos(out)
    facts: dict[str, Any] = {
        "second_run": second.stderr.decode().splitlines()[-1:], "states": _states(out),
        "others_same": all(found.get(k) == v for k, v in sorted(whole.items())[:-3]),
    }  # fmt: skip
    for path in late:
        shutil.copy2(place / "in" / path.relative_to(source), path)
    subprocess.run(command, check=True, **quiet)
    tell("disturbed", facts | {"same_bytes_with_inputs_back": photos(out) == whole})


def _strike(command: list[str], kind: str, wait_s: float) -> str | None:
    """Runs a command and kills one of its processes after a while; says which, if one was left."""
    driver = subprocess.Popen(command, env=environment(2), stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        driver.wait(wait_s)
        return None
    except subprocess.TimeoutExpired:
        pass
    children = psutil.Process(driver.pid).children(recursive=True)
    victim: Any = driver
    if kind == "worker":
        victim = next((c for c in children if _is_worker(c)), None)
    elif kind == "head":
        victim = next((c for c in children if "gcs_server" in c.name()), None)
    if victim is None:
        kind, victim = "driver", driver
    victim.kill()
    try:
        driver.wait(600)
    except subprocess.TimeoutExpired:
        driver.kill()
        kind += ", then the driver, which hung"
    for child in children:
        if child.is_running():
            child.kill()
    return kind


def _is_worker(process: psutil.Process) -> bool:
    try:
        text = " ".join(process.cmdline())
    except psutil.Error:
        return False
    return "spawn_main" in text or "MapWorker" in text


def _states(out: Path) -> dict[str, int]:
    done = subprocess.run([*UNFADE, "batch", "--status", "--json", str(out)], check=True,
                          capture_output=True)  # fmt: skip
    return json.loads(done.stdout)["states"]


def _full_disk(place: Path, command: list[str], whole: dict[str, str]) -> None:
    """A disk with too little room, where this user may mount one."""
    disk = place / "disk"
    disk.mkdir()
    size = sum(p.stat().st_size for p in (place / "whole").rglob("*") if p.is_file()) // 2
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        tell("full_disk", {"left_out": "no right to mount a small disk"})
        return
    try:
        done = subprocess.run([*command, str(disk / "out"), "--json"], env=environment(2),
                              check=False, capture_output=True)  # fmt: skip
        found = photos(disk / "out")
        facts: dict[str, Any] = {
            "exit": done.returncode, "photos": len(found),
            "half": sorted(set(found.items()) - set(whole.items())),
            "said": done.stderr.decode().splitlines()[-2:],
        }  # fmt: skip
        remount = [*mount[:3], "-o", f"remount,size={4 * size}", "tmpfs", str(disk)]
        subprocess.run(remount, check=True)
        subprocess.run([*command, str(disk / "out")], env=environment(2), check=False,
                       capture_output=True)  # fmt: skip
        tell("full_disk", facts | {"same_bytes_with_room": photos(disk / "out") == whole})
    finally:
        subprocess.run(["umount", str(disk)], check=False)


@main.command("all")
@click.pass_context
def everything(ctx: click.Context) -> None:
    """Every figure."""
    ctx.invoke(planning)
    ctx.invoke(speed, ray=True)
    ctx.invoke(memory)
    ctx.invoke(faults)
    ctx.invoke(faults, ray=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    tell("largest_process", {"peak_gib": round(peak, 2)})


if __name__ == "__main__":
    main()
