"""Runs an external program, measures its time and memory, and stops it after a timeout."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unfade.bench.methods.base import MethodError
from unfade.bench.methods.resource_usage import ResourceUsage
from unfade.errors import printable

_GRACE_S = 3.0  # between asking processes to end and ending them
_LAST_WORDS = 300  # characters of the log that an error repeats


def run_program(words: Sequence[str], log: Path, *, timeout_s: float | None) -> ResourceUsage:
    """Runs a program, and ends all processes that it started.

    Args:
        words: the program and its arguments; no shell sees them.
        log: stdout and stderr are appended to it.
        timeout_s: it is ended after so many seconds; None waits.

    Returns:
        The wall time, and the peak memory of the program with all that it started.

    Raises:
        MethodError: it cannot be started, fails, or takes too long.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        file.write(f"$ {' '.join(words)}\n".encode("utf-8", "backslashreplace"))
        file.flush()
        began = file.tell()
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            fix = "check its name and its permissions"
            raise MethodError(f"{words[0]}: {reason}", "a program", fix) from error
        try:
            with ResourceUsage(process.pid, tree=True) as usage:
                code = process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            got = f"a program that was still running after {timeout_s:g} s"
            fix = f"see {printable(log)}, or allow more with --timeout"
            raise MethodError(got, "its end", fix) from error
        finally:
            _end(process)
    if code != 0:
        last_line = _tail(log, began)
        got = f"{_ending(code)}" + (f", last words: {last_line}" if last_line else "")
        raise MethodError(got, "exit code 0", f"see {printable(log)}")
    return usage


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a program and all its child processes."""
    members = _tree(process.pid)
    _signal(process, members, signal.SIGTERM)
    if process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
    _signal(process, members, getattr(signal, "SIGKILL", signal.SIGTERM))
    process.wait()
    for member in members:
        with contextlib.suppress(Exception):  # psutil's own: it takes longer, or has ended
            member.wait(_GRACE_S)


def _tree(process: int) -> list[Any]:
    """The descendants of a process; empty without psutil."""
    try:
        psutil: Any = importlib.import_module("psutil")
    except ImportError:
        return []
    try:
        return list(psutil.Process(process).children(recursive=True))
    except psutil.Error:
        return []


def _signal(process: subprocess.Popen[bytes], members: Sequence[Any], number: int) -> None:
    """Sends a signal to a program, to its group, and to what left its group."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            os.killpg(process.pid, number)
    elif process.poll() is None:
        process.kill()
    for member in members:
        with contextlib.suppress(Exception):  # psutil's own: it has ended
            member.send_signal(number)


def _ending(code: int) -> str:
    if code >= 0:
        return f"a program that failed with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = str(-code)
    hint = ": memory may have run out" if name == "SIGKILL" else ""
    return f"a program that was ended by {name}{hint}"


def _tail(log: Path, began: int) -> str:
    """The last line that is not empty, of what was written from `began` on."""
    with log.open("rb") as file:
        file.seek(max(began, file.seek(0, os.SEEK_END) - 4096))
        lines = file.read().decode("utf-8", "replace").split("\n")
    last_line = next((" ".join(line.split()) for line in reversed(lines) if line.strip()), "")
    return "".join(c for c in last_line if c.isprintable())[-_LAST_WORDS:]
