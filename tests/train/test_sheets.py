from __future__ import annotations

from pathlib import Path

import cv2
import torch

from unfade.train.sheets import write_sheet


def test_write_sheet_lays_pictures_out_in_rows(tmp_path: Path) -> None:
    red = torch.zeros(3, 4, 5)
    red[0] = 1
    mask = torch.full((1, 4, 5), 2.0)  # clipped
    write_sheet(tmp_path / "s.png", [[red, mask], [mask, red]])
    sheet = cv2.imread(str(tmp_path / "s.png"))
    assert sheet is not None and sheet.shape == (8, 10, 3)
    assert sheet[0, 0].tolist() == [0, 0, 255] and sheet[0, 9].tolist() == [255, 255, 255]
    assert sheet[7, 9].tolist() == [0, 0, 255]
