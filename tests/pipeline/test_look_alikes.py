"""What the shipped detector must not take for damage: paper margins and white lettering."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from unfade.api import Restorer

Levels = NDArray[np.uint8]


def view(height: int, width: int) -> NDArray[np.float64]:
    """(H, W, 3): a gray scene of hills and houses with grain."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    gray = 150 - 40 * y / height + 25 * np.sin(x / 37) * np.cos(y / 29)
    for _ in range(12):
        top, left = rng.integers(0, height - 40), rng.integers(0, width - 60)
        tall, wide = rng.integers(20, 90), rng.integers(20, 110)
        gray[top : top + tall, left : left + wide] = rng.uniform(50, 170)
    gray = cv2.GaussianBlur(gray, (0, 0), 0.8) + rng.normal(0, 4, (height, width))
    return np.repeat(gray[..., None], 3, 2)


def levels(picture: NDArray[Any]) -> Levels:
    return np.rint(picture.clip(0, 255)).astype(np.uint8)


SIDES = {
    "bottom": (np.s_[-51:, :], (240, 238, 232)),  # 20 % of 256 pixels
    "top": (np.s_[:67, :], (240, 238, 232)),
    "left": (np.s_[:, :77], (226, 218, 200)),
    "right": (np.s_[:, -58:], (252, 250, 246)),
}


@pytest.mark.parametrize("side", SIDES)
def test_clean_paper_beside_a_photo_is_no_damage(restorer: Restorer, side: str) -> None:
    place, paper = SIDES[side]
    photo = view(256, 384)
    photo[place] = np.random.default_rng(1).normal(paper, 2, photo[place].shape)
    out = restorer.restore(levels(photo), tone="keep")
    assert out.mask is not None and out.manifest["diffusion"] is not None
    assert (out.mask[place] >= 255 * restorer.threshold).mean() < 0.01
    assert out.manifest["diffusion"]["strength"] == 0
    assert out.to_numpy()[place].std((0, 1)).max() <= levels(photo)[place].std((0, 1)).max()


@pytest.mark.parametrize("letters", ["DejaVuSans.ttf", "DejaVuSerif-Italic.ttf"])
def test_white_lettering_is_no_damage(restorer: Restorer, letters: str) -> None:
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    photo, ink = view(160, 560), Image.new("L", (560, 160))
    ImageDraw.Draw(ink).text(
        (20, 90), "Meran 1908  No. 4711", 255, ImageFont.truetype(folder / letters, 40)
    )
    alpha = cv2.GaussianBlur(np.asarray(ink) / 255.0, (0, 0), 0.6)
    before = levels(photo + alpha[..., None] * (245 - photo))
    out = restorer.restore(before, tone="keep")
    assert out.mask is not None
    assert (out.mask[alpha > 0.5] >= 255 * restorer.threshold).mean() < 0.02
    around = (cv2.dilate(alpha, np.ones((15, 15))) > 0.2) & (alpha < 0.02)
    was, now = (float(p[alpha > 0.9].mean() - p[around].mean()) for p in (before, out.to_numpy()))
    assert was > 90 and now >= 0.9 * was
