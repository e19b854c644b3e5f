from __future__ import annotations

import cv2
import numpy as np
import pytest

from unfade.convert import from_array
from unfade.pages import pictures
from unfade.pages.pictures import jpeg


def test_jpeg_keeps_order_and_resolution_of_colours() -> None:
    rgb = np.zeros((16, 16, 3), np.uint8)
    rgb[:, ::2] = 200, 30, 30
    code = np.frombuffer(jpeg(rgb, quality=95), np.uint8)
    back = cv2.imdecode(code, cv2.IMREAD_COLOR)
    assert back is not None
    assert np.abs(back[..., ::-1].astype(int) - rgb).mean() < 8
    assert len(jpeg(rgb, quality=20)) < len(code)


def test_panel_has_no_seam_between_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_BLOCK_PIXELS", 10_000)
    ramp = np.repeat(np.linspace(0, 255, 3300).astype(np.uint8)[:, None], 900, axis=1)
    photo = from_array(ramp, max_pixels=10**9)
    panel = pictures.panel(photo, 1600, 436).astype(int)
    assert (np.diff(panel[:, 200, 0]) >= 0).all()
    assert abs(panel[:, 200, 0] - np.linspace(0, 255, 1600)).max() < 2
