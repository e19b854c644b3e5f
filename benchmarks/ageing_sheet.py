"""Draws aged photos and real old ones side by side, to tell apart by eye.

python benchmarks/ageing_sheet.py --clean PHOTOS --real OLD_PHOTOS -o sheet.png
"""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import numpy as np

from unfade.degrade import degrade
from unfade.imaging import read_photo
from unfade.rng import generator


def square(path: Path, side: int) -> np.ndarray:
    """The middle of a photo, (side, side, 3) float32."""
    photo = read_photo(path)
    rgb = photo.srgb(slice(0, photo.height), slice(0, photo.width))
    factor = side / min(rgb.shape[:2])
    mode = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    rgb = cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=mode)
    y, x = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
    return np.clip(rgb[y : y + side, x : x + side], 0, 1)


@click.command(help=__doc__)
@click.option("--clean", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--real", type=click.Path(exists=True, path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path))
@click.option("--severity", default="moderate", show_default=True)
@click.option("--count", default=20, show_default=True)
@click.option("--side", default=256, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--masks", is_flag=True, help="Show the true mask beside each aged photo.")
def main(
    clean: Path, real: Path | None, out: Path, severity: str, count: int, side: int, seed: int,
    masks: bool,
) -> None:  # fmt: skip
    files = sorted(clean.iterdir())
    files = [f for f in files if f.suffix.lower() in (".jpg", ".png")]
    cells: list[np.ndarray] = []
    for number, path in enumerate(files[:: max(1, len(files) // count)][:count]):
        pair = degrade(square(path, side), generator(seed, "sheet", number), level=severity)
        cells.append(pair.lq)
        if masks:
            cells.append(np.repeat(pair.mask[..., None], 3, 2))
    if real is not None:
        cells += [square(p, side) for p in sorted(real.iterdir()) if p.suffix != ".json"]
        order = (
            generator(seed, "shuffle").permutation(len(cells)) if not masks else range(len(cells))
        )
        cells = [cells[i] for i in order]
    columns = 6
    cells += [np.ones((side, side, 3), np.float32)] * (-len(cells) % columns)
    rows = [np.concatenate(cells[i : i + columns], 1) for i in range(0, len(cells), columns)]
    sheet = np.rint(np.concatenate(rows, 0) * 255).astype(np.uint8)
    cv2.imwrite(str(out), np.ascontiguousarray(sheet[..., ::-1]))


if __name__ == "__main__":
    main()
