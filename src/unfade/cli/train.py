"""`unfade train`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

TASKS = {
    "scratch": "The detector: photo -> mask.",
    "stage1": "The first stage: fills damage, takes off grain, blur and compression.",
    "tone": "The estimator of faded tone and cast.",
}


@click.group()
def train() -> None:
    """Train the models of a preset.

    Run the same command again after a stop and it goes on from its last checkpoint.
    """


def _command(name: str, summary: str) -> click.Command:
    @click.command(name, short_help=summary, help=summary)
    @click.option(
        "--data", required=True, type=click.Path(path_type=Path),
        help="Clean photos: a folder of pictures or of WebDataset shards (*.tar).",
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
    def command(data: Path, run: Path, recipe: Path | None, start: Path | None) -> None:
        from unfade.train.run import train_task

        path = train_task(name, data, run, recipe, start=start, progress=_reporter())
        click.echo(str(path))

    return command


def _reporter() -> Callable[[int, int, dict[str, float]], None]:
    """A progress bar on a terminal, a line every hundred steps elsewhere."""
    began, last = time.monotonic(), 0

    def report(step: int, steps: int, figures: dict[str, float]) -> None:
        nonlocal last
        every = 10 if sys.stderr.isatty() else 100
        if step - last < every and step != steps:
            return
        last = step
        words = "  ".join(f"{k} {v:.4f}" for k, v in figures.items())
        line = f"{step}/{steps}  {words}  {time.monotonic() - began:.0f} s"
        click.echo(line, err=True, nl=not sys.stderr.isatty() or step == steps)
        if sys.stderr.isatty() and step != steps:
            click.echo("\r", err=True, nl=False)

    return report


for _name, _summary in TASKS.items():
    train.add_command(_command(_name, _summary))
