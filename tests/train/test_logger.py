from __future__ import annotations

import json
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from unfade.train import logger
from unfade.train.logger import TrainingLogger


def test_training_logger_writes_rows_curves_and_pictures(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    cv2.imwrite(str(tmp_path / "sheet.png"), np.full((8, 8, 3), (0, 0, 255), np.uint8))  # red
    log = TrainingLogger(tmp_path, 0)
    for step in (2, 4):
        log.log_figures(step, {"loss": 1 / step})
    log.log_sample_grid(4, tmp_path / "sheet.png")
    log.log_sample_grid(4, tmp_path / "none.png")
    log.close()
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert rows == [{"step": 2, "loss": 0.5}, {"step": 4, "loss": 0.25}]
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(e.step, e.value) for e in board.Scalars("loss")] == [(2, 0.5), (4, 0.25)]
    code = np.frombuffer(board.Images("sheet")[0].encoded_image_string, np.uint8)
    picture = cv2.imdecode(code, cv2.IMREAD_COLOR)
    assert picture is not None and picture[0, 0].tolist() == [0, 0, 255]


def test_training_logger_goes_on_after_a_stop(tmp_path: Path) -> None:
    for step in (0, 5):
        log = TrainingLogger(tmp_path, step)
        log.log_figures(step + 1, {"loss": 1.0})
        log.close()
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2


def test_training_logger_needs_no_tensorboard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logger.importlib.util, "find_spec", lambda name: None)
    log = TrainingLogger(tmp_path, 0)
    log.log_figures(1, {"loss": 1.0})
    log.log_sample_grid(1, tmp_path / "sheet.png")
    log.close()
    assert [p.name for p in tmp_path.iterdir()] == ["log.jsonl"]


def test_training_logger_drops_what_was_never_saved_and_half_a_row(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = TrainingLogger(tmp_path, 0)
    for step in (2, 4, 5):
        log.log_figures(step, {"loss": 1.0})
    log.close()
    path = tmp_path / "log.jsonl"
    with path.open("a") as handle:
        handle.write('{"step": 3, "lo')  # killed here
    time.sleep(1)  # TensorBoard reads its files in the order of the seconds in their names
    log = TrainingLogger(tmp_path, 4)
    log.log_figures(5, {"loss": 0.5})
    log.close()
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [2, 4, 5]
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(e.step, e.value) for e in board.Scalars("loss")] == [(2, 1.0), (4, 1.0), (5, 0.5)]
