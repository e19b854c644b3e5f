"""Faults for processes that have this folder in PYTHONPATH, where they open files.

A photo named poison.* kills the process that reads it; a result named full.* finds a full disk.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from pathlib import PurePath


def _fault(event: str, arguments: tuple[object, ...]) -> None:
    if event != "open" or not isinstance(arguments[0], (str, PurePath)):
        return
    path = PurePath(arguments[0])
    if path.stem == "poison":
        os.kill(os.getpid(), signal.SIGKILL)
    if path.name.startswith("full.") and "unfade-archive" in path.parts:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


sys.addaudithook(_fault)
