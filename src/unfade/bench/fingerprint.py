"""Hashes the code and weights that scores depend on, to detect outdated scores."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

from unfade.eval.weights import WEIGHTS, metrics_folder
from unfade.manifest import sha256_file

_PACKAGE = Path(__file__).resolve().parents[1]
_MEASURES = (
    "degrade/joint.py",  # these three damage a result again
    "degrade/kernels.py",
    "degrade/reduce.py",
    "eval",
    "bench/degradations.py",
    "bench/methods/classics.py",  # these two enlarge an input to compare it
    "bench/methods/in_process.py",
    "bench/tables",
    "pipeline/alignment.py",
    "pipeline/content.py",
    "pipeline/colour.py",
)


def fingerprint(metrics: Iterable[str]) -> str:
    """A hash of everything that determines the scores of metrics.

    Args:
        metrics: names; those with weights of their own count with the state of these files.
    """
    wanted, lines = {*metrics}, [_code()]
    for weights in WEIGHTS:
        if wanted & {*weights.metrics}:
            folder = metrics_folder() / weights.name
            files = sorted(path for path in folder.glob("*") if path.is_file())
            states = ((path.name, path.stat()) for path in files)
            lines += [f"{name} {state.st_size} {state.st_mtime_ns}" for name, state in states]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@functools.cache
def _code() -> str:
    """The hashes of all source files that compute scores."""
    lines: list[str] = []
    for part in _MEASURES:
        source = _PACKAGE / part
        files = [source] if source.is_file() else sorted(source.iterdir())
        lines += [f"{path.name} {sha256_file(path)}" for path in files if path.is_file()]
    return "\n".join(lines)
