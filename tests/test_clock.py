from __future__ import annotations

from unfade.clock import Clock


def test_share_only_grows_and_stages_are_timed() -> None:
    seen: list[tuple[str, float]] = []
    clock = Clock(lambda stage, share: seen.append((stage, share)))
    with clock.stage("read", 0.0, 0.2):
        pass
    with clock.stage("mend", 0.2, 1.0):
        clock.tick("mend", 0.5)
        clock.tick("diffuse", 0.25)
    assert [share for _, share in seen] == sorted(share for _, share in seen)
    assert seen[-1] == ("mend", 1.0)
    assert set(clock.seconds) == {"read", "mend", "diffuse"}
    assert all(seconds >= 0 for seconds in clock.seconds.values())


def test_clock_works_when_no_one_is_told() -> None:
    clock = Clock(None)
    with clock.stage("read", 0.0, 1.0):
        pass
    assert list(clock.seconds) == ["read"]
