from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from unfade.types import Progress
from unfade.web.job import Job, Pace, Stopped


def endless() -> tuple[Callable[[Progress], None], threading.Event]:
    """Work without an end, and what is set once it was ended."""
    ended = threading.Event()

    def work(progress: Progress) -> None:
        try:
            while True:
                progress("mend", 0.1)
                ended.wait(0.01)
        finally:
            ended.set()

    return work, ended


def test_progress_and_result_come_out() -> None:
    go = threading.Event()

    def work(progress: Progress) -> int:
        progress("mend", 0.5)
        go.wait(10)
        return 7

    job = Job(work)
    for stage, share in job.steps():
        if (stage, share) == ("mend", 0.5):
            go.set()
    assert go.is_set() and job.result() == 7


def test_work_ends_when_it_is_stopped() -> None:
    work, ended = endless()
    job = Job(work)
    for _ in job.steps():
        job.stop()
    with pytest.raises(Stopped):
        job.result()
    assert ended.is_set()


def test_work_ends_when_nobody_listens_any_more() -> None:
    work, ended = endless()
    steps = iter(Job(work).steps())
    next(steps)
    steps.close()  # type: ignore[attr-defined]  # a generator
    assert ended.wait(10)


def test_error_of_the_work_is_raised() -> None:
    def work(progress: Progress) -> None:
        raise ValueError("broken")

    job = Job(work)
    list(job.steps())
    with pytest.raises(ValueError, match="broken"):
        job.result()


def test_time_that_is_left_follows_the_rate_of_the_stage() -> None:
    pace = Pace()
    assert pace.left_s("read", 0.0, 100) is None
    assert pace.left_s("detect", 0.05, 103) is None  # a stage begins
    assert pace.left_s("detect", 0.06, 110) is None  # too little has grown
    assert pace.left_s("detect", 0.25, 104) is None  # too little time has passed
    assert pace.left_s("detect", 0.25, 107) == pytest.approx(15)  # 0.05 a second
    assert pace.left_s("detect", 0.95, 122) == pytest.approx(1.06, abs=0.01)
    assert pace.left_s("mend", 0.95, 123) is None
