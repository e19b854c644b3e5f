"""Command `unfade train`: trains one network of a preset; a sub-command for each network."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from unfade.train.dry_run import Trial

TASKS = {
    "scratch": "The detector: photo -> mask.",
    "stage1": "The first stage: fills damage, takes off grain, blur and compression.",
    "tone": "The estimator of faded tone and cast.",
    "colour": "The first stage for colours: gray photo, words, painted regions -> chroma.",
    "enlarger": "The first stage of super-resolution: small photos, four times as large.",
    "texture": "What the enlarger adds where a sharp picture is wanted, against a discriminator.",
    "vae": "The autoencoder of the diffusion model.",
    "prior": "The text-conditioned latent UNet with its text encoder: the frozen base model.",
    "controlnet": "The ControlNet on a frozen base model, with IIDE.",
    "cfw": "Controllable feature wrapping: the decoder that takes up the photo's own detail.",
}
Command = TypeVar("Command", bound=Callable[..., None])
_CACHE = "Folder for latents, which several trainings may share.  [default: RUN/cache]"
_BASE = "Base model: a folder in diffusers' layout, a .safetensors file, or ID@REVISION."
_DAMAGE = "Shapes of real damage: a folder or shards of KIND/NAME.png, 255 = covered."
_EXTRA_OPTIONS = {
    "scratch": {"--damage": _DAMAGE},
    "stage1": {"--damage": _DAMAGE},
    "prior": {"--cache": _CACHE, "--base": "Folder that holds the trained autoencoder, vae/."},
    "controlnet": {"--cache": _CACHE, "--base": _BASE},
    "cfw": {"--cache": _CACHE, "--controlnet": "The trained ControlNet.", "--base": _BASE},
}


@click.group()
def train() -> None:
    """Train the models of a preset.

    Run the same command again after a stop and it goes on from its last checkpoint; Ctrl-C writes
    one first where that takes a moment only (a second Ctrl-C does without). Several
    processes train together when `accelerate launch --num_processes N -m unfade` stands in place
    of `unfade`.
    """


def _command(name: str, summary: str) -> click.Command:
    @click.command(name, short_help=summary, help=summary)
    @click.option(
        "--data", required=True, type=click.Path(path_type=Path), multiple=True,
        help="Clean photos: a folder of pictures or of WebDataset shards (*.tar). May be repeated.",
    )  # fmt: skip
    @click.option(
        "--run", required=True, type=click.Path(path_type=Path),
        help="Folder for checkpoints, log, sheets and the weights.",
    )  # fmt: skip
    @click.option("--recipe", type=click.Path(path_type=Path), help="Settings, as TOML.")
    @click.option(
        "--start", type=click.Path(path_type=Path),
        help="Weights that a new training starts from.",
    )  # fmt: skip
    @click.option(
        "--dry-run", is_flag=True,
        help="Take 20 steps, tell speed, memory and the time to the end, and write nothing.",
    )  # fmt: skip
    @_options(_EXTRA_OPTIONS.get(name, {}))
    def command(
        data: tuple[Path, ...], run: Path, recipe: Path | None, start: Path | None, dry_run: bool,
        base: str | None = None, controlnet: str | None = None, cache: Path | None = None,
        damage: Path | None = None,
    ) -> None:  # fmt: skip
        if dry_run:
            _dry_run(name, data, recipe, start, base, controlnet, damage)
            return
        from unfade.train.run import train_task

        path = train_task(
            name, data, run, recipe, start=start, base=base, controlnet=controlnet, cache=cache,
            damage=damage, progress=_reporter(),
        )  # fmt: skip
        click.echo(str(path))

    return command


def _dry_run(
    name: str, data: tuple[Path, ...], recipe: Path | None, start: Path | None, base: str | None,
    controlnet: str | None, damage: Path | None,
) -> None:  # fmt: skip
    """Runs a dry run, and prints its figures from the main process."""
    from unfade.train.dry_run import dry_run
    from unfade.train.inputs import Inputs
    from unfade.train.launch import accelerator

    inputs = Inputs(recipe, start, base, controlnet, damage=damage)
    trial = dry_run(name, data, inputs)
    if accelerator().is_main_process:
        click.echo("\n".join(trial_lines(trial)))


def trial_lines(trial: Trial) -> list[str]:
    """The figures of a dry run as text."""
    rate = trial.samples_per_s
    lines = [
        f"samples a second   {rate:.2f} ({trial.batch / rate:.2f} s for each step of "
        f"{trial.batch}, {trial.processes} process{'es' if trial.processes > 1 else ''})",
        f"peak memory        {trial.peak_gib:.1f} GiB on {trial.device}, validation left out",
    ]
    if trial.cached:
        lines.append(
            f"caching            {trial.photos} photos: {duration(trial.all_cache_s)}, "
            f"{trial.all_cache_gib:.2g} GiB on disk"
        )
    return [*lines, f"time to the end    {duration(trial.left_s)} for {trial.steps} steps"]


def _options(texts: dict[str, str]) -> Callable[[Command], Command]:
    """The options that only some trainings have: frozen networks, a cache, damage shapes."""

    def add(command: Command) -> Command:
        for option, text in texts.items():
            if option in ("--cache", "--damage"):
                kind = click.option(option, type=click.Path(path_type=Path), help=text)
            else:
                kind = click.option(option, required=True, metavar="ID|PATH", help=text)
            command = kind(command)
        return command

    return add


_TERMINAL_S, _LOG_S = 0.5, 30.0  # between two reports, on a terminal and in a log


def _reporter() -> Callable[[int, int, dict[str, float]], None]:
    """Prints the progress of a training to stderr: step, figures, rate and remaining time.

    On a terminal one line is rewritten; elsewhere a line is written at the first step, at the last
    one and every half a minute.
    """
    terminal = sys.stderr.isatty()
    started_s, first, last, reported_s = time.monotonic(), 0, 0, -math.inf

    def report(step: int, steps: int, figures: dict[str, float]) -> None:
        nonlocal started_s, first, last, reported_s
        now_s = time.monotonic()
        if last == 0 or step < last:  # the steps come after the latents
            started_s, first, reported_s = now_s, step, -math.inf
        last = step
        if now_s - reported_s < (_TERMINAL_S if terminal else _LOG_S) and step != steps:
            return
        reported_s = now_s
        line = progress_line(step, steps, figures, step - first, now_s - started_s)
        click.echo(line.ljust(100) + "\r" if terminal and step != steps else line, err=True,
                   nl=not terminal or step == steps)  # fmt: skip

    return report


def progress_line(
    step: int, steps: int, figures: dict[str, float], steps_done: int, seconds: float
) -> str:
    """One line of progress: the step, the figures, the rate, the time that is left.

    Args:
        steps_done: steps since the first report, which took `seconds`.
    """
    parts = [f"{step}/{steps}", *(f"{name} {value:.4f}" for name, value in figures.items())]
    if steps_done > 0 and seconds > 0:
        rate = steps_done / seconds
        parts.append(f"{rate:.2f}/s" if rate >= 1 else f"{1 / rate:.1f} s each")
        if step < steps:
            parts.append(f"{duration((steps - step) / rate)} left")
        else:
            parts.append(f"{duration(seconds)} in all")
    return "  ".join(parts)


def duration(seconds: float) -> str:
    """A time span for people: "45 s", "12 min", "3 h 20 min", "2 d 4 h"."""
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    if hours < 48:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{hours // 24} d {hours % 24} h"


for _name, _summary in TASKS.items():
    train.add_command(_command(_name, _summary))
