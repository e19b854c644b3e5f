"""A recipe, a folder of photos and a run folder -> trained weights."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import cv2
from torch import nn

from unfade.config import load_toml, save_toml
from unfade.data.sources import load_photos
from unfade.errors import UsageError
from unfade.models.checkpoint import Network, load_model, save_model
from unfade.models.inference import keep_blocks
from unfade.models.scratch import ScratchDetector
from unfade.models.stage1 import Stage1Net
from unfade.models.tone import ToneNet
from unfade.train.loop import Task, train
from unfade.train.options import ScratchRecipe, Stage1Recipe, ToneRecipe
from unfade.train.scratch import ScratchTask
from unfade.train.stage1 import Stage1Task
from unfade.train.tone import ToneTask

log = logging.getLogger(__name__)
_NETWORKS: dict[str, Any] = {"scratch": ScratchDetector, "stage1": Stage1Net, "tone": ToneNet}
TASKS = ("scratch", "stage1", "tone")


Recipe = ScratchRecipe | Stage1Recipe | ToneRecipe


def _prepare(name: str, recipe: Path | None, data: Path) -> tuple[Task, Recipe]:
    if name == "scratch":
        scratch = load_toml(recipe, ScratchRecipe) if recipe else ScratchRecipe()
        return ScratchTask(scratch, load_photos(data)), scratch
    if name == "stage1":
        stage1 = load_toml(recipe, Stage1Recipe) if recipe else Stage1Recipe()
        return Stage1Task(stage1, load_photos(data)), stage1
    if name == "tone":
        tone = load_toml(recipe, ToneRecipe) if recipe else ToneRecipe()
        return ToneTask(tone, load_photos(data)), tone
    raise UsageError(f"task '{name}'", f"one of {', '.join(TASKS)}", "choose one of them")


def train_task(
    name: str,
    data: Path,
    run: Path,
    recipe: Path | None = None,
    *,
    start: Path | None = None,
    progress: Callable[[int, int, dict[str, float]], None] | None = None,
) -> Path:
    """Trains one network, or goes on with a training that was stopped.

    Args:
        name: scratch, stage1 or tone.
        data: a folder of photos or WebDataset shards.
        run: where state, log, sheets and at last NAME.safetensors go.
        recipe: a TOML file; without one, the defaults.
        start: weights (NAME.safetensors) of the same shape that a new training starts from.
        progress: called with the step, the steps in all, and smoothed figures.

    Returns:
        The file of fp16 weights.

    Raises:
        UsageError, InputError: a wrong name, recipe or folder.
    """
    cv2.setNumThreads(1)  # the trainer and its workers share the cores already
    keep_blocks()
    task, settings = _prepare(name, recipe, data)
    options = settings.loop
    run.mkdir(parents=True, exist_ok=True)
    save_toml(run / "recipe.toml", settings)

    def report(step: int, figures: dict[str, float]) -> None:
        if progress is not None:
            progress(step, options.steps, figures)

    path = run / f"{name}.safetensors"

    def export(network: nn.Module) -> None:
        save_model(path, cast(Network, network))

    first = None if start is None else cast(nn.Module, load_model(start, _NETWORKS[name]))
    network = train(task, options, run, start=first, export=export, progress=report)
    export(network)
    log.info("%s: %d parameters", path, sum(p.numel() for p in network.parameters()))
    return path
