from __future__ import annotations

import cv2
import numpy as np

from unfade.pages.pictures import jpeg


def test_jpeg_keeps_order_and_resolution_of_colours() -> None:
    rgb = np.zeros((16, 16, 3), np.uint8)
    rgb[:, ::2] = 200, 30, 30
    code = np.frombuffer(jpeg(rgb, quality=95), np.uint8)
    back = cv2.imdecode(code, cv2.IMREAD_COLOR)
    assert back is not None
    assert np.abs(back[..., ::-1].astype(int) - rgb).mean() < 8
    assert len(jpeg(rgb, quality=20)) < len(code)
