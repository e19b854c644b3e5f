"""A recipe, a folder of photos and a run folder -> trained weights."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import cv2
from torch import nn

from unfade.config import save_toml, to_dict
from unfade.data.pairs import Spot
from unfade.data.sources import CleanPhoto, load_folders
from unfade.errors import UsageError
from unfade.manifest import make_folder
from unfade.models.checkpoint import Network, load_model, save_model
from unfade.models.colouriser import Colouriser
from unfade.models.enlarger import Enlarger
from unfade.models.inference import keep_blocks
from unfade.models.scratch import ScratchDetector
from unfade.models.stage1 import Stage1Net
from unfade.models.tone import ToneNet
from unfade.train import record
from unfade.train.alarms import loudest
from unfade.train.colour import ColourTask
from unfade.train.enlarger import EnlargerTask
from unfade.train.grow import grow
from unfade.train.inputs import Inputs, Progress
from unfade.train.launch import accelerator
from unfade.train.loop import train
from unfade.train.options import (
    ColourRecipe,
    EnlargerRecipe,
    LoopOptions,
    ScratchRecipe,
    Stage1Recipe,
    ToneRecipe,
)
from unfade.train.scratch import ScratchTask
from unfade.train.stage1 import Stage1Task
from unfade.train.state import blend
from unfade.train.task import Exporter, Task
from unfade.train.tone import ToneTask

log = logging.getLogger(__name__)
_NETWORKS: dict[str, Any] = {
    "scratch": ScratchDetector, "stage1": Stage1Net, "tone": ToneNet, "colour": Colouriser,
    "enlarger": Enlarger,
}  # fmt: skip
TASKS = ("scratch", "stage1", "tone", "colour", "enlarger", "vae", "prior", "controlnet", "cfw")


def _prepare(
    name: str, inputs: Inputs, photos: Sequence[CleanPhoto], cache: Path,
    progress: Callable[[int], None],
) -> tuple[Task, Any]:  # fmt: skip
    """The task of this name and its recipe; the diffusion libraries are only loaded for theirs."""
    if name == "scratch":
        scratch = inputs.read(ScratchRecipe)
        spots: list[Spot] = []
        if scratch.pairs.hard > 0:
            detector = load_model(inputs.needed_start(), ScratchDetector)
            spots = loudest(detector, photos, scratch.alarms, cache, progress=progress)
        return ScratchTask(scratch, photos, spots, inputs.stencils()), scratch
    if name == "stage1":
        stage1 = inputs.read(Stage1Recipe)
        return Stage1Task(stage1, photos, inputs.stencils()), stage1
    if name == "tone":
        tone = inputs.read(ToneRecipe)
        return ToneTask(tone, photos), tone
    if name == "colour":
        colour = inputs.read(ColourRecipe)
        return ColourTask(colour, photos), colour
    if name == "enlarger":
        enlarger = inputs.read(EnlargerRecipe)
        return EnlargerTask(enlarger, photos), enlarger
    from unfade.train import diffusion_tasks

    return diffusion_tasks.prepare(name, inputs, photos, cache, progress)


def _start(name: str, task: Task, path: Path | None) -> nn.Module | None:
    """The network that a new training starts from, of the recipe's shape."""
    if path is None:
        return None
    if isinstance(task, Exporter):
        return task.load(path)
    return grow(task.build(), load_model(path, _NETWORKS[name])).eval()


def _exporter(
    task: Task, path: Path, begun: nn.Module | None, kept: float
) -> Callable[[nn.Module], None]:
    """Writes a network to `path`, with its share of the weights that the training began with."""

    def export(network: nn.Module) -> None:
        if begun is not None and kept > 0:
            network = blend(network, begun, kept)
        if isinstance(task, Exporter):
            task.export(network, path)
        else:
            save_model(path, cast(Network, network))

    return export


def _ignore(done: int, total: int, figures: dict[str, float]) -> None:
    """No one is told."""


def train_task(
    name: str,
    data: Path | Sequence[Path],
    run: Path,
    recipe: Path | None = None,
    *,
    start: Path | None = None,
    base: str | None = None,
    controlnet: str | None = None,
    cache: Path | None = None,
    damage: Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Trains one network, or goes on with a training that was stopped.

    Args:
        name: one of TASKS.
        data: a folder of photos or WebDataset shards, or several.
        run: where state, log, sheets, manifest and the trained weights go.
        recipe, start, base, controlnet, cache, damage: see `Inputs`; the cache is `run`/cache by
            default.
        progress: called with what is done, what there is in all, and smoothed figures; first for
            the photos whose latents are made, then for the steps.

    Returns:
        The file or folder of fp16 weights.

    Raises:
        UsageError, InputError, WeightsError: a wrong name, recipe, folder or base.
        OutputError: `run` or the cache cannot be written.
    """
    cv2.setNumThreads(1)  # the trainer and its workers share the cores already
    keep_blocks()
    if name not in TASKS:
        raise UsageError(f"task '{name}'", f"one of {', '.join(TASKS)}", "choose one of them")
    photos = load_folders([data] if isinstance(data, Path) else data)
    group = accelerator()

    report = progress if progress is not None and group.is_main_process else _ignore
    inputs = Inputs(recipe, start, base, controlnet, cache, damage)
    with group.main_process_first():  # latents are made once
        task, settings = _prepare(
            name, inputs, photos, cache or run / "cache", lambda n: report(n, len(photos), {})
        )
    options: LoopOptions = settings.loop
    begun = _start(name, task, inputs.needed_start() if options.kept > 0 else start)
    make_folder(run)
    if group.is_main_process:
        save_toml(run / "recipe.toml", settings)
        record.begin(run, name, to_dict(settings), photos, inputs, group)
    path = run / (name if isinstance(task, Exporter) else f"{name}.safetensors")
    export = _exporter(task, path, begun, options.kept)
    network = train(
        task, options, run, start=begun, export=export,
        progress=lambda step, figures: report(step, options.steps, figures),
    )  # fmt: skip
    if group.is_main_process:
        export(network)
        record.finish(run, path)
        log.info("%s: %d parameters", path, sum(p.numel() for p in network.parameters()))
    return path
