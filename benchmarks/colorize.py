"""Colourising: how far the colours are from the photo's own, and whether a prompt moves them.

    python benchmarks/colorize.py --data PHOTOS --train PHOTOS --out FOLDER [--preset PATH]

First, held-out photos with a caption, whole, at a short side of 256 px: their gray versions
(Rec. 709 luma), these with one chroma (the mean of the photos in --train), and coloured without
a prompt, with the photo's first caption, and with its own colours named by region. CIEDE2000
counts lightness as well, the chroma error (Lab's a and b) does not.

Then pairs of prompts that differ in one colour word, on any photo: captions with one colour
word, where the region is what has that colour in the photo, and phrases such as "green at the
bottom". Both run from the same noise. The word moves its region the right way where the mean
(a, b) there goes, from one result to the other, in the direction from the one colour to the other
(within 90 degrees). Chance is 50 %.

Results are kept in FOLDER; run again, it goes on. FOLDER/sheet.png and FOLDER/pairs.png show them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import click
import cv2
import numpy as np
import torch
from colour_pairs import Pair, caption_pairs, direction, draw_pairs, phrase_pairs
from old_photo import picked, whole
from scoring import begin, keep, sheet, summary_of

from unfade import Restorer
from unfade.data.captions import colour_map, phrases
from unfade.data.sources import load_photos
from unfade.degrade.ops import luma
from unfade.eval.colour import lab
from unfade.eval.evaluation import read_rgb
from unfade.eval.images import Image
from unfade.options import Auto
from unfade.pipeline.colour import from_lab, with_luminance
from unfade.rng import generator

METRICS = ("colourfulness", "ciede2000", "chroma")
SIDE = 256
T = TypeVar("T")
CELL = 8  # pixels to a cell of colour names
SEEN = 400  # photos that the mean chroma is taken from


def captions_of(folder: Path) -> dict[str, list[str]]:
    """File name -> captions, from captions.jsonl beside the photos."""
    lines = (folder / "captions.jsonl").read_text("utf-8").splitlines()
    return {row["file"]: row["captions"] for row in map(json.loads, lines)}


def scene(path: Path) -> Image:
    """(H, W, 3): a photo, its short side at most 256 px."""
    image = read_rgb(path)
    factor = min(1.0, SIDE / min(image.shape[:2]))
    size = (round(factor * image.shape[1]), round(factor * image.shape[0]))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)


def spread(items: Sequence[T], count: int) -> list[T]:
    """At most so many of them, evenly spread."""
    places = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[i] for i in places]


def names_of(image: Image) -> np.ndarray:
    """(h, w): the name of each cell's colour."""
    return colour_map(image, image.shape[0] // CELL, image.shape[1] // CELL)


def mean_chroma(folder: Path) -> tuple[float, float]:
    """The mean of Lab's a and b over photos spread evenly over a folder or its shards."""
    photos = load_photos(folder)
    found = [
        lab(photo.decode()).mean((0, 1))[1:] for photo in photos[:: max(1, len(photos) // SEEN)]
    ]
    a, b = np.mean(found, 0)
    return float(a), float(b)


def toned(gray: Image, chroma: tuple[float, float]) -> Image:
    """One chroma on the luminance of a gray picture (H, W, 3)."""
    light = torch.from_numpy(gray).permute(2, 0, 1)[None]  # (1, 3, H, W)
    colour = from_lab(torch.tensor([60.0, *chroma]).view(1, 3, 1, 1)).expand_as(light)
    return with_luminance(colour, light)[0].permute(1, 2, 0).numpy()


def rate(pairs: Sequence[Pair], shifts: Sequence[float], kind: str) -> str:
    """A line of the table of pairs."""
    own = np.array([s for p, s in zip(pairs, shifts, strict=True) if kind in ("all", p.kind)])
    if not len(own):
        return f"| {kind} | 0 | – | – | – |"
    right, sure = (own > 0).mean(), (own > 2).mean()
    return f"| {kind} | {len(own)} | {right:.0%} | {sure:.0%} | {np.median(own):+.2f} |"


@click.command(help=__doc__)
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--train", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path))
@click.option("--preset", default="compact")
@click.option("--count", default=50, help="Photos with a caption.")
@click.option("--pairs", default=40)
@click.option("--seed", default=0)
@click.option("--steps", default="auto", help="A number, or auto: the preset's own.")
@click.option("--guidance", default=4.0)
def main(
    data: Path, train: Path, out: Path, preset: str, count: int, pairs: int, seed: int,
    steps: str, guidance: float,
) -> None:  # fmt: skip
    taken: int | Auto = "auto" if steps == "auto" else int(steps)
    settings = {"seed": seed, "steps": steps, "guidance": guidance, "count": count, "pairs": pairs}
    begin(out, settings, preset)
    restorer = Restorer.from_pretrained(preset)

    def coloured(path: Path, prompt: str) -> Image:
        done = restorer.restore(
            path, task="colorize", mask="none", prompt=prompt, seed=seed, steps=taken,
            guidance=guidance if prompt else None,
        )  # fmt: skip
        return whole(done.image)

    captions = captions_of(data)
    files = picked(data, 1 << 20)
    for path in files:
        photo = keep(out / "photo" / f"{path.stem}.png", lambda path=path: scene(path))
        gray = luma(read_rgb(photo))[..., None].repeat(3, 2)
        keep(out / "gray" / photo.name, lambda gray=gray: gray)
    told = [path for path in files if captions.get(path.name)]
    told = [
        told[i] for i in np.unique(np.linspace(0, len(told) - 1, min(count, len(told)), dtype=int))
    ]
    errors(out, told, captions, mean_chroma(train), coloured, seed)
    photos = {path.stem: out / "photo" / f"{path.stem}.png" for path in files}
    hinted(out, photos, {Path(f).stem: c for f, c in captions.items()}, pairs, coloured, seed)


def errors(
    out: Path, files: Sequence[Path], captions: dict[str, list[str]],
    chroma: tuple[float, float], coloured: Callable[[Path, str], Image], seed: int,
) -> None:  # fmt: skip
    """The table of colour errors."""
    methods = ("gray", "mean colour", "no prompt", "caption", "colours named")
    for number, path in enumerate(files):
        name = f"{path.stem}.png"
        gray, photo = out / "gray" / name, read_rgb(out / "photo" / name)
        named = phrases(names_of(photo), generator(seed, "named", number))
        prompts = ("", captions[path.name][0], named)
        keep(out / "clean" / name, lambda photo=photo: photo)
        keep(out / "of gray" / name, lambda gray=gray: read_rgb(gray))
        keep(out / "mean colour" / name, lambda gray=gray: toned(read_rgb(gray), chroma))
        for method, prompt in zip(methods[2:], prompts, strict=True):
            keep(out / method / name, lambda gray=gray, prompt=prompt: coloured(gray, prompt))
    click.echo(
        f"\n{len(files)} photos with a caption; mean chroma {chroma[0]:.1f}, {chroma[1]:.1f}\n"
    )
    folders = {m: out / ("of gray" if m == "gray" else m) for m in methods}
    folders["the photo"] = out / "clean"
    for against in ("gray", "mean colour"):
        click.echo(summary_of(folders, out / "clean", METRICS, against=against)[1])
    shown = [path.stem for path in files][:: max(1, len(files) // 10)][:10]
    sheet(out / "sheet.png", [*folders.values()], shown)


def hinted(
    out: Path, photos: dict[str, Path], captions: dict[str, list[str]], count: int,
    coloured: Callable[[Path, str], Image], seed: int,
) -> None:  # fmt: skip
    """The table of pairs of prompts, and their sheet."""
    found: list[list[Pair]] = [[], []]
    for number, (stem, path) in enumerate(photos.items()):
        names = names_of(read_rgb(path))
        rng = generator(seed, "pairs", number)
        found[0] += caption_pairs(stem, captions.get(stem, []), names, rng)[:1]
        found[1] += phrase_pairs(stem, names, rng)[:1]
    said = found[0][: count // 2]
    taken = {pair.photo for pair in said}
    rest = [pair for pair in found[1] if pair.photo not in taken]
    pairs = [*said, *spread(rest, count - len(said))]
    shifts: list[float] = []
    lines: list[tuple[Pair, float, list[Image]]] = []
    for number, pair in enumerate(pairs):
        gray = out / "gray" / f"{pair.photo}.png"
        made = [
            keep(
                out / "pairs" / f"{number:02d}-{pair.photo}-{word}.png",
                lambda prompt=prompt, gray=gray: coloured(gray, prompt),
            )
            for word, prompt in zip(pair.words, pair.prompts, strict=True)
        ]  # fmt: skip
        one, other = (read_rgb(path) for path in made)
        inside = cv2.resize(pair.region.astype(np.uint8), one.shape[1::-1], interpolation=0) > 0
        moved = (lab(other)[inside] - lab(one)[inside]).mean(0)[1:]
        shifts.append(float(moved @ direction(*pair.words)))
        lines.append((pair, shifts[-1], [read_rgb(gray), one, other, read_rgb(photos[pair.photo])]))
    click.echo(
        f"\n{len(pairs)} pairs of prompts; shifts in Lab's (a, b) along the words' direction\n"
    )
    click.echo("| prompts | pairs | right way | by more than 2 | median shift |")
    click.echo("| --- | --- | --- | --- | --- |")
    for kind in ("all", "caption", "phrase"):
        click.echo(rate(pairs, shifts, kind))
    draw_pairs(out / "pairs.png", lines)


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
