from __future__ import annotations

import json
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from unfade.train import journal
from unfade.train.journal import Journal


def test_journal_writes_rows_curves_and_pictures(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    cv2.imwrite(str(tmp_path / "sheet.png"), np.full((8, 8, 3), (0, 0, 255), np.uint8))  # red
    book = Journal(tmp_path, 0)
    for step in (2, 4):
        book.row(step, {"loss": 1 / step})
    book.sheet(4, tmp_path / "sheet.png")
    book.sheet(4, tmp_path / "none.png")
    book.close()
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert rows == [{"step": 2, "loss": 0.5}, {"step": 4, "loss": 0.25}]
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(e.step, e.value) for e in board.Scalars("loss")] == [(2, 0.5), (4, 0.25)]
    code = np.frombuffer(board.Images("sheet")[0].encoded_image_string, np.uint8)
    picture = cv2.imdecode(code, cv2.IMREAD_COLOR)
    assert picture is not None and picture[0, 0].tolist() == [0, 0, 255]


def test_journal_goes_on_after_a_stop(tmp_path: Path) -> None:
    for step in (0, 5):
        book = Journal(tmp_path, step)
        book.row(step + 1, {"loss": 1.0})
        book.close()
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2


def test_journal_needs_no_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal.importlib.util, "find_spec", lambda name: None)
    book = Journal(tmp_path, 0)
    book.row(1, {"loss": 1.0})
    book.sheet(1, tmp_path / "sheet.png")
    book.close()
    assert [p.name for p in tmp_path.iterdir()] == ["log.jsonl"]


def test_journal_drops_what_was_never_saved_and_half_a_row(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    book = Journal(tmp_path, 0)
    for step in (2, 4, 5):
        book.row(step, {"loss": 1.0})
    book.close()
    log = tmp_path / "log.jsonl"
    with log.open("a") as handle:
        handle.write('{"step": 3, "lo')  # killed here
    time.sleep(1)  # TensorBoard reads its files in the order of the seconds in their names
    book = Journal(tmp_path, 4)
    book.row(5, {"loss": 0.5})
    book.close()
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()] == [2, 4, 5]
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(e.step, e.value) for e in board.Scalars("loss")] == [(2, 1.0), (4, 1.0), (5, 0.5)]
