"""Handles Ctrl-C during a training: finishes the step, so that a checkpoint can be written."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Generator
from dataclasses import dataclass

from torch import nn

#: A checkpoint of this size is written within a second or two.
_SMALL_BYTES = 256 << 20
_COPIES = 4  # the network, its average, and two moments of Adam


@dataclass
class Interruption:
    """Whether Ctrl-C was pressed during a step."""

    requested: bool = False


def is_small(model: nn.Module) -> bool:
    """Whether a checkpoint of this training is small enough to be written at once."""
    parameters = sum(p.numel() * p.element_size() for p in model.parameters())
    return _COPIES * parameters <= _SMALL_BYTES


@contextlib.contextmanager
def step_boundary(enabled: bool) -> Generator[Interruption]:
    """Delays Ctrl-C to the end of the block and records it; a second Ctrl-C ends the block.

    Args:
        enabled: False leaves Ctrl-C as it is, as do other threads than the main one.
    """
    interruption = Interruption()
    if not enabled or threading.current_thread() is not threading.main_thread():
        yield interruption
        return

    def remember(number: int, frame: object) -> None:
        interruption.requested = True
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGINT, before)
