"""What a training says on its way: log.jsonl and, with tensorboard installed, its curves."""

from __future__ import annotations

import importlib.util
import json
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from unfade.files import atomic_file

log = logging.getLogger(__name__)


class Journal:
    """Rows of figures and sheets of pictures, in the folder of a run.

    Args:
        run: log.jsonl is added to, curves and pictures go to tensorboard/ below.
        step: where this start begins; what an earlier start logged beyond it was never saved, and
            is dropped.

    Raises:
        OutputError: log.jsonl cannot be written.
    """

    def __init__(self, run: Path, step: int) -> None:
        self.path = run / "log.jsonl"
        self.board: Any = None
        _drop_beyond(self.path, step)
        if importlib.util.find_spec("tensorboard") is None:
            log.info("no curves for TensorBoard: pip install '.[train]' in a clone of unfade")
            return
        from torch.utils.tensorboard.writer import SummaryWriter

        writer = cast(Any, SummaryWriter)
        self.board = writer(str(run / "tensorboard"), purge_step=step + 1)

    def row(self, step: int, figures: dict[str, float]) -> None:
        """Logs figures of a step."""
        with self.path.open("a") as handle:
            row = {"step": step, **{k: round(v, 6) for k, v in figures.items()}}
            handle.write(json.dumps(row) + "\n")
        if self.board is not None:
            for name, value in figures.items():
                self.board.add_scalar(name, value, step)
            self.board.flush()

    def show(self, step: int, draw: Callable[[Path], dict[str, float]]) -> None:
        """Lets a sheet be drawn, and logs it with the figures that come back."""
        path = self.path.with_name(f"sheet-{step:06d}.png")
        self.row(step, draw(path))
        self.sheet(step, path)

    def sheet(self, step: int, path: Path) -> None:
        """Shows a sheet of pictures that was written as a file."""
        if self.board is None or not path.exists():
            return
        read = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if read is not None:
            image = np.ascontiguousarray(read[..., ::-1])
            self.board.add_image("sheet", image, step, dataformats="HWC")

    def close(self) -> None:
        """Ends the curves."""
        if self.board is not None:
            self.board.close()


def _drop_beyond(path: Path, step: int) -> None:
    """Takes rows of later steps out of a log, and what a kill left of a row."""
    if not path.exists():
        return
    lines = path.read_text("utf-8", "replace").splitlines(keepends=True)
    kept = [line for line in lines if _step_of(line) <= step]
    if kept != lines:
        with atomic_file(path) as file:
            file.write("".join(kept).encode())


def _step_of(line: str) -> float:
    """The step of a row; infinity where it is none."""
    try:
        return int(json.loads(line)["step"]) if line.endswith("\n") else math.inf
    except (ValueError, KeyError, TypeError):
        return math.inf
