"""The ablation of IIDE: ControlNets that differ in p_iide alone, from the same start.

    python benchmarks/ablation.py --train PHOTOS --data PHOTOS --base PATH --out FOLDER \\
        [--recipe recipes/compact/controlnet.toml] [--steps 1500] [--seeds 0,1,2]

p_iide is the chance that a training sample keeps its photo as the condition (arXiv 2505.18674,
III-C): 1 is plain ControlNet training, at 0 every sample sees its own estimate. Within a seed the
photos, degradations, noise and initial weights are the same for all of them. Each ControlNet then
restores the middles of held-out photos from pure noise (strength 1), after the first stage of
--preset and without a CFW: old photos (moderate damage) and four times smaller ones (real-sr).
The table has means over photos, then mean and standard deviation over seeds.

What is trained and measured is kept in FOLDER; run again, it goes on where it stopped.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
from old_photo import picked, whole
from scoring import begin, keep, middle, sheet, summary_of

from unfade import Restorer
from unfade.config import load_toml, save_toml
from unfade.degrade import degrade
from unfade.eval.summary import Summary
from unfade.options import Task
from unfade.rng import generator
from unfade.train.controlnet import ControlnetRecipe
from unfade.train.run import train_task

METRICS = ("psnr", "ssim", "niqe", "alignment", "gmsd", "patch-fd")
TITLES = ("PSNR (dB)", "SSIM", "NIQE", "Alignment", "GMSD", "Patch Fréchet")
RECIPES: dict[Task, str] = {"old-photo": "old-photo", "super-resolution": "real-sr"}
FIRST = "first stage"


def trained(
    out: Path, p_iide: float, seed: int, recipe: ControlnetRecipe, train: Path, base: str,
    start: Path | None, cache: Path,
) -> Path:  # fmt: skip
    """The ControlNet of one cell of the table, trained or gone on with."""
    run = out / "runs" / f"p{p_iide:g}-seed{seed}"
    run.mkdir(parents=True, exist_ok=True)
    own = replace(recipe, p_iide=p_iide, loop=replace(recipe.loop, seed=seed))
    save_toml(run / "asked.toml", own)
    if not (run / "done").exists():

        def told(done: int, total: int, figures: dict[str, float]) -> None:
            if done % 50 == 0 or done == total:
                loss = figures.get("loss", float("nan"))
                click.echo(f"\r{run.name} {done}/{total} {loss:.4f}", err=True, nl=done == total)

        train_task(
            "controlnet", train, run, run / "asked.toml", base=base, start=start, cache=cache,
            progress=told,
        )  # fmt: skip
        (run / "done").touch()
    return run / "controlnet"


def inputs(out: Path, files: list[Path], size: int, task: Task) -> None:
    """Makes the degraded photos of a task, and their targets."""
    for path in files:
        pair = degrade(middle(path, size), generator(0, path.stem, 0), RECIPES[task])
        keep(out / task / "clean" / f"{path.stem}.png", lambda hq=pair.hq: hq)
        keep(out / task / "input" / f"{path.stem}.png", lambda lq=pair.lq: lq)


def restore(out: Path, method: str, restorer: Restorer, strength: float, task: Task) -> None:
    """What a method makes of the inputs of a task."""
    how: dict[str, Any] = {"task": task, "strength": strength}
    if strength > 0:
        how["reach"] = "all"
    for path in sorted((out / task / "input").glob("*.png")):
        keep(
            out / task / method / path.name,
            lambda path=path: whole(restorer.restore(path, **how).image),
        )


def row(method: str, found: Summary, names: list[str]) -> str:
    """Mean and standard deviation over the results of several trainings."""
    values = np.array(
        [
            [*(found.means[n][m].mean for m in METRICS[:-1]), found.distances[n].values["patch-fd"]]
            for n in names
        ]
    )  # (seeds, metrics)
    spread = values.std(0, ddof=1) if len(values) > 1 else np.zeros(len(METRICS))
    cells = [f"{m:.4g} ± {s:.2g}" for m, s in zip(values.mean(0), spread, strict=True)]
    return f"| {method} | {len(names)} | " + " | ".join(cells) + " |"


@click.command(help=__doc__)
@click.option("--train", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--base", required=True, help="The frozen base model.")
@click.option("--out", required=True, type=click.Path(path_type=Path))
@click.option("--recipe", default="recipes/compact/controlnet.toml", type=click.Path(exists=True))
@click.option("--start", type=click.Path(exists=True, path_type=Path), help="A ControlNet.")
@click.option("--cache", type=click.Path(path_type=Path), help="Latents, to be shared.")
@click.option("--preset", default="compact", help="Of the first stage.")
@click.option("--steps", default=1500, help="Of each training.")
@click.option("--p-iide", default="0,0.5,1")
@click.option("--seeds", default="0,1,2")
@click.option("--count", default=24, help="Held-out photos.")
@click.option("--size", default=256)
def main(
    train: Path, data: Path, base: str, out: Path, recipe: str, start: Path | None,
    cache: Path | None, preset: str, steps: int, p_iide: str, seeds: str, count: int, size: int,
) -> None:  # fmt: skip
    asked = load_toml(Path(recipe), ControlnetRecipe)
    loop = replace(asked.loop, steps=steps, show_every=steps)
    asked = replace(asked, loop=loop)
    begin(
        out, {"recipe": asked, "start": start, "base": base, "size": size, "count": count}, preset
    )
    tasks: list[Task] = ["old-photo"] if asked.pairs.super_resolution == 0 else list(RECIPES)
    files = picked(data, count)
    plain = Restorer.from_pretrained(preset)
    for task in tasks:
        inputs(out, files, size, task)
        restore(out, FIRST, plain, 0.0, task)
    groups: dict[str, list[str]] = {}
    for seed in (int(s) for s in seeds.split(",")):
        for p in (float(p) for p in p_iide.split(",")):
            folder = trained(out, p, seed, asked, train, base, start, cache or out / "cache")
            restorer = Restorer.from_pretrained(preset, base=base, controlnet=folder)
            name = f"p_iide {p:g}, seed {seed}"
            groups.setdefault(f"p_iide {p:g}", []).append(name)
            for task in tasks:
                restore(out, name, restorer, 1.0, task)
    for task in tasks:
        methods = [FIRST, *(name for names in groups.values() for name in names)]
        folders = {method: out / task / method for method in methods}
        found, _ = summary_of(folders, out / task / "clean", METRICS)
        click.echo(f"\n{task}: {len(files)} photos, {steps} steps\n")
        click.echo("| | trainings | " + " | ".join(TITLES) + " |\n" + "| --- " * 8 + "|")
        for method, names in ({FIRST: [FIRST]} | groups).items():
            click.echo(row(method, found, names))
        shown = [f.stem for f in files[:: max(1, len(files) // 6)]][:6]
        columns = [*folders.values(), out / task / "clean"]
        sheet(out / f"{task}.png", columns, shown, 192)


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
