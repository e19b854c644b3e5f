"""A recipe, a folder of photos and a run folder -> trained weights."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import cv2

from unfade.config import load_toml, save_toml
from unfade.data.sources import load_photos
from unfade.errors import UsageError
from unfade.models.checkpoint import Network, save_model
from unfade.models.inference import keep_blocks
from unfade.train.loop import Task, train
from unfade.train.options import ScratchRecipe, Stage1Recipe, ToneRecipe
from unfade.train.scratch import ScratchTask
from unfade.train.stage1 import Stage1Task
from unfade.train.tone import ToneTask

log = logging.getLogger(__name__)
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
    progress: Callable[[int, int, dict[str, float]], None] | None = None,
) -> Path:
    """Trains one network, or goes on with a training that was stopped.

    Args:
        name: scratch, stage1 or tone.
        data: a folder of photos or WebDataset shards.
        run: where state, log, sheets and at last NAME.safetensors go.
        recipe: a TOML file; without one, the defaults.
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

    network = train(task, options, run, progress=report)
    if not isinstance(network, Network):
        raise TypeError(f"{type(network).__name__} cannot be saved")
    path = run / f"{name}.safetensors"
    save_model(path, network)
    log.info("%s: %d parameters", path, sum(p.numel() for p in network.parameters()))
    return path
