"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from unfade.colours import ColourRegion
from unfade.errors import UsageError
from unfade.options import (
    DTYPES,
    EXISTING_COLOURS,
    GUIDANCE,
    MAX_PIXELS,
    MIN_TILE,
    PREDICTIONS,
    REACHES,
    SCALE,
    SENSITIVITIES,
    TASKS,
    TONES,
    RestoreOptions,
)

if TYPE_CHECKING:
    from unfade.eval.images import Protocol

F = TypeVar("F", bound=Callable[..., Any])

inputs = click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
out = click.option(
    "-o",
    "--out",
    required=True,
    metavar="OUT",
    help="A folder; for a single INPUT it may be the file to write.",
)


def photo_options(command: F) -> F:
    """The options of task, mask, tone and colours."""
    options = [
        click.option(
            "--task",
            type=click.Choice(TASKS),
            default="old-photo",
            show_default=True,
            help="Mend an old photo, enlarge a small one, or give a gray one colours.",
        ),
        click.option(
            "--mask",
            callback=mask_source,
            default="auto",
            show_default=True,
            metavar="auto|none|FILE",
            help="Where the damage is: find it, fill nothing, or a picture with the damage in "
            "white.",
        ),
        click.option(
            "--only-damage",
            is_flag=True,
            help="Leave every pixel outside the damage as it is, bit for bit.",
        ),
        click.option(
            "--tone",
            type=click.Choice(TONES),
            help="Mend faded tone and cast, or keep them.  [default: auto for old photos, else "
            "keep]",
        ),
        click.option(
            "--colour-region",
            "colour_regions",
            callback=colour_regions,
            multiple=True,
            metavar="MASK=COLOUR",
            help="Give a region, white in MASK, a colour: a word (red, skin, sky ...) or #rrggbb. "
            "May be repeated.",
        ),
        click.option(
            "--existing-colours",
            type=click.Choice(EXISTING_COLOURS),
            help="Of colorize, for a photo that has colours: refresh them (damage stays), or "
            "replace them with new ones.  [default: asks; refresh where there is no terminal]",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


quality = click.option(
    "--quality", type=click.IntRange(1, 100), metavar="Q",
    help="Of a JPEG or lossy WebP, 1..100.  [default: as the input's, at least 92]",
)  # fmt: skip


def work_options(command: F) -> F:
    """The options of every command that runs a model over photos."""
    options = [
        click.option(
            "--preset",
            default="compact",
            show_default=True,
            metavar="compact|sd21|PATH",
            help="The weights: a preset's name, or a folder.",
        ),
        click.option(
            "--tile",
            type=click.IntRange(min=MIN_TILE),
            default=1024,
            show_default=True,
            metavar="PX",
            help="Side of a tile. Less memory with smaller ones; below 256, results change.",
        ),
        click.option(
            "--sensitivity",
            type=click.Choice(SENSITIVITIES),
            default="normal",
            show_default=True,
            help="How much counts as damage: low marks only what is clear, high marks "
            "what is doubtful too.",
        ),
        click.option(
            "--threshold",
            type=float,
            metavar="P",
            help="Advanced: the probability (0..1) from which a pixel counts as damaged, "
            "in place of --sensitivity.",
        ),
        click.option(
            "--protect",
            callback=mask_files,
            multiple=True,
            metavar="FILE",
            help="Never touch what is white in this picture: nothing there is damage, and "
            "every pixel keeps its value. May be repeated.",
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


class RestoreCommand(click.Command):
    """A command whose function receives its RestoreOptions as one parameter, `options`."""

    def invoke(self, ctx: click.Context) -> Any:
        """Makes the RestoreOptions, which checks them, and runs the command."""
        values = {f.name: ctx.params.pop(f.name) for f in fields(RestoreOptions)}
        ctx.params["options"] = RestoreOptions(**values)
        return super().invoke(ctx)


def mask_source(ctx: click.Context, parameter: click.Parameter, value: str) -> str | Path:
    """ "auto", "none", or a path. UsageError where there is no such file."""
    if value in ("auto", "none"):
        return value
    path = Path(value)
    if path.is_dir():
        fix = "restore the photos one by one, each with its mask"
        raise UsageError("a folder", "one mask at a time: auto, none or a file", fix, path=path)
    if not path.is_file():
        raise UsageError("no such file", "auto, none or a mask", "check the name", path=path)
    return path


def mask_files(
    ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> tuple[Path, ...]:
    """Paths of masks. UsageError where there is no such file."""
    paths = tuple(Path(text) for text in value)
    for path in paths:
        if not path.is_file():
            raise UsageError("no such file", "a mask", "check the name", path=path)
    return paths


def colour_regions(
    ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> tuple[ColourRegion, ...]:
    """Parses MASK=COLOUR, which may be repeated. UsageError if one is malformed."""
    return tuple(ColourRegion.from_text(text) for text in value)


def auto_or(
    kind: type[int] | type[float], words: str
) -> Callable[[click.Context, click.Parameter, str], str | float]:
    """Takes "auto" or a number of this kind, whose range `RestoreOptions` checks."""

    def read(ctx: click.Context, parameter: click.Parameter, value: str) -> str | float:
        if value == "auto":
            return value
        try:
            return kind(value)
        except ValueError as error:
            raise click.BadParameter(f"{value!r} is neither 'auto' nor {words}") from error

    return read


_AUTO_OR_NUMBER = auto_or(float, "a number")
_AUTO_OR_WHOLE = auto_or(int, "a whole number")


def weights_options(command: F) -> F:
    """The options of the diffusion model's weights and memory."""
    options = [
        click.option(
            "--base",
            metavar="ID|PATH",
            help="A base model in place of the preset's: a folder, a .safetensors file, or "
            "ID@REVISION on the hub. Without --controlnet it fills the damage.",
        ),
        click.option(
            "--controlnet",
            metavar="ID|PATH",
            help="A ControlNet in place of the preset's: a folder, a .safetensors file, or "
            "ID@REVISION on the hub.",
        ),
        click.option(
            "--prediction",
            type=click.Choice(PREDICTIONS),
            help="What the base model predicts: the noise, or v.  [default: what its files say]",
        ),
        click.option(
            "--dtype",
            type=click.Choice(DTYPES),
            default="auto",
            show_default=True,
            help="Of the diffusion model's weights. auto: bf16 or fp16 on a GPU, by what it has; "
            "fp32 elsewhere.",
        ),
        click.option(
            "--offload",
            is_flag=True,
            help="Keep each network of the diffusion model on the GPU only while it runs.",
        ),
        click.option(
            "--compiled",
            is_flag=True,
            help="Let torch.compile translate the diffusion model: faster steps, after minutes of "
            "waiting. For many photos on one GPU.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def prompt_options(command: F) -> F:
    """The prompts of the diffusion model, and their guidance."""
    options = [
        click.option(
            "--prompt",
            default="",
            metavar="TEXT",
            help='What is in the photo: "a woman in a red dress, green grass".',
        ),
        click.option("--negative-prompt", default="", metavar="TEXT", help="What is not."),
        click.option(
            "--guidance",
            type=float,
            metavar="G",
            help="How much the prompts count, 1 = not more than usual.  "
            f"[default: {GUIDANCE:g}; 1 for the first stage of colours]",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def sampling_options(command: F) -> F:
    """The sampling options of the diffusion model."""
    options = [
        click.option(
            "--self-condition",
            type=float,
            default=0.0,
            show_default=True,
            metavar="C",
            help="Share (0..1) of the photo's place that the model's own estimate takes.",
        ),
        click.option(
            "--scale",
            type=float,
            metavar="N",
            help=f"Of super-resolution, 1 or more.  [default: {SCALE:g}]",
        ),
        click.option(
            "--saturation",
            type=float,
            default=1.0,
            show_default=True,
            metavar="S",
            help="Of colorize, 0..2: how lively the colours are; 0.6 is calm, 1.5 is loud.",
        ),
        click.option(
            "--fidelity",
            callback=_AUTO_OR_NUMBER,
            default="auto",
            show_default=True,
            metavar="auto|F",
            help="0..1, how close to the photo the result stays; 1 = closest. Enlarging, with "
            "weights that have a branch for it (those that ship have none): less adds invented "
            "texture. With the diffusion model: the weight of controllable feature wrapping; auto "
            "is the preset's own, else the less damage, the more; 0 where it colours.",
        ),
        click.option(
            "--posterior-mean",
            callback=_AUTO_OR_NUMBER,
            default="auto",
            show_default=True,
            metavar="auto|M",
            help="0..1, how much of the mean of all likely results stands beside the sampled one; "
            "1 runs one step. auto as for --fidelity.",
        ),
        click.option(
            "--vae-residual",
            callback=_AUTO_OR_NUMBER,
            default="auto",
            show_default=True,
            metavar="auto|R",
            help="0..1, how much of what the autoencoder loses is added again. auto as for "
            "--fidelity.",
        ),
        click.option(
            "--eta",
            type=float,
            default=0.0,
            show_default=True,
            metavar="E",
            help="0..1, the share of the noise that each step draws anew: 0 is DDIM, 1 ancestral.",
        ),
        click.option(
            "--paper",
            is_flag=True,
            help="IIDE as published: the diffusion model alone sees the photo, and samples 50 "
            "steps from pure noise.",
        ),
        click.option(
            "--reach",
            type=click.Choice(REACHES),
            help="Where the diffusion model's result is taken: in the damage, or everywhere.  "
            "[default: damage for old photos without --controlnet, else all]",
        ),
        click.option(
            "--strength",
            callback=_AUTO_OR_NUMBER,
            default="auto",
            show_default=True,
            metavar="auto|S",
            help="0..1, how much the diffusion model may change; 0 leaves the photo to the "
            "first stage. auto: the preset's own; of old photos, the less damage, the less.",
        ),
        click.option(
            "--steps",
            callback=_AUTO_OR_WHOLE,
            default="auto",
            show_default=True,
            metavar="auto|N",
            help="Of the diffusion model. More take longer. auto: as its preset asks for, else 20.",
        ),
        click.option(
            "--seed",
            type=click.IntRange(min=0),
            default=0,
            show_default=True,
            metavar="N",
            help="Of its noise: another one, another result.",
        ),
        click.option(
            "--variants",
            type=click.IntRange(1, 100),
            default=1,
            show_default=True,
            metavar="N",
            help="Results from different noise, written as NAME-1, NAME-2, ...; NAME-1 alone where "
            "all would be alike, as when an old photo is mended without the diffusion model.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def protocol_of(
    space: Literal["rgb", "y"], crop_border: int, metric_device: str, niqe_model: Path | None
) -> Protocol:
    """The protocol of these options. UsageError if there is no such device here."""
    from unfade.eval.images import Protocol

    device = metric_device
    if device != "cpu":
        from unfade.models.checkpoint import pick_device

        device = str(pick_device(device))
    return Protocol(space, crop_border, device, None if niqe_model is None else str(niqe_model))


def measured_pixels(command: F) -> F:
    """Space, border, device and NIQE's parameters of the metrics of `evaluate` and `bench`."""
    space = click.option(
        "--space",
        type=click.Choice(("rgb", "y")),
        default="rgb",
        show_default=True,
        help="Of PSNR, SSIM and MS-SSIM: all channels, or BT.601 luma (16 to 235).",
    )
    border = click.option(
        "--crop-border",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        metavar="PX",
        help="Pixels cut off each side before anything is measured.",
    )
    device = click.option(
        "--metric-device",
        default="cpu",
        show_default=True,
        metavar="D",
        help="Where metrics that are networks run: auto, cpu, cuda, cuda:1 or mps.",
    )
    niqe = click.option(
        "--niqe-model",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="NIQE's clean photos: its authors' parameters (.mat, .npz), or what `unfade evaluate "
        "--fit-niqe` wrote.  [default: ours]",
    )
    return space(border(device(niqe(command))))
