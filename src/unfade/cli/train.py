"""`unfade train`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

TASKS = {
    "scratch": "The detector: photo -> mask.",
    "stage1": "The first stage: fills damage, takes off grain, blur and compression.",
    "tone": "The estimator of faded tone and cast.",
    "enlarger": "The first stage of super-resolution: small photos, four times as large.",
    "vae": "The autoencoder of the diffusion model.",
    "prior": "The text-conditioned latent UNet with its text encoder: the frozen base model.",
    "controlnet": "The ControlNet on a frozen base model, with IIDE.",
    "cfw": "Controllable feature wrapping: the decoder that takes up the photo's own detail.",
}
Command = TypeVar("Command", bound=Callable[..., None])
_CACHE = "Folder for latents, which several trainings may share.  [default: RUN/cache]"
_BASE = "Base model: a folder in diffusers' layout, a .safetensors file, or ID@REVISION."
_FROZEN = {
    "prior": {"--cache": _CACHE, "--base": "Folder that holds the trained autoencoder, vae/."},
    "controlnet": {"--cache": _CACHE, "--base": _BASE},
    "cfw": {"--cache": _CACHE, "--controlnet": "The trained ControlNet.", "--base": _BASE},
}


@click.group()
def train() -> None:
    """Train the models of a preset.

    Run the same command again after a stop and it goes on from its last checkpoint. Several
    processes train together when `accelerate launch --num_processes N -m unfade` stands in place
    of `unfade`.
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
    @_options(_FROZEN.get(name, {}))
    def command(
        data: Path, run: Path, recipe: Path | None, start: Path | None, base: str | None = None,
        controlnet: str | None = None, cache: Path | None = None,
    ) -> None:  # fmt: skip
        from unfade.train.run import train_task

        path = train_task(
            name, data, run, recipe, start=start, base=base, controlnet=controlnet, cache=cache,
            progress=_reporter(),
        )  # fmt: skip
        click.echo(str(path))

    return command


def _options(texts: dict[str, str]) -> Callable[[Command], Command]:
    """What only some trainings take: frozen networks, which they need, and a cache."""

    def add(command: Command) -> Command:
        for option, text in texts.items():
            if option == "--cache":
                kind = click.option(option, type=click.Path(path_type=Path), help=text)
            else:
                kind = click.option(option, required=True, metavar="ID|PATH", help=text)
            command = kind(command)
        return command

    return add


def _reporter() -> Callable[[int, int, dict[str, float]], None]:
    """A progress bar on a terminal, a line every hundred steps elsewhere."""
    began, last = time.monotonic(), 0

    def report(step: int, steps: int, figures: dict[str, float]) -> None:
        nonlocal last
        last = min(last, step)  # the steps come after the latents
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
