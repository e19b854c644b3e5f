"""Seconds per megapixel, by stage, of `unfade restore`, and start-up.

    python benchmarks/restore_speed.py [--side 1000] [--repeats 5]

The photo is scikit-image's astronaut, aged and enlarged. The classical pipeline is timed in the
same run, in turn with ours, so that the ratio holds on a machine whose speed drifts.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import click
import cv2
import numpy as np
from skimage.data import astronaut

from unfade.degrade import degrade
from unfade.eval.classical import classical
from unfade.imaging import Metadata, Photo
from unfade.pipeline.first_stage import FirstStage
from unfade.rng import generator

START = "from unfade.pipeline.first_stage import FirstStage; FirstStage.from_pretrained('compact')"


@click.command(help=__doc__)
@click.option("--side", default=1000)
@click.option("--repeats", default=5)
@click.option("--tile", default=1024)
def main(side: int, repeats: int, tile: int) -> None:
    clean = cv2.resize(astronaut(), (side, side), interpolation=cv2.INTER_CUBIC)
    aged = degrade(clean.astype(np.float32) / np.float32(255), generator(0, "speed"))
    native = np.rint(aged.lq * 255).astype(np.uint8)
    photo = Photo(native, None, Metadata(exif=None, icc=None, xmp=None, dpi=None, format="PNG"))
    mender = FirstStage.from_pretrained("compact")
    seconds: dict[str, list[float]] = {"detect": [], "mend": [], "both": [], "classical": []}
    for turn in range(repeats + 1):
        a = time.perf_counter()
        mask = mender.detect(photo, tile=tile)
        b = time.perf_counter()
        mender.restore(photo, mask, only_damage=False, tone="auto", tile=tile, threshold=None)
        c = time.perf_counter()
        classical(native, (mask > 127).astype(np.uint8))
        d = time.perf_counter()
        if turn:
            for name, value in zip(seconds, (b - a, c - b, c - a, d - c), strict=True):
                seconds[name].append(value / (side * side / 1e6))
    for name, values in seconds.items():
        click.echo(
            f"{name}: {statistics.median(values):.2f} s/MP ({min(values):.2f} to {max(values):.2f})"
        )
    ratios = [b / c for b, c in zip(seconds["both"], seconds["classical"], strict=True)]
    click.echo(f"ours / classical: {statistics.median(ratios):.2f}")
    starts: list[float] = []
    for _ in range(3):
        a = time.perf_counter()
        subprocess.run([sys.executable, "-c", START], check=True)
        starts.append(time.perf_counter() - a)
    click.echo(f"start-up to loaded weights: {statistics.median(starts):.2f} s")


if __name__ == "__main__":
    main()
