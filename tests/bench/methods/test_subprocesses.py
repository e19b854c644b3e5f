from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil
import pytest

from unfade.bench.methods.base import MethodError
from unfade.bench.methods.subprocesses import run_program


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_both_streams_go_into_the_log(tmp_path: Path) -> None:
    log = tmp_path / "new/x.log"
    code = "import sys; print('to stdout', flush=True); print('to stderr', file=sys.stderr)"
    for _ in range(2):
        run_program(python(code), log, timeout_s=None)
    assert log.read_text().count("to stdout\nto stderr\n") == 2


def test_memory_of_children_counts_and_our_own_does_not(tmp_path: Path) -> None:
    child = "import time; held = bytearray(150 << 20); time.sleep(1)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    usage = run_program(python(code), tmp_path / "log", timeout_s=None)
    assert usage.peak_mib is not None and 150 < usage.peak_mib < 400
    assert usage.seconds > 1
    held = bytearray(300 << 20)
    usage = run_program(python("import time; time.sleep(0.5)"), tmp_path / "log", timeout_s=None)
    assert usage.peak_mib is not None and usage.peak_mib < 100
    assert len(held) > 0


def test_everything_that_was_started_ends_with_the_time(tmp_path: Path) -> None:
    child = "import os, time; open({!r}, 'w').write(str(os.getpid())); time.sleep(60)".format(
        str(tmp_path / "pid")
    )
    code = (
        "import subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-c', {child!r}], start_new_session=True)\n"
        "time.sleep(60)"
    )
    started = time.monotonic()
    with pytest.raises(MethodError, match="still running after 4 s"):
        run_program(python(code), tmp_path / "log", timeout_s=4)
    assert time.monotonic() - started < 30
    pid = int((tmp_path / "pid").read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_one_that_does_not_listen_is_ended_too(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    with pytest.raises(MethodError, match="still running"):
        run_program(python(code), tmp_path / "log", timeout_s=1)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import sys; print('first'); sys.exit(3)", "exit code 3, last words: first"),
        ("import sys; sys.exit('no paper')", "exit code 1, last words: no paper"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended by SIGKILL: memory"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended by SIGSEGV"),
    ],
)
def test_failures_say_how_it_ended(tmp_path: Path, code: str, words: str) -> None:
    with pytest.raises(MethodError) as caught:
        run_program(python(code), tmp_path / "log", timeout_s=None)
    assert words in str(caught.value)
    assert str(tmp_path / "log") in str(caught.value)


def test_what_cannot_be_started_is_told(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.touch()
    with pytest.raises(MethodError, match="permission"):
        run_program([str(file)], tmp_path / "log", timeout_s=None)
