"""The ablations of IIDE: ControlNets that differ in p_iide, width or depth, from the same start.

    python benchmarks/ablation.py --train PHOTOS --data PHOTOS --base PATH --out FOLDER \\
        [--recipe recipes/compact/controlnet.toml] [--steps 1500] [--seeds 0,1,2]
    ... --p-iide 0.5 --widths 64-128-160,32-64-80,16-32-48 --layers 1,2

p_iide is the chance that a training sample keeps its photo as the condition (arXiv 2505.18674,
III-C): 1 is plain ControlNet training, at 0 every sample sees its own estimate. Within a seed the
photos, degradations, noise and initial weights are the same for all of them. Each ControlNet then
restores the middles of held-out photos from pure noise (strength 1), after the first stage of
--preset and without a CFW: old photos (moderate damage) and four times smaller ones (real-sr).
The table has means over photos of every metric that is at hand, then mean and standard deviation
over seeds. A second one has the loss on held-out photos on the way: how fast each converges.

Widths and layers are those of the ControlNet at each level; by default they are the UNet's, and
the ControlNet starts as the UNet's encoder with zero convolutions. At another size it starts from
random weights with zero convolutions. With --start all start from one that was trained before.

What is trained and measured is kept in FOLDER; run again, it goes on where it stopped.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import product
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
from unfade.bench.tables.base import weighted_metrics
from unfade.config import load_toml, save_toml
from unfade.degrade import degrade
from unfade.eval.measures import DESCRIPTIONS, NAMES, SET_MEASURES
from unfade.models.folder import load_controlnet
from unfade.options import RestoreOptions, Task
from unfade.rng import generator
from unfade.train.controlnet import ControlnetRecipe
from unfade.train.run import train_task

NAME = "ablation"
#: Those that need no download, and those whose weights are there.
METRICS = (*NAMES, *weighted_metrics())
TITLES = [{**DESCRIPTIONS, **SET_MEASURES}[name].title for name in METRICS]
RECIPES: dict[Task, str] = {"old-photo": "old-photo", "super-resolution": "real-sr"}
FIRST = "first stage"


@dataclass(frozen=True)
class Variant:
    """One ControlNet of the ablation. No widths and 0 layers are the UNet's."""

    p_iide: float
    widths: tuple[int, ...]
    layers: int

    @property
    def name(self) -> str:
        """Of its row, and of the folder of its training."""
        parts = [f"p_iide {self.p_iide:g}"]
        parts += [f"widths {'-'.join(map(str, self.widths))}"] if self.widths else []
        parts += [f"layers {self.layers}"] if self.layers else []
        return ", ".join(parts)


def trained(
    out: Path, variant: Variant, seed: int, recipe: ControlnetRecipe, train: Path, base: str,
    start: Path | None, cache: Path,
) -> Path:  # fmt: skip
    """The run folder of one training, made or gone on with."""
    run = out / "runs" / f"{variant.name.replace(', ', '-').replace(' ', '')}-seed{seed}"
    run.mkdir(parents=True, exist_ok=True)
    own = replace(
        recipe, p_iide=variant.p_iide, block_widths=list(variant.widths),
        block_layers=variant.layers, loop=replace(recipe.loop, seed=seed),
    )  # fmt: skip
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
    return run


def convergence(runs: dict[str, list[Path]]) -> list[str]:
    """Lines of a table: the loss on held-out photos by step, the mean over seeds."""
    shown: dict[str, dict[int, float]] = {}
    size: dict[str, float] = {}
    for name, folders in runs.items():
        found: dict[int, list[float]] = {}
        for folder in folders:
            for line in (folder / "log.jsonl").read_text().splitlines():
                figures = json.loads(line)
                if "shown_loss" in figures:
                    found.setdefault(figures["step"], []).append(figures["shown_loss"])
        shown[name] = {step: float(np.mean(values)) for step, values in found.items()}
        net = load_controlnet(folders[0] / "controlnet")
        size[name] = sum(p.numel() for p in net.parameters()) / 1e6
    steps = sorted({step for losses in shown.values() for step in losses})
    head = "| | parameters (M) | " + " | ".join(f"step {step}" for step in steps) + " |"
    lines = [head, "| --- " * (2 + len(steps)) + "|"]
    for name, losses in shown.items():
        cells = (f"{losses[step]:.4f}" if step in losses else "-" for step in steps)
        lines.append(f"| {name} | {size[name]:.2f} | " + " | ".join(cells) + " |")
    return lines


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
@click.option("--widths", default="", help="Such as 64-128-160,32-64-80; none: the UNet's.")
@click.option("--layers", default="0", help="Such as 1,2; 0: the UNet's.")
@click.option("--seeds", default="0,1,2")
@click.option("--count", default=24, help="Held-out photos.")
@click.option("--size", default=256)
@click.option("--fidelity", default=0.0, help="0 samples all steps from pure noise.")
def main(
    train: Path, data: Path, base: str, out: Path, recipe: str, start: Path | None,
    cache: Path | None, preset: str, steps: int, p_iide: str, widths: str, layers: str, seeds: str,
    count: int, size: int, fidelity: float,
) -> None:  # fmt: skip
    asked = load_toml(Path(recipe), ControlnetRecipe)
    asked = replace(asked, loop=replace(asked.loop, steps=steps, validate_every=max(1, steps // 5)))
    tasks: list[Task] = ["old-photo"] if asked.pairs.super_resolution == 0 else list(RECIPES)
    files = photos_in(data, count)
    methods: list[Method] = [Preset(FIRST, {"preset": preset, "strength": 0.0})]
    groups: dict[str, list[str]] = {FIRST: [FIRST]}
    runs: dict[str, list[Path]] = {}
    variants = [
        Variant(float(p), tuple(int(w) for w in shape.split("-") if w), int(depth))
        for p, shape, depth in product(p_iide.split(","), widths.split(","), layers.split(","))
    ]
    for seed in (int(s) for s in seeds.split(",")):
        for variant in variants:
            run = trained(out, variant, seed, asked, train, base, start, cache or out / "cache")
            name = f"{variant.name}, seed {seed}"
            groups.setdefault(variant.name, []).append(name)
            runs.setdefault(variant.name, []).append(run)
            given = {
                "preset": preset, "base": base, "controlnet": str(run / "controlnet"),
                "strength": 1.0, "reach": "all", "fidelity": fidelity, "posterior_mean": fidelity,
                "vae_residual": fidelity,
            }  # fmt: skip
            methods.append(Preset(name, given))
    results = run_cases(cases(out / "pairs", files, size, tasks), methods, out, metrics=METRICS)
    aggregate = Aggregate(results, NAME)
    for case in results.cases:
        origin = "zero convolutions" if start is None else str(start)
        click.echo(
            f"\n{case.degradation}: {len(files)} photos, {steps} steps of {asked.loop.batch}"
        )
        click.echo(f"from {origin}, seeds {seeds}\n")
        click.echo(table_line("", "trainings", *TITLES))
        click.echo(table_line(*["---"] * (len(TITLES) + 2)))
        for method, names in groups.items():
            click.echo(row(method, aggregate, case, names))
    click.echo("\nLoss on held-out photos\n\n" + "\n".join(convergence(runs)))
    for failure in results.failures:
        click.echo(f"Error: {failure.case}, {failure.method}: {failure.error}", err=True)


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
