from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest

from unfade.web.job import Job, RemainingTime, Stopped
from unfade.web.status import duration


def test_job_stops_at_its_next_report() -> None:
    job = Job("restore", "key", "")
    job.report("mend", 0.5)
    job.report("read", 0.1)  # of a part of the work
    assert (job.stage, job.share) == ("read", 0.5)
    job.stop()
    with pytest.raises(Stopped):
        job.report("mend", 0.6)
    with pytest.raises(Stopped):
        job.wait(1)
    assert job.share == 0.5


def test_time_that_is_left_follows_the_rate_of_the_stage() -> None:
    pace = RemainingTime()
    pace.report("read", 0.0, 100)
    assert pace.left_s(100) is None
    pace.report("detect", 0.05, 103)  # a stage begins
    pace.report("detect", 0.06, 110)
    assert pace.left_s(110) is None  # too little has grown
    pace.report("detect", 0.25, 112)
    pace.report("mend", 0.25, 120)
    for i in range(1, 5):
        pace.report("mend", 0.25 + 0.1 * i, 120 + 2 * i)  # 0.05 a second
    assert pace.left_s(128) == pytest.approx(7, abs=1)
    assert pace.left_s(129) == pytest.approx(6, abs=1)  # it counts down
    assert pace.left_s(150) == pace.left_s(140) == pytest.approx(5, abs=1)  # not below a late step


#: How many times as long as on a quiet machine a tile takes, by the share that is done.
_LOADS: dict[str, Callable[[float], float]] = {
    "none": lambda share: 1,
    "from the middle on": lambda share: 3 if share > 0.4 else 1,
    "now and then": lambda share: 3 if int(8 * share) % 2 else 1,
}


@pytest.mark.parametrize("load", _LOADS)
def test_time_that_is_left_is_smooth_while_a_large_photo_is_restored(load: str) -> None:
    random_s = random.Random(0)
    ends = [2 * random_s.lognormvariate(0, 0.35) * _LOADS[load](i / 35) for i in range(35)]
    pace, at_s, polled_s, seen = RemainingTime(), 0.0, 0.0, []
    pace.report("mend", 0.25, 0)
    for i, tile_s in enumerate(ends, 1):
        at_s += tile_s
        while polled_s < at_s:
            seen.append((polled_s, pace.left_s(polled_s)))
            polled_s += 0.4
        pace.report("mend", 0.25 + 0.6 * i / 35, at_s)
    whole_s = at_s * 0.75 / 0.6
    told = [(left_s, whole_s - now_s) for now_s, left_s in seen if left_s is not None]
    assert len(told) > 0.7 * len(seen)
    rises = [b / a for (a, _), (b, _) in itertools.pairwise(told) if b > a]
    assert len(rises) <= 2 and max(rises, default=1) < 1.6
    assert all(0.25 < left_s / true_s < 2.5 for left_s, true_s in told)
    if load == "none":
        assert all(0.75 < left_s / true_s < 1.5 for left_s, true_s in told)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3, "a few seconds"), (33, "about 40 seconds"), (58, "about 1 minute"),
     (170, "about 3 minutes")],
)  # fmt: skip
def test_duration_is_said_as_people_say_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text
