"""Enlarging four times, on held-out photos, against interpolation.

    python benchmarks/super_resolution.py --data PHOTOS [--count 60] [--seed 0] [--strength S]

Crops of 256 px from the middle of photos that have them, made small in two ways: "one round" is
blur (sigma 1.2), a quarter of the size (area), noise (sigma 8/255) and JPEG 60; "real-sr" is the
second-order recipe. Every figure comes from one run on the same inputs. RGB, data range 1, no
border cropped, means over photos; results rounded to 8 bits. Seconds are of whole calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import click
import cv2
import numpy as np

from unfade import Restorer
from unfade.degrade import kernels, ops
from unfade.degrade.second_order import real_sr
from unfade.errors import InputError
from unfade.eval.distances import standardised
from unfade.eval.images import Image, Protocol
from unfade.eval.measures import NAMES, SET_MEASURES, measures
from unfade.eval.patches import patch_statistics
from unfade.imaging import read_photo
from unfade.options import Auto
from unfade.rng import generator

SIZE, SCALE = 256, 4


def one_round(hq: Image, rng: np.random.Generator) -> Image:
    """(H, W, 3) -> (H / 4, W / 4, 3)."""
    x = kernels.apply(hq, kernels.gaussian(9, 1.2, 1.2))
    x = ops.resize(x, hq.shape[0] // SCALE, hq.shape[1] // SCALE, "area")
    return ops.jpeg(ops.gaussian_noise(x, 8 / 255, False, rng), 60)


def second_order(hq: Image, rng: np.random.Generator) -> Image:
    """(H, W, 3) -> (H / 4, W / 4, 3)."""
    return np.asarray(real_sr(hq, rng, SCALE).lq)


def crops(folder: Path, count: int) -> list[Image]:
    """(256, 256, 3) each, of photos spread evenly over the sorted names."""
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".jpg", ".png"))
    found: list[Image] = []
    for path in files:
        photo = read_photo(path)
        if min(photo.height, photo.width) >= SIZE:
            y, x = (photo.height - SIZE) // 2, (photo.width - SIZE) // 2
            found.append(photo.srgb(slice(y, y + SIZE), slice(x, x + SIZE)))
    places = np.unique(np.linspace(0, len(found) - 1, min(count, len(found))).round().astype(int))
    return [found[i] for i in places]


def rounded(image: Image) -> Image:
    """As 8 bits hold it."""
    return np.asarray(np.rint(image * 255) / 255, np.float32)


def interpolated(mode: int) -> Callable[[Image], Image]:
    """A method by OpenCV's resize."""

    def method(lq: Image) -> Image:
        large = cv2.resize(lq, None, fx=SCALE, fy=SCALE, interpolation=mode)
        return np.clip(large, 0, 1).astype(np.float32)

    return method


def restored(
    restorer: Restorer, strength: float | Auto, fidelity: float | Auto
) -> Callable[[Image], Image]:
    """A method by our own preset."""

    def method(lq: Image) -> Image:
        native = np.rint(lq * 255).astype(np.uint8)
        out = restorer.restore(
            native, task="super-resolution", scale=SCALE, strength=strength, fidelity=fidelity
        )
        return np.divide(out.image.native, 255, dtype=np.float32)

    return method


@click.command(help=__doc__)
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--preset", default="compact")
@click.option("--count", default=60)
@click.option("--seed", default=0)
@click.option("--strength", default="0", help="Of our own, with commas between several.")
@click.option("--fidelity", default="auto")
def main(data: Path, preset: str, count: int, seed: int, strength: str, fidelity: str) -> None:
    restorer = Restorer.from_pretrained(preset)
    methods = {
        "bicubic": interpolated(cv2.INTER_CUBIC),
        "lanczos": interpolated(cv2.INTER_LANCZOS4),
    }
    for value in strength.split(","):
        own = "auto" if value == "auto" else float(value)
        faith = "auto" if fidelity == "auto" or own == 0 else float(fidelity)
        methods[f"unfade, strength {value}"] = restored(restorer, own, faith)
    photos = crops(data, count)
    known = measures([n for n in NAMES if n not in SET_MEASURES], Protocol("rgb", 0))
    of_sets = [SET_MEASURES[name] for name in NAMES if name in SET_MEASURES]
    for name, degrade in (("one round", one_round), ("real-sr", second_order)):
        click.echo(f"\n{name}: {len(photos)} crops of {SIZE} px, seed {seed}\n")
        titles = [m.title for m in known.values()] + [m.title for m in of_sets]
        click.echo("| method | " + " | ".join(titles) + " | s/megapixel |")
        click.echo("| --- " * (len(titles) + 2) + "|")
        small = [rounded(degrade(hq, generator(seed, name, i))) for i, hq in enumerate(photos)]
        clean = np.concatenate([patch_statistics(hq) for hq in photos])
        for method, enlarge in methods.items():
            enlarge(small[0])  # what is loaded once does not count
            begun = time.perf_counter()
            large = [enlarge(lq) for lq in small]
            seconds = (time.perf_counter() - begun) / (len(photos) * SIZE**2 / 1e6)
            large = [rounded(x) for x in large]
            cells = [
                f"{np.mean(scores(m.score, large, photos)):.{m.digits}f}" for m in known.values()
            ]
            features = standardised(np.concatenate([patch_statistics(x) for x in large]), clean)
            own = standardised(clean, clean)
            cells += [f"{m.distance(features, own):.{m.digits}f}" for m in of_sets]
            click.echo(f"| {method} | " + " | ".join(cells) + f" | {seconds:.2f} |")


def scores(
    score: Callable[[Image, Image], float], large: list[Image], photos: list[Image]
) -> list[float]:
    """Of the photos that can be scored so."""
    found: list[float] = []
    for image, target in zip(large, photos, strict=True):
        try:
            found.append(score(image, target))
        except InputError:
            continue
    return found


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
