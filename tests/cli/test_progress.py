from __future__ import annotations

import io

import pytest

from unfade.cli import progress
from unfade.cli.progress import Bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run_bar(monkeypatch: pytest.MonkeyPatch, *, terminal: bool, seconds: float) -> str:
    """What a bar writes for one job that takes so long."""
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    clock = iter([0.0] + [seconds * i / 10 for i in range(1, 11)])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock, seconds))
    with Bar(1) as bar:
        report = bar.reporter(0, "[red]print.jpg")
        for i in range(1, 10):
            report("mend", i / 10)
    return stream.getvalue()


def test_bar_is_shown_when_the_work_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    assert "[red]print.jpg: mend" in run_bar(monkeypatch, terminal=True, seconds=20)


def test_no_bar_is_shown_when_the_work_is_short_or_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run_bar(monkeypatch, terminal=True, seconds=1) == ""
    assert run_bar(monkeypatch, terminal=False, seconds=20) == ""
