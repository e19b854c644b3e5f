"""Logs a training: figures to log.jsonl, curves and sample grids to TensorBoard if installed."""

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


class TrainingLogger:
    """Writes figures and sample grids to the folder of a run.

    Args:
        run: log.jsonl is appended to; curves and pictures go to tensorboard/ below.
        step: the step that this start resumes from. Later rows of an earlier start are removed,
            because their state was never saved.

    Raises:
        OutputError: log.jsonl cannot be written.
    """

    def __init__(self, run: Path, step: int) -> None:
        self.path = run / "log.jsonl"
        self.board: Any = None
        _remove_later_rows(self.path, step)
        if importlib.util.find_spec("tensorboard") is None:
            log.info("no curves for TensorBoard: pip install '.[train]' in a clone of unfade")
            return
        from torch.utils.tensorboard.writer import SummaryWriter

        writer = cast(Any, SummaryWriter)
        self.board = writer(str(run / "tensorboard"), purge_step=step + 1)

    def log_figures(self, step: int, figures: dict[str, float]) -> None:
        """Logs figures of a step."""
        with self.path.open("a") as handle:
            row = {"step": step, **{k: round(v, 6) for k, v in figures.items()}}
            handle.write(json.dumps(row) + "\n")
        if self.board is not None:
            for name, value in figures.items():
                self.board.add_scalar(name, value, step)
            self.board.flush()

    def log_validation(self, step: int, validate: Callable[[Path], dict[str, float]]) -> None:
        """Runs a validation, which writes its sample grid to a path, and logs its figures."""
        path = self.path.with_name(f"sheet-{step:06d}.png")
        self.log_figures(step, validate(path))
        self.log_sample_grid(step, path)

    def log_sample_grid(self, step: int, path: Path) -> None:
        """Adds a sample grid that was written as PNG to TensorBoard."""
        if self.board is None or not path.exists():
            return
        pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if pixels is not None:
            image = np.ascontiguousarray(pixels[..., ::-1])
            self.board.add_image("sheet", image, step, dataformats="HWC")

    def close(self) -> None:
        """Closes TensorBoard's file."""
        if self.board is not None:
            self.board.close()


def _remove_later_rows(path: Path, step: int) -> None:
    """Removes rows of later steps from a log, and incomplete rows that a kill left."""
    if not path.exists():
        return
    lines = path.read_text("utf-8", "replace").splitlines(keepends=True)
    valid = [line for line in lines if _step_of(line) <= step]
    if valid != lines:
        with atomic_file(path) as file:
            file.write("".join(valid).encode())


def _step_of(line: str) -> float:
    """The step of a row; infinity if the line is no complete row."""
    try:
        return int(json.loads(line)["step"]) if line.endswith("\n") else math.inf
    except (ValueError, KeyError, TypeError):
        return math.inf
