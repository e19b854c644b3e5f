"""`unfade bench old-photo` and the other protocols that print figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from unfade.cli import options as shared
from unfade.cli.main import EXIT_FAILED
from unfade.cli.progress import Bar
from unfade.options import MIN_TILE

if TYPE_CHECKING:
    from unfade.bench.protocols.base import Progress, Report

F = TypeVar("F", bound=Callable[..., Any])
_PATH = click.Path(path_type=Path)


def _common(count: int) -> Callable[[F], F]:
    """The options of every protocol; `count` is the default number of photos, 0 for all."""
    options = [
        click.option("--data", required=True, type=_PATH, metavar="DIR", help="Undamaged photos."),
        click.option(
            "--preset",
            default="compact",
            show_default=True,
            metavar="compact|sd21|PATH",
            help="The weights: a preset's name, or a folder.",
        ),
        click.option(
            "--count",
            type=click.IntRange(min=0),
            default=count,
            show_default=True,
            metavar="N",
            help="Number of photos, spread evenly over the sorted names; 0 takes all.",
        ),
        click.option(
            "--tile",
            type=click.IntRange(min=MIN_TILE),
            default=1024,
            show_default=True,
            metavar="PX",
            help="Side of a tile.",
        ),
        click.option("--device", default="auto", show_default=True, metavar="D"),
        click.option(
            "--json", "as_json", is_flag=True, help="All rows and tables for machines on stdout."
        ),
    ]

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def _seed(command: F) -> F:
    return click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        metavar="N",
        help="Seed of the degradations.",
    )(command)


def _factors(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        factors = tuple(int(text) for text in value.split(",") if text.strip())
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no list of whole numbers such as 1,2,4") from error
    if any(not 1 <= factor <= 16 for factor in factors):
        raise click.BadParameter(f"{value!r}: expected factors from 1 to 16")
    return factors


@click.command("old-photo")
@_common(100)
@_seed
@click.option(
    "--recipe",
    default="old-photo",
    show_default=True,
    metavar="NAME",
    help="Recipe that degrades the photos.",
)
@click.option("--level", default="moderate", show_default=True, metavar="NAME", help="Severity.")
@click.option(
    "--strength",
    default="0",
    show_default=True,
    metavar="S|auto",
    callback=shared.auto_or(float, "a number"),
    help="Strength of the diffusion model; 0 is the first stage alone.",
)
@click.option("--thresholds", is_flag=True, help="Detection at thresholds from 0.3 to 0.95 too.")
@click.option(
    "--enlarge",
    default="",
    metavar="F,F,...",
    callback=_factors,
    help="Detection on the same photos enlarged by these factors (such as 1,2,4,8): bicubic, and "
    "bicubic with scanner noise of sigma 2/255.",
)
@click.option("--detect-only", is_flag=True, help="Detection figures only; nothing is restored.")
def old_photo(
    data: Path,
    preset: str,
    count: int,
    tile: int,
    device: str,
    as_json: bool,
    seed: int,
    recipe: str,
    level: str,
    strength: Any,
    thresholds: bool,
    enlarge: tuple[int, ...],
    detect_only: bool,
) -> int:
    """Measure detection and restoration on photos degraded with a fixed seed.

    Prints precision, recall and F1 (pooled over all pixels; strict and with a tolerance of one
    pixel), recall by kind of damage, the flagged share of undamaged photos, PSNR and SSIM of the
    input, the classical pipeline and unfade, and what restoring does to clean photos. With --out
    or --prepare the command is the table of the paper instead (see `unfade bench --help`).

    \b
    Examples:
      unfade bench old-photo --data photos/ --seed 4
      unfade bench old-photo --data photos/ --recipe deterioration --count 20 --enlarge 1,2,4
    """
    from unfade.bench.protocols.old_photo import Settings, old_photo

    settings = Settings(
        data, preset, recipe, level, count or None, seed, tile, strength, device, thresholds,
        enlarge, detect_only,
    )  # fmt: skip
    return _run(lambda progress: old_photo(settings, progress), as_json)


@click.command("false-alarms")
@_common(0)
@click.option("--threshold", type=float, metavar="P", help="Default: the detector's own.")
@click.option(
    "--sheet",
    type=_PATH,
    metavar="FILE.png",
    help="Contact sheet: every photo with flagged pixels in red, worst first.",
)
def false_alarms(
    data: Path,
    preset: str,
    count: int,
    tile: int,
    device: str,
    as_json: bool,
    threshold: float | None,
    sheet: Path | None,
) -> int:
    """Measure what the detector flags on undamaged photos, worst photo first.

    \b
    Example:
      unfade bench false-alarms --data photos/ --sheet alarms.png
    """
    from unfade.bench.protocols.false_alarms import Settings, false_alarms

    settings = Settings(data, preset, count or None, threshold, tile, device, sheet)
    return _run(lambda progress: false_alarms(settings, progress), as_json)


PROTOCOLS: dict[str, click.Command] = {
    str(command.name): command for command in (old_photo, false_alarms)
}


def _run(protocol: Callable[[Progress], Report], as_json: bool) -> int:
    """Runs a protocol, prints its report, and gives the exit code."""
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with steps_bar() as progress:
            report = protocol(progress)
    finally:
        cv2.setNumThreads(threads)
    for error in report.failures:
        click.echo(f"Error: {error}", err=True)
    click.echo(json.dumps(report.json()) if as_json else report.markdown(), nl=as_json)
    return EXIT_FAILED if report.failures else 0


@contextmanager
def steps_bar() -> Generator[Callable[[int, int, str], None]]:
    """A progress bar whose length is known with the first step."""
    with ExitStack() as stack:
        bars: list[Bar] = []

        def report(done: int, whole: int, text: str) -> None:
            if not bars:
                bars.append(stack.enter_context(Bar(whole)))
            bars[0].reporter(done, text)

        yield report
