"""Runs a training: from a recipe, photos and a run folder to trained weights."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from unfade.config import save_toml
from unfade.data.pairs import HardNegative
from unfade.data.sources import CleanPhoto, load_folders
from unfade.errors import UsageError
from unfade.manifest import make_folder
from unfade.models.checkpoint import Network, load_model, save_model
from unfade.models.colouriser import Colouriser
from unfade.models.enlarger import Enlarger
from unfade.models.scratch import ScratchDetector
from unfade.models.stage1 import Stage1Net
from unfade.models.tone import ToneNet
from unfade.train import record
from unfade.train.colour import ColourTask
from unfade.train.enlarger import EnlargerTask
from unfade.train.hard_negatives import mine_hard_negatives
from unfade.train.inputs import Inputs, Progress
from unfade.train.launch import (
    accelerator,
    check_precision,
    configure_threads_and_memory,
    enough_memory,
)
from unfade.train.loop import train
from unfade.train.net2net import net2net
from unfade.train.options import (
    ColourRecipe,
    EnlargerRecipe,
    LoopOptions,
    ScratchRecipe,
    Stage1Recipe,
    TextureRecipe,
    ToneRecipe,
)
from unfade.train.sampler import check_batch
from unfade.train.scratch import ScratchTask
from unfade.train.stage1 import Stage1Task
from unfade.train.state import interpolate_weights
from unfade.train.task import Exporter, Task
from unfade.train.texture import TextureTask
from unfade.train.tone import ToneTask

log = logging.getLogger(__name__)
_NETWORKS: dict[str, Any] = {
    "scratch": ScratchDetector,
    "stage1": Stage1Net,
    "tone": ToneNet,
    "colour": Colouriser,
    "enlarger": Enlarger,
}
_RECIPES: dict[str, Any] = {
    "scratch": ScratchRecipe,
    "stage1": Stage1Recipe,
    "tone": ToneRecipe,
    "colour": ColourRecipe,
    "enlarger": EnlargerRecipe,
    "texture": TextureRecipe,
}
TASKS = (
    "scratch",
    "stage1",
    "tone",
    "colour",
    "enlarger",
    "texture",
    "vae",
    "prior",
    "controlnet",
    "cfw",
)


def read_recipe(name: str, inputs: Inputs) -> Any:
    """Reads the recipe of a task; imports the diffusion libraries only if the task needs them.

    Raises:
        UsageError: no such task, or the recipe says what the task does not know.
    """
    if name not in TASKS:
        raise UsageError(f"task '{name}'", f"one of {', '.join(TASKS)}", "choose one of them")
    if name in _RECIPES:
        return inputs.read(_RECIPES[name])
    from unfade.train import diffusion_tasks

    return inputs.read(diffusion_tasks.RECIPES[name])


def prepare(
    name: str,
    recipe: Any,
    inputs: Inputs,
    photos: Sequence[CleanPhoto],
    cache: Path,
    device: torch.device,
    progress: Callable[[int], None],
) -> Task:
    """Prepares a task by name: its caches are computed, its networks are on a device."""
    if name == "scratch":
        hard_negatives: list[HardNegative] = []
        if recipe.pairs.hard > 0:
            detector = load_model(inputs.needed_start(), ScratchDetector)
            hard_negatives = mine_hard_negatives(
                detector, photos, recipe.hard_negatives, cache, progress=progress
            )
        return ScratchTask(recipe, photos, hard_negatives, inputs.stencils())
    if name == "stage1":
        return Stage1Task(recipe, photos, inputs.stencils())
    if name == "tone":
        return ToneTask(recipe, photos)
    if name == "colour":
        return ColourTask(recipe, photos)
    if name == "enlarger":
        return EnlargerTask(recipe, photos)
    if name == "texture":
        return TextureTask(recipe, photos)
    from unfade.train import diffusion_tasks

    return diffusion_tasks.prepare(name, recipe, inputs, photos, cache, device, progress)


def start_from(name: str, task: Task, path: Path | None) -> nn.Module | None:
    """The network with the start weights, in the recipe's shape; None if there are none."""
    if path is None:
        return None
    if isinstance(task, Exporter):
        return task.load(path)
    return net2net(task.build(), load_model(path, _NETWORKS[name])).eval()


def _exporter(
    task: Task, path: Path, begun: nn.Module | None, options: LoopOptions
) -> Callable[[nn.Module, int], None]:
    """Returns a function that exports a network, averaged with the start weights, to `path`.

    Earlier ones are kept beside it as NAME-STEP, as many as the options ask for.
    """

    def write(network: nn.Module, path: Path) -> None:
        if isinstance(task, Exporter):
            task.export(network, path)
        else:
            save_model(path, cast(Network, network))

    def export(network: nn.Module, step: int) -> None:
        if begun is not None and options.weight_averaging > 0:
            network = interpolate_weights(network, begun, options.weight_averaging)
        write(network, path)
        if options.exports > 0 and step < options.steps:
            write(network, path.with_name(f"{path.stem}-{step:06d}{path.suffix}"))
            earlier = path.parent.glob(f"{path.stem}-*{path.suffix}")
            ordered = sorted(earlier, key=lambda p: (len(p.name), p.name))
            for old in ordered[: -options.exports]:
                shutil.rmtree(old) if old.is_dir() else old.unlink()

    return export


def _ignore(done: int, total: int, figures: dict[str, float]) -> None:
    """Ignores progress."""


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
    """Trains one network, or resumes a training that was stopped.

    Args:
        name: one of TASKS.
        data: a folder of photos or WebDataset shards, or several.
        run: folder for state, log, sample grids, manifest and the trained weights.
        recipe, start, base, controlnet, cache, damage: see `Inputs`; the cache is `run`/cache by
            default.
        progress: called with the finished number, the total, and smoothed figures; first for
            the photos whose latents are computed, then for the steps.

    Returns:
        The file or folder of fp16 weights.

    Raises:
        UsageError, InputError, WeightsError: a wrong name, recipe, folder or base.
        OutputError: `run` or the cache cannot be written.
    """
    inputs = Inputs(recipe, start, base, controlnet, cache, damage)
    settings = read_recipe(name, inputs)
    options: LoopOptions = settings.loop
    configure_threads_and_memory(options)
    photos = load_folders([data] if isinstance(data, Path) else data)
    group = accelerator()
    check_batch(options, group.num_processes)
    check_precision(group.device, options.precision)

    report = progress if progress is not None and group.is_main_process else _ignore
    with enough_memory(group.device):
        task = prepare(
            name,
            settings,
            inputs,
            photos,
            cache or run / "cache",
            group.device,
            lambda n: report(n, len(photos), {}),
        )
        begun = start_from(
            name, task, inputs.needed_start() if options.weight_averaging > 0 else start
        )
        make_folder(run)
        if group.is_main_process:
            save_toml(run / "recipe.toml", settings)
            record.begin(run, name, settings, photos, inputs, group)
        path = run / (name if isinstance(task, Exporter) else f"{name}.safetensors")
        export = _exporter(task, path, begun, options)
        network = train(
            task,
            options,
            run,
            start=begun,
            export=export,
            progress=lambda step, figures: report(step, options.steps, figures),
        )
    if group.is_main_process:
        export(network, options.steps)
        record.finish(run, path)
        log.info("%s: %d parameters", path, sum(p.numel() for p in network.parameters()))
    return path
