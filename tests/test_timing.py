from __future__ import annotations

import pytest

from unfade.timing import StageTimer, ignore, part


def test_share_only_grows_and_stages_are_timed() -> None:
    seen: list[tuple[str, float]] = []
    timer = StageTimer(lambda stage, share: seen.append((stage, share)))
    with timer.stage("read", 0.0, 0.2):
        pass
    with timer.stage("mend", 0.2, 1.0) as progress:
        progress(0.5)
        progress(0.25)
    assert seen == [
        ("read", 0.0), ("read", 0.2), ("mend", 0.2), ("mend", pytest.approx(0.6)),
        ("mend", pytest.approx(0.6)), ("mend", 1.0),
    ]  # fmt: skip
    assert set(timer.seconds) == {"read", "mend"}
    assert all(seconds >= 0 for seconds in timer.seconds.values())


def test_a_stage_that_comes_twice_is_timed_as_one() -> None:
    timer = StageTimer()
    for _ in range(2):
        with timer.stage("read", 0.0, 1.0):
            pass
    assert list(timer.seconds) == ["read"]


def test_part_is_a_share_of_the_whole() -> None:
    shares: list[float] = []
    for i in range(4):
        part(shares.append, i, 4)(0.5)
    assert shares == [0.125, 0.375, 0.625, 0.875]
    part(ignore, 0, 1)(1.0)
