from __future__ import annotations

import json
from pathlib import Path

import pytest

from unfade.cli.batch import Result, run_batch
from unfade.cli.jobs import Job
from unfade.errors import InputError, WeightsError
from unfade.types import Progress

JOBS = [Job(Path(f"{name}.jpg"), Path("out") / f"{name}.jpg") for name in "abcd"]


def work(job: Job, progress: Progress) -> Result:
    """Fails or is done according to the name."""
    progress("work", 0.5)
    errors: dict[str, BaseException] = {
        "b.jpg": InputError("nonsense", "a photo", "scan again", path=job.source),
        "c.jpg": ZeroDivisionError("one\ntwo"),
        "memory.jpg": MemoryError(),
        "cuda.jpg": RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
        "stop.jpg": KeyboardInterrupt(),
    }
    if job.source.name in errors:
        raise errors[job.source.name]
    return Result("skipped" if job.source.name == "d.jpg" else "done", "note", {"extra": 1})


def test_batch_goes_on_past_bad_files(capfd: pytest.CaptureFixture[str]) -> None:
    summary = run_batch(JOBS, work, command="restore")
    assert [o.status for o in summary.outcomes] == ["done", "failed", "failed", "skipped"]
    assert summary.exit_code == 1
    out, err = capfd.readouterr()
    assert out.splitlines()[0].startswith("a.jpg -> out/a.jpg (note, ")
    assert err.splitlines() == [
        "Error: b.jpg: nonsense. Needed: a photo. Scan again.",
        "Error: c.jpg: an unexpected error (ZeroDivisionError: one two); "
        "run it again with --verbose to see where",
        "1 done, 1 already done, 2 failed.",
    ]


def test_traceback_is_shown_when_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    run_batch(JOBS, work, command="restore", verbose=True)
    assert "Traceback" in capfd.readouterr().err


def test_batch_ends_when_the_weights_are_to_blame() -> None:
    def fail(job: Job, progress: Progress) -> Result:
        raise WeightsError("no vae/", "a model", "fetch it")

    with pytest.raises(WeightsError):
        run_batch(JOBS, fail, command="restore")


@pytest.mark.parametrize("name", ["memory.jpg", "cuda.jpg"])
def test_remedy_is_named_when_memory_runs_out(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    summary = run_batch([Job(Path(name), Path("out") / name)], work, command="restore")
    assert summary.exit_code == 1
    assert "smaller --tile" in capfd.readouterr().err


def test_problem_found_while_searching_fails_its_job(capfd: pytest.CaptureFixture[str]) -> None:
    problem = InputError("no right", "a folder", "check", path=Path("x"))
    summary = run_batch([Job(Path("x"), Path("out"), problem), JOBS[0]], work, command="restore")
    assert [o.status for o in summary.outcomes] == ["failed", "done"]
    assert "x: no right" in capfd.readouterr().err


def test_batch_stops_and_says_so_on_ctrl_c(capfd: pytest.CaptureFixture[str]) -> None:
    jobs = [JOBS[0], Job(Path("stop.jpg"), Path("out/stop.jpg")), JOBS[3]]
    summary = run_batch(jobs, work, command="restore")
    assert summary.interrupted
    assert summary.exit_code == 130
    err = capfd.readouterr().err
    assert "Stopped: 1 done, 2 left. The same command goes on from there." in err


def test_json_is_all_there_is_on_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    run_batch(JOBS, work, command="restore", as_json=True)
    out, err = capfd.readouterr()
    data = json.loads(out)
    assert {key: data[key] for key in ("command", "total", "done", "skipped", "failed")} == {
        "command": "restore", "total": 4, "done": 1, "skipped": 1, "failed": 2,
    }  # fmt: skip
    assert data["interrupted"] is False
    first, second = data["results"][:2]
    assert first["output"] == str(JOBS[0].output)
    assert first["extra"] == 1
    assert second["status"] == "failed"
    assert second["output"] is None
    assert "nonsense" in second["error"]
    assert "a.jpg -> " in err


def test_json_is_ascii_when_a_name_is_not_utf8(capfd: pytest.CaptureFixture[str]) -> None:
    job = Job(Path("caf\udce9.jpg"), Path("out/caf\udce9.jpg"))
    run_batch([job], work, command="restore", as_json=True)
    out, err = capfd.readouterr()
    assert json.loads(out)["results"][0]["input"] == "caf\udce9.jpg"
    assert out.isascii()
    assert "caf\\xe9.jpg" in err
