"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from unfade.types import MAX_PIXELS, MIN_TILE, reserved

F = TypeVar("F", bound=Callable[..., Any])

inputs = click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
out = click.option(
    "-o",
    "--out",
    required=True,
    metavar="OUT",
    help="A folder; for a single INPUT it may be the file to write.",
)


def work_options(command: F) -> F:
    """The options of every command that runs a model over photos."""
    options = [
        click.option(
            "--preset",
            default="compact",
            show_default=True,
            metavar="compact|PATH",
            help="The weights: a preset's name, or a folder.",
        ),
        click.option(
            "--tile",
            type=click.IntRange(min=MIN_TILE),
            default=1024,
            show_default=True,
            metavar="PX",
            help="Side of a tile. Less memory with smaller ones, the same result.",
        ),
        click.option(
            "--threshold",
            type=float,
            metavar="P",
            help="Probability (0..1) from which a pixel counts as damaged. "
            "Default: the detector's own.",
        ),
        click.option(
            "--device",
            default="auto",
            show_default=True,
            metavar="D",
            help="auto, cpu, cuda, cuda:1 or mps.",
        ),
        click.option(
            "--max-pixels",
            type=click.IntRange(min=1),
            default=MAX_PIXELS,
            show_default=True,
            metavar="N",
            help="Refuse photos with more pixels than this.",
        ),
        click.option("--overwrite", is_flag=True, help="Do finished photos again."),
        click.option("--json", "as_json", is_flag=True, help="A summary for machines on stdout."),
        click.option(
            "-v", "--verbose", is_flag=True, help="Show where an unexpected error came from."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def reserved_option(*names: str, metavar: str, flag: bool = False) -> Callable[[F], F]:
    """An option that is accepted, and answered with what it is reserved for (exit code 2)."""

    def refuse(ctx: click.Context, parameter: click.Parameter, value: object) -> None:
        if value is not None and value is not False:
            raise reserved(parameter.opts[-1])

    return click.option(
        *names,
        metavar=None if flag else metavar,
        is_flag=flag,
        default=False if flag else None,
        expose_value=False,
        callback=refuse,
        help="Reserved for the diffusion model.",
    )
