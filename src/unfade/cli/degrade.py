"""Command `unfade degrade`: ages clean photos, and writes the masks of their damage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from unfade.cli import options as shared
from unfade.cli.batch import Result, run_batch
from unfade.cli.jobs import Job, plan
from unfade.errors import UsageError, printable
from unfade.files import atomic_file, make_folder
from unfade.options import MAX_PIXELS
from unfade.types import Progress

RECIPES = ("old-photo", "deterioration", "real-sr", "joint")
LEVELS = (
    "light", "moderate", "heavy", "noise+blur", "scratches+fading", "compression+noise",
    "motion+impulse", "stripes+levels",
)  # fmt: skip


@click.command()
@shared.inputs
@shared.out
@click.option(
    "--recipe", type=click.Choice(RECIPES), default="old-photo", show_default=True,
    help="old-photo: fading, grain, cracks, the scanner, as in training. deterioration: a second "
    "recipe, for validation alone. real-sr: small and compressed. joint: what --blur, --scale and "
    "--noise say.",
)  # fmt: skip
@click.option(
    "--severity", "level", type=click.Choice(LEVELS), default="moderate", show_default=True,
    help="How much, for the recipes of old photos; a+b, of old-photo alone, draws these two kinds.",
)  # fmt: skip
@click.option(
    "--scale", type=click.Choice(["1", "2", "4"]), default="4", show_default=True,
    help="How many pixels of a side become one, for real-sr (2 or 4) and joint.",
)  # fmt: skip
@click.option(
    "--blur", type=click.FloatRange(min=0), default=2.0, show_default=True,
    help="For joint: sigma of the Gaussian in pixels, for a short side of 512.",
)  # fmt: skip
@click.option(
    "--noise", type=click.FloatRange(0, 1), default=0.05, show_default=True,
    help="For joint: standard deviation of the noise; 1 is from black to white.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--masks", is_flag=True,
    help="Write the exact damage into a folder of its own, OUT-masks, as STEM.png.",
)  # fmt: skip
@click.option("--max-pixels", type=click.IntRange(min=1), default=MAX_PIXELS, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One summary for machines on stdout.")
@click.option("-v", "--verbose", is_flag=True, help="Show tracebacks.")
def degrade(
    inputs: tuple[str, ...],
    out: str,
    recipe: str,
    level: str,
    scale: str,
    blur: float,
    noise: float,
    seed: int,
    masks: bool,
    max_pixels: int,
    as_json: bool,
    verbose: bool,
) -> int:
    """Age photos on purpose.

    What was done to each photo goes into a STEM.json beside it. A photo is aged in the same way
    whatever else is in the batch: its damage depends on the seed and its place among the inputs.

    \b
    Examples:
      unfade degrade clean/ -o aged/ --severity heavy --masks
      unfade degrade clean.png -o small.png --recipe real-sr --scale 2
    """
    jobs = plan(inputs, out)
    order = {job.source: number for number, job in enumerate(jobs)}
    folder = masks_folder(out, jobs) if masks else None
    work = DegradeWork(order, recipe, level, int(scale), blur, noise, seed, folder, max_pixels)
    return run_batch(jobs, work, command="degrade", as_json=as_json, verbose=verbose).exit_code


@dataclass(frozen=True)
class MasksFolder:
    """The folder of masks, apart from the photos, so that masks are not restored as photos."""

    folder: Path
    root: Path  # of the photos: sub-folders below it are kept

    def path(self, output: Path) -> Path:
        """The mask of a photo."""
        return (self.folder / output.relative_to(self.root)).with_suffix(".png")


def masks_folder(out: str, jobs: Sequence[Job]) -> MasksFolder:
    """OUT-masks beside the folder OUT, or STEM-masks beside the file.

    Raises:
        UsageError: two photos would have the same mask.
    """
    root = Path(out)
    if any(job.output == root for job in jobs):
        masks = MasksFolder(root.with_name(f"{root.stem}-masks"), root.parent)
    else:
        named = root.resolve() if root.name in ("", "..") else root
        masks = MasksFolder(named.with_name(f"{named.name}-masks"), root)
    paths = Counter(masks.path(job.output) for job in jobs)
    path, count = paths.most_common(1)[0]
    if count > 1:
        got = f"{count} photos whose names differ in their suffix alone ({path.stem})"
        fix = "rename them, or age them one after the other"
        raise UsageError(got, "a mask of its own for each photo", fix)
    return masks


@dataclass(frozen=True)
class DegradeWork:
    """Ages one photo."""

    order: dict[Path, int]
    recipe: str
    level: str
    scale: int
    blur: float
    noise: float
    seed: int
    masks: MasksFolder | None
    max_pixels: int

    def __call__(self, job: Job, progress: Progress) -> Result:
        """Does one job. UnfadeError where the photo cannot be read or the result written."""
        import json

        import numpy as np

        from unfade.degrade import degrade as age
        from unfade.imaging import read_photo, write_mask, write_photo
        from unfade.rng import generator

        make_folder(job.output.parent)
        photo = read_photo(job.source, max_pixels=self.max_pixels)
        hq = photo.srgb(slice(0, photo.height), slice(0, photo.width))
        number = self.order[job.source]
        rng = generator(self.seed, "degrade", number)
        aged = age(
            hq, rng, self.recipe, level=self.level, scale=self.scale, blur=self.blur,
            noise=self.noise,
        )  # fmt: skip
        h, w = aged.lq.shape[:2]
        canvas = photo.blank(gray=False, size=(h, w))
        canvas.alpha = None
        canvas.put_srgb(slice(0, h), slice(0, w), aged.lq)
        write_photo(job.output, canvas)
        note = ""
        if self.masks is not None:
            path = self.masks.path(job.output)
            note = f"mask: {printable(path)}"
            make_folder(path.parent)
            write_mask(path, np.rint(aged.mask * 255).astype(np.uint8))
        record = {
            "recipe": self.recipe, "severity": self.level, "scale": self.scale,
            "seed": self.seed, "number": number, "operations": aged.params,
        }  # fmt: skip
        with atomic_file(job.output.with_suffix(".json")) as handle:
            handle.write((json.dumps(record, indent=2) + "\n").encode())
        progress("degrade", 1.0)
        return Result("done", note, {"damaged": round(float(aged.mask.mean()), 6)})
