"""Measures wall time and peak memory of a process and its children."""

from __future__ import annotations

import importlib
import os
import threading
import time
from types import TracebackType
from typing import Any

_EVERY_S = 0.05


class ResourceUsage:
    """Measures time and peak memory while its block runs.

    Attributes:
        seconds: wall time.
        peak_mib: the largest sum of the resident sets, sampled twenty times a second; memory that
            processes share counts for each. None if psutil is not installed.
    """

    def __init__(self, process: int | None = None, *, tree: bool = False) -> None:
        """Measures a process, by default this one.

        Args:
            process: its id.
            tree: whether the processes that it started count too.
        """
        self.seconds = 0.0
        self.peak_mib: float | None = None
        self._process = os.getpid() if process is None else process
        self._tree = tree
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> ResourceUsage:
        self._started = time.perf_counter()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.seconds = time.perf_counter() - self._started
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        try:
            psutil: Any = importlib.import_module("psutil")
        except ImportError:
            return
        while True:
            ended = self._ended.is_set()
            held = _resident_mib(psutil, self._process, self._tree)
            if held is not None:
                self.peak_mib = max(held, self.peak_mib or 0.0)
            if ended:
                return
            self._ended.wait(_EVERY_S)


def _resident_mib(psutil: Any, process: int, tree: bool) -> float | None:
    """None if the process has ended."""
    try:
        root = psutil.Process(process)
        members = [root, *(root.children(recursive=True) if tree else ())]
    except psutil.Error:
        return None
    total = 0
    for member in members:
        try:
            total += int(member.memory_info().rss)
        except psutil.Error:
            continue
    return total / (1 << 20) if total else None
