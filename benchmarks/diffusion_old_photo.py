"""Old photos with the diffusion model: does it earn its place over the first stage alone?

    python benchmarks/diffusion_old_photo.py --data PHOTOS --out FOLDER [--preset PATH]

The middles of held-out photos are aged by the old-photo recipe, with a fixed seed, and mended by
the classical pipeline, by the first stage alone and by the diffusion model after it, at each
strength and fidelity. The target is the recipe's: gray where ageing took all colour. RGB, data
range 1, no border cropped; means over photos with 95 % intervals. NIQE is of the model that is
shipped; the patch distances are between all patches of 64 px of the results and of the targets.
Results are kept in FOLDER; run again, it goes on. FOLDER/sheet.png shows some of them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import cv2
import numpy as np
from old_photo import picked, whole
from scoring import begin, keep, middle, sheet, summary_of

from unfade import Restorer
from unfade.degrade import degrade
from unfade.eval.classical import classical
from unfade.eval.images import Image
from unfade.eval.summary import Summary
from unfade.options import REACHES, Auto, Reach
from unfade.rng import generator

METRICS = ("psnr", "ssim", "gmsd", "alignment", "niqe", "patch-fd", "patch-kd")
FIRST = "first stage"


def number(text: str) -> float | Auto:
    """ "auto" or a number."""
    return "auto" if text == "auto" else float(text)


def old_school(restorer: Restorer, path: Path) -> Image:
    """The classical pipeline with our detector's mask."""
    lq = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert lq is not None
    rgb = np.ascontiguousarray(lq[..., ::-1], np.uint8)
    return classical(rgb, restorer.detect(path)).astype(np.float32) / np.float32(255)


def diffused(
    restorer: Restorer, strength: float | Auto, fidelity: float | Auto, reach: Reach,
    steps: int | Auto, seed: int,
) -> Callable[[Path], Image]:  # fmt: skip
    """A method by the diffusion model."""

    def method(path: Path) -> Image:
        out = restorer.restore(
            path, strength=strength, fidelity=fidelity, reach=reach, steps=steps, seed=seed
        )  # fmt: skip
        return whole(out.image)

    return method


def verdict(found: Summary, variants: list[str]) -> None:
    """Variants less the first stage.

    One earns its place that is better by both perceptual measures, and not behind in PSNR at
    fidelity 1, else by 1 dB at most.
    """
    click.echo("\n| less the first stage | NIQE | patch Fréchet | PSNR (dB) | earns its place |")
    click.echo("| --- | --- | --- | --- | --- |")

    def row(method: str) -> tuple[float, float, float]:
        means = found.means[method]
        return means["niqe"].mean, found.distances[method].values["patch-fd"], means["psnr"].mean

    niqe, distance, psnr = row(FIRST)
    for name in variants:
        own = row(name)
        least = psnr if name.endswith("fidelity 1") else psnr - 1
        better = own[0] < niqe and own[1] < distance and own[2] >= least
        click.echo(
            f"| {name} | {own[0] - niqe:+.3f} | {own[1] - distance:+.3f} | {own[2] - psnr:+.2f} "
            f"| {'yes' if better else 'no'} |"
        )


@click.command(help=__doc__)
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path))
@click.option("--preset", default="compact")
@click.option("--count", default=30)
@click.option("--size", default=256, help="Side of the middles, pixels; 0 takes whole photos.")
@click.option("--seed", default=0)
@click.option("--level", default="moderate")
@click.option("--strength", default="auto,0.2,0.4", help="With commas between several.")
@click.option("--fidelity", default="0.5,1")
@click.option("--reach", default="damage", type=click.Choice(REACHES))
@click.option("--steps", default="auto")
def main(
    data: Path, out: Path, preset: str, count: int, size: int, seed: int, level: str,
    strength: str, fidelity: str, reach: Reach, steps: str,
) -> None:  # fmt: skip
    settings = {
        "size": size, "seed": seed, "level": level, "reach": reach, "steps": steps, "count": count
    }  # fmt: skip
    begin(out, settings, preset)
    restorer = Restorer.from_pretrained(preset)
    methods: dict[str, Callable[[Path], Image]] = {
        "classical": lambda path: old_school(restorer, path),
        FIRST: lambda path: whole(restorer.restore(path, strength=0).image),
    }
    taken = "auto" if steps == "auto" else int(steps)
    for s in strength.split(","):
        for f in fidelity.split(","):
            methods[f"strength {s}, fidelity {f}"] = diffused(
                restorer, number(s), number(f), reach, taken, seed
            )
    files = picked(data, count)
    for path in files:
        pair = degrade(
            middle(path, size or 1 << 20), generator(seed, path.stem, 0), level=level
        )  # fmt: skip
        name = f"{path.stem}.png"
        keep(out / "clean" / name, lambda hq=pair.hq: hq)
        lq = keep(out / "input" / name, lambda lq=pair.lq: lq)
        for method, mend in methods.items():
            keep(out / method / name, lambda mend=mend, lq=lq: mend(lq))
    click.echo(f"\n{len(files)} photos of {data.name}, {settings}\n")
    folders = {method: out / method for method in ("input", *methods)}
    found, tables = summary_of(folders, out / "clean", METRICS, against=FIRST)
    click.echo(tables)
    verdict(found, [m for m in methods if m.startswith("strength")])
    shown = [path.stem for path in files][:: max(1, len(files) // 8)][:8]
    sheet(out / "sheet.png", [*folders.values(), out / "clean"], shown)


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
