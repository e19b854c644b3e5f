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

import click
import cv2
import numpy as np

from unfade.bench.aggregate import Aggregate
from unfade.bench.cases import Case
from unfade.bench.methods.base import Method
from unfade.bench.methods.ours import Preset
from unfade.bench.protocols.comparison import middle, written_case
from unfade.bench.protocols.photos import photos_in
from unfade.bench.runner import run_cases
from unfade.bench.sections import table_line
from unfade.config import load_toml, save_toml
from unfade.degrade import degrade
from unfade.eval.measures import DESCRIPTIONS, SET_MEASURES
from unfade.options import RestoreOptions, Task
from unfade.rng import generator
from unfade.train.controlnet import ControlnetRecipe
from unfade.train.run import train_task

NAME = "ablation"
METRICS = ("psnr", "ssim", "niqe", "alignment", "gmsd", "patch-fd")
TITLES = [{**DESCRIPTIONS, **SET_MEASURES}[name].title for name in METRICS]
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


def cases(work: Path, files: list[Path], size: int, tasks: list[Task]) -> list[Case]:
    """The degraded photos of each task, and their targets."""
    found: list[Case] = []
    for task in tasks:
        degraded = (
            (path.stem, degrade(middle(path, size), generator(0, path.stem), RECIPES[task]))
            for path in files
        )
        pairs = ((stem, pair.lq, pair.hq) for stem, pair in degraded)
        found.append(written_case(NAME, work, ("photos", task), pairs, RestoreOptions(task=task)))
    return found


def row(method: str, aggregate: Aggregate, case: Case, names: list[str]) -> str:
    """Mean and standard deviation over the results of several trainings."""
    values = np.array(
        [[aggregate.estimate([case], name, m).mean for m in METRICS] for name in names]
    )  # (seeds, metrics)
    spread = values.std(0, ddof=1) if len(values) > 1 else np.zeros(len(METRICS))
    cells = [f"{m:.4g} ± {s:.2g}" for m, s in zip(values.mean(0), spread, strict=True)]
    return table_line(method, str(len(names)), *cells)


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
@click.option("--fidelity", default=0.0, help="0 samples all steps from pure noise.")
def main(
    train: Path, data: Path, base: str, out: Path, recipe: str, start: Path | None,
    cache: Path | None, preset: str, steps: int, p_iide: str, seeds: str, count: int, size: int,
    fidelity: float,
) -> None:  # fmt: skip
    asked = load_toml(Path(recipe), ControlnetRecipe)
    asked = replace(asked, loop=replace(asked.loop, steps=steps, validate_every=steps))
    tasks: list[Task] = ["old-photo"] if asked.pairs.super_resolution == 0 else list(RECIPES)
    files = photos_in(data, count)
    methods: list[Method] = [Preset(FIRST, {"preset": preset, "strength": 0.0})]
    groups: dict[str, list[str]] = {FIRST: [FIRST]}
    for seed in (int(s) for s in seeds.split(",")):
        for p in (float(p) for p in p_iide.split(",")):
            folder = trained(out, p, seed, asked, train, base, start, cache or out / "cache")
            name = f"p_iide {p:g}, seed {seed}"
            groups.setdefault(f"p_iide {p:g}", []).append(name)
            given = {
                "strength": 1.0,
                "reach": "all",
                "fidelity": fidelity,
                "posterior_mean": fidelity,
                "vae_residual": fidelity,
            }
            methods.append(
                Preset(name, {"preset": preset, "base": base, "controlnet": str(folder), **given})
            )
    run = run_cases(cases(out / "pairs", files, size, tasks), methods, out, metrics=METRICS)
    aggregate = Aggregate(run, NAME)
    for case in run.cases:
        click.echo(f"\n{case.degradation}: {len(files)} photos, {steps} steps\n")
        click.echo(table_line("", "trainings", *TITLES))
        click.echo(table_line(*["---"] * (len(TITLES) + 2)))
        for method, names in groups.items():
            click.echo(row(method, aggregate, case, names))
    for failure in run.failures:
        click.echo(f"Error: {failure.case}, {failure.method}: {failure.error}", err=True)


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
