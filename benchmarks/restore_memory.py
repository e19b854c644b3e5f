"""Peak resident memory and time of `unfade restore` on a large TIFF, and the seams of tiles.

python benchmarks/restore_memory.py [--megapixels 100] [--depth 8]
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import cv2
import numpy as np
import tifffile
from skimage.data import astronaut

from unfade.degrade import degrade
from unfade.imaging import Metadata, Photo
from unfade.pipeline.first_stage import FirstStage
from unfade.rng import generator


def seams() -> None:
    """Largest differences between a tiled and an untiled run of one photo."""
    clean = cv2.resize(astronaut(), (1100, 1100), interpolation=cv2.INTER_CUBIC)
    aged = degrade(clean.astype(np.float32) / np.float32(255), generator(1, "seams"))
    native = np.rint(aged.lq * 65535).astype(np.uint16)
    photo = Photo(native, None, Metadata(exif=None, icc=None, xmp=None, dpi=None, format="TIFF"))
    mender = FirstStage.from_pretrained("compact")
    results: list[np.ndarray] = []
    for tile in (2048, 512):
        mask = mender.detect(photo, tile=tile)
        done = mender.restore(
            photo, mask, only_damage=False, tone="auto", tile=tile, threshold=None
        )
        results.append(done.native.astype(np.float32) / 65535)
    gap = np.abs(results[0] - results[1]).max(2) * 255
    click.echo(
        f"tiled against untiled, in 1/255: 99.9th percentile {np.percentile(gap, 99.9):.3f}, "
        f"largest {gap.max():.3f}"
    )


def large(megapixels: float, depth: int) -> None:
    """Writes a large TIFF and restores it in a process of its own."""
    side = int((megapixels * 1e6) ** 0.5)
    dtype, top = (np.uint8, 1) if depth == 8 else (np.uint16, 257)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "large.tif"
        picture = cv2.resize(astronaut(), (side, side), interpolation=cv2.INTER_CUBIC)
        tifffile.imwrite(source, picture.astype(dtype) * dtype(top), photometric="rgb",
                         compression="zlib")  # fmt: skip
        del picture
        began = time.perf_counter()
        out = Path(folder) / "out.tif"
        command = [sys.executable, "-m", "unfade", "restore", str(source), "-o", str(out)]
        subprocess.run(command, check=True)
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    click.echo(f"{side}x{side}, {depth} bit: {seconds:.0f} s, peak resident memory {peak:.2f} GiB")


@click.command(help=__doc__)
@click.option("--megapixels", default=100.0)
@click.option("--depth", type=click.Choice(["8", "16"]), default="8")
def main(megapixels: float, depth: str) -> None:
    large(megapixels, int(depth))
    seams()


if __name__ == "__main__":
    main()
