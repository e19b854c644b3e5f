"""Crops of 256 px aged in a second, on all cores.

python benchmarks/degrade_speed.py [--crops 400]
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ProcessPoolExecutor

import click
import cv2
import numpy as np

from unfade.degrade import degrade
from unfade.rng import generator


def clean(side: int) -> np.ndarray:
    """A photo-like picture from scikit-image, (side, side, 3)."""
    from skimage.data import astronaut

    return np.ascontiguousarray(astronaut()[:side, 100 : 100 + side], np.float32) / np.float32(255)


def age(numbers: range, recipe: str) -> int:
    """Ages one crop for each number."""
    cv2.setNumThreads(1)
    photo = clean(256)
    for number in numbers:
        degrade(photo, generator(0, "speed", number), recipe)
    return len(numbers)


@click.command(help=__doc__)
@click.option("--crops", default=400)
def main(crops: int) -> None:
    workers = os.cpu_count() or 1
    parts = [
        range(i * crops // (4 * workers), (i + 1) * crops // (4 * workers))
        for i in range(4 * workers)
    ]
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(age, [range(2)] * workers, ["old-photo"] * workers))
        for recipe in ("old-photo", "real-sr"):
            began = time.perf_counter()
            done = sum(pool.map(age, parts, [recipe] * len(parts)))
            seconds = time.perf_counter() - began
            click.echo(f"{recipe}: {done / seconds:.0f} crops/s on {workers} cores")


if __name__ == "__main__":
    main()
