from __future__ import annotations

from pathlib import Path

import cv2
import pytest
import torch

from unfade.train.sample_grid import mean_psnr, write_comparison_grid, write_sample_grid


def test_write_sample_grid_lays_pictures_out_in_rows(tmp_path: Path) -> None:
    red = torch.zeros(3, 4, 5)
    red[0] = 1
    mask = torch.full((1, 4, 5), 2.0)  # clipped
    write_sample_grid(tmp_path / "s.png", [[red, mask], [mask, red]])
    sheet = cv2.imread(str(tmp_path / "s.png"))
    assert sheet is not None and sheet.shape == (8, 10, 3)
    assert sheet[0, 0].tolist() == [0, 0, 255] and sheet[0, 9].tolist() == [255, 255, 255]
    assert sheet[7, 9].tolist() == [0, 0, 255]
    lq, out, hq = (torch.full((5, 3, 4, 4), v) for v in (0.0, 0.5, 1.0))
    write_comparison_grid(tmp_path / "s.png", lq, out, hq)
    sheet = cv2.imread(str(tmp_path / "s.png"))
    assert sheet is not None and sheet.shape == (8, 24, 3)  # the fifth has no neighbour
    assert sheet[0, ::4, 0].tolist() == [0, 128, 255] * 2


def test_mean_psnr_is_the_mean_over_pictures() -> None:
    hq = torch.zeros(2, 3, 8, 8)
    out = hq.clone()
    out[0], out[1] = 0.1, 0.01
    assert mean_psnr(out, hq) == pytest.approx(30, abs=0.05)
