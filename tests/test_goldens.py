"""What the shipped weights make of one synthetic photo, by tolerance: processors round apart.

New weights, or a new case: `python tests/test_goldens.py` writes what they give now.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from unfade.api import Restorer

FILE = Path(__file__).with_name("goldens.json")
CELLS = 4  # a side of the grid of means and deviations that is kept
TOLERANCE = 1.0  # levels of 255; bf16 and fp32 differ by less than 0.3
Levels = NDArray[np.uint8]

#: Each from the photo alone, with the shipped weights.
CASES: dict[str, Callable[[Restorer, Levels], NDArray[Any]]] = {
    "detector": lambda r, x: r.detect(x, soft=True),
    "first stage": lambda r, x: r.restore(x, strength=0).image.native,
    "enlarger": lambda r, x: r.restore(
        x[:64, :64], task="super-resolution", scale=2, strength=0
    ).image.native,
    "colours": lambda r, x: r.restore(
        x[..., 1], task="colorize", mask="none", prompt="a red car"
    ).image.native,
}  # fmt: skip


def aged() -> Levels:
    """(96, 128, 3): shades, edges and stripes, with grain, a crease and a lost corner."""
    y, x = np.mgrid[:96, :128].astype(np.float64)
    rgb = np.stack([90 + 0.7 * x, 70 + 0.8 * y, 120 - 0.3 * x + 0.2 * y], 2)
    rgb[20:60, 30:80] += (40, -20, 10)
    rgb += 12 * np.sin(x / 3)[..., None] * (y > 64)[..., None]
    rgb += 14 * (np.sin(12.9898 * x + 78.233 * y) * 43758.5453 % 1 - 0.5)[..., None]
    rgb[np.abs(x - 50 - 0.3 * y) < 1] = 235
    rgb[x + y < 18] = 245
    return np.rint(np.clip(rgb, 0, 255)).astype(np.uint8)


def figures(picture: NDArray[Any]) -> list[list[float]]:
    """Mean and deviation of each cell, for each channel: (CELLS^2, 2 C)."""
    planes = picture.reshape(*picture.shape[:2], -1).astype(np.float64)
    rows = [
        part for band in np.array_split(planes, CELLS) for part in np.array_split(band, CELLS, 1)
    ]
    both = [np.concatenate([cell.mean((0, 1)), cell.std((0, 1))]) for cell in rows]
    return np.round(both, 2).tolist()


@pytest.mark.parametrize("case", CASES)
def test_shipped_weights_give_what_they_gave(restorer: Restorer, case: str) -> None:
    expected = json.loads(FILE.read_text("utf-8"))
    assert expected.keys() == CASES.keys(), "run python tests/test_goldens.py"
    found = figures(CASES[case](restorer, aged()))
    np.testing.assert_allclose(found, expected[case], atol=TOLERANCE, rtol=0)


def test_figures_tell_a_change_of_tone_and_one_of_detail() -> None:
    photo = aged()
    blurred = (photo.astype(int) + np.roll(photo, 1, 1) + np.roll(photo, 2, 1)) // 3
    for other in (photo.astype(int) + 3, blurred):
        assert np.abs(np.subtract(figures(other), figures(photo))).max() > TOLERANCE


if __name__ == "__main__":
    shipped = Restorer.from_pretrained("compact", device="cpu")
    made = {case: figures(run(shipped, aged())) for case, run in CASES.items()}
    lines = [f"{json.dumps(case)}: {json.dumps(made[case])}" for case in made]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
