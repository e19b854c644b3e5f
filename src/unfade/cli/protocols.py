"""The commands of the protocols, such as `unfade bench old-photo`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from unfade.cli import options as shared
from unfade.cli.main import EXIT_FAILED
from unfade.cli.progress import Bar
from unfade.options import MIN_TILE, REACHES

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


def _tile(command: F) -> F:
    return click.option(
        "--tile",
        type=click.IntRange(min=MIN_TILE),
        default=1024,
        show_default=True,
        metavar="PX",
        help="Side of a tile.",
    )(command)


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
@_tile
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
@_tile
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


def _numbers(
    ctx: click.Context, parameter: click.Parameter, value: str
) -> tuple[float | Literal["auto"], ...]:
    """Numbers, or "auto", with commas between them."""
    try:
        return tuple("auto" if t.strip() == "auto" else float(t) for t in value.split(","))
    except ValueError as error:
        raise click.BadParameter(
            f"{value!r}: expected numbers or auto, as in 0,0.2,auto"
        ) from error


def _out(*, required: bool) -> Callable[[F], F]:
    """--out: the folder of results."""
    text = "Takes up results, rows and report.html; run again, it goes on from there."
    text += "" if required else "  [default: nothing is kept]"
    return click.option("--out", "-o", required=required, type=_PATH, metavar="DIR", help=text)


@click.command("super-resolution")
@_common(60)
@_seed
@click.option(
    "--strength",
    "strengths",
    default="0",
    show_default=True,
    metavar="S,S,...",
    callback=_numbers,
    help="Strengths of the diffusion model; 0 is the first stage alone.",
)
@click.option(
    "--fidelity",
    default="auto",
    show_default=True,
    metavar="W|auto",
    callback=shared.auto_or(float, "a number"),
    help="Fidelity, posterior mean and VAE residual of the diffusion model.",
)
@_out(required=False)
def super_resolution(
    data: Path,
    preset: str,
    count: int,
    device: str,
    as_json: bool,
    seed: int,
    strengths: tuple[Any, ...],
    fidelity: Any,
    out: Path | None,
) -> int:
    """Measure enlarging four times on crops of 256 pixels, against interpolation.

    \b
    Example:
      unfade bench super-resolution --data photos/ --strength 0,0.2,0.4 --fidelity 1
    """
    from unfade.bench.protocols.super_resolution import Settings, super_resolution

    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            data, out or Path(folder), preset, count or None, seed, strengths, fidelity, device
        )
        return _run(lambda progress: super_resolution(settings, progress), as_json)


@click.command("diffusion")
@_common(30)
@_seed
@click.option(
    "--size",
    type=click.IntRange(min=0),
    default=256,
    show_default=True,
    metavar="PX",
    help="Side of the middles that are taken; 0 takes whole photos.",
)
@click.option("--level", default="moderate", show_default=True, metavar="NAME", help="Severity.")
@click.option(
    "--strength",
    "strengths",
    default="auto,0.2,0.4",
    show_default=True,
    metavar="S,S,...",
    callback=_numbers,
)
@click.option(
    "--fidelity",
    "fidelities",
    default="0.5,1",
    show_default=True,
    metavar="W,W,...",
    callback=_numbers,
    help="Of fidelity, posterior mean and VAE residual; each is combined with each strength.",
)
@click.option(
    "--reach",
    default="damage",
    show_default=True,
    type=click.Choice(REACHES),
    help="Where it acts.",
)
@click.option(
    "--steps",
    default="auto",
    show_default=True,
    metavar="N|auto",
    callback=shared.auto_or(int, "a whole number"),
    help="Steps of sampling.",
)
@_out(required=True)
def diffusion(
    data: Path,
    preset: str,
    count: int,
    device: str,
    as_json: bool,
    seed: int,
    size: int,
    level: str,
    strengths: tuple[Any, ...],
    fidelities: tuple[Any, ...],
    reach: Any,
    steps: Any,
    out: Path,
) -> int:
    """Measure what the diffusion model adds to the first stage on old photos.

    \b
    Example:
      unfade bench diffusion --data photos/ --out diffusion/ --count 127
    """
    from unfade.bench.protocols.diffusion import Settings, diffusion

    settings = Settings(
        data, out, preset, count or None, size or None, seed, level, strengths, fidelities, reach,
        steps, device,
    )  # fmt: skip
    return _run(lambda progress: diffusion(settings, progress), as_json)


_saturation = click.option(
    "--saturation",
    type=float,
    default=1.0,
    show_default=True,
    metavar="S",
    help="Factor on the chroma.",
)


@click.command("colours")
@_common(50)
@_seed
@click.option(
    "--train",
    required=True,
    type=_PATH,
    metavar="DIR",
    help="Training photos, for the mean colour.",
)
@click.option(
    "--pairs",
    type=click.IntRange(min=0),
    default=40,
    show_default=True,
    metavar="N",
    help="Pairs of prompts that differ in one colour word.",
)
@click.option(
    "--steps",
    default="auto",
    show_default=True,
    metavar="N|auto",
    callback=shared.auto_or(int, "a whole number"),
    help="Steps of sampling.",
)
@click.option("--guidance", type=float, metavar="G", help="How much prompts count.")
@click.option(
    "--strength",
    default="auto",
    show_default=True,
    metavar="auto|S",
    callback=shared.auto_or(float, "a number"),
    help="Of the diffusion model; auto is the preset's own.",
)
@_saturation
@_out(required=True)
def colours(
    data: Path,
    preset: str,
    count: int,
    device: str,
    as_json: bool,
    seed: int,
    train: Path,
    pairs: int,
    steps: Any,
    guidance: float | None,
    strength: Any,
    saturation: float,
    out: Path,
) -> int:
    """Measure colourising: errors of colour, and whether colour words in prompts are obeyed.

    The photos need a captions.jsonl beside them. OUT/pairs.png shows the pairs of prompts.

    \b
    Example:
      unfade bench colours --data photos/ --train training/ --out colours/
    """
    from unfade.bench.protocols.colour_methods import ColourMethods
    from unfade.bench.protocols.colours import Settings, colours

    methods = ColourMethods(preset, seed, steps, guidance, strength, saturation, device)
    settings = Settings(data, train, out, methods, count or None, pairs)
    return _run(lambda progress: colours(settings, progress), as_json)


@click.command("garments")
@_common(100)
@_seed
@click.option(
    "--prompts",
    type=click.IntRange(min=0),
    default=200,
    show_default=True,
    metavar="N",
    help="Prompts that give a garment another colour.",
)
@_saturation
@_out(required=True)
def garments(
    data: Path,
    preset: str,
    count: int,
    device: str,
    as_json: bool,
    seed: int,
    prompts: int,
    saturation: float,
    out: Path,
) -> int:
    """Measure colourising on photos that training held out, and garments that prompts rename.

    --data names the photos of `unfade train colour`, with captions and labelled garments: those
    that it holds out are coloured, and the others say which colours things have. OUT/garments.png
    shows some renamed garments.

    \b
    Example:
      unfade bench garments --data training/ --out garments/
    """
    from unfade.bench.protocols.colour_methods import ColourMethods
    from unfade.bench.protocols.garments import Settings, garments

    methods = ColourMethods(preset, seed, saturation=saturation, device=device)
    settings = Settings(data, out, methods, count or None, prompts)
    return _run(lambda progress: garments(settings, progress), as_json)


PROTOCOLS: dict[str, click.Command] = {
    str(command.name): command
    for command in (old_photo, false_alarms, super_resolution, diffusion, colours, garments)
}
#: A protocol that is a table too, where --out or --prepare asks for one.
ALSO_TABLES = ("old-photo",)


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

        def report(done: int, total: int, text: str) -> None:
            if not bars:
                bars.append(stack.enter_context(Bar(total)))
            bars[0].reporter(done, text)

        yield report
