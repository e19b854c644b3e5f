"""Command `unfade detect`: finds damage in photos, and writes it as masks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

import unfade.manifest as manifests
from unfade.cli import options as shared
from unfade.cli.batch import Result, run_batch
from unfade.cli.jobs import Job, plan
from unfade.options import RestoreOptions, Sensitivity
from unfade.types import Progress

if TYPE_CHECKING:
    from unfade.api import Restorer


@click.command()
@shared.inputs
@shared.out
@click.option("--soft", is_flag=True, help="Write probabilities (255 = certain), not yes and no.")
@shared.work_options
def detect(
    inputs: tuple[str, ...],
    out: str,
    soft: bool,
    preset: str,
    tile: int,
    sensitivity: Sensitivity,
    threshold: float | None,
    protect: tuple[Path, ...],
    device: str,
    max_pixels: int,
    overwrite: bool,
    as_json: bool,
    verbose: bool,
) -> int:
    """Find scratches, cracks, folds and spots, and write them as masks.

    A mask is STEM.png: 8-bit gray, the photo's size, 255 = damaged; of print.jpg and print.tif,
    print.jpg.png and print.tif.png. A mask that is there already is left alone, unless
    --overwrite is given.

    \b
    Examples:
      unfade detect print.jpg -o print-mask.png
      unfade detect scans/ -o masks/
      unfade detect print.jpg -o print-mask.png --sensitivity high --protect face.png
    """
    options = RestoreOptions(
        preset=preset, tile=tile, sensitivity=sensitivity, threshold=threshold, protect=protect,
        device=device, max_pixels=max_pixels,
    )  # fmt: skip
    jobs = plan(inputs, out, suffix=".png", protected=protect)

    from unfade.api import Restorer

    restorer = Restorer.from_pretrained(preset, device=device)
    work = DetectWork(restorer, options, soft, overwrite)
    summary = run_batch(jobs, work, command="detect", as_json=as_json, verbose=verbose)
    return summary.exit_code


@dataclass(frozen=True)
class DetectWork:
    """Writes the mask of one photo, unless there is one."""

    restorer: Restorer
    options: RestoreOptions
    soft: bool
    overwrite: bool

    def __call__(self, job: Job, progress: Progress) -> Result:
        """Does one job. UnfadeError where the photo cannot be read or the mask written."""
        import numpy as np

        from unfade.imaging import write_mask

        manifests.make_folder(job.output.parent)
        if os.path.lexists(job.output) and not self.overwrite:
            return Result("skipped", "already there; --overwrite makes it again", {})
        mask = self.restorer.detect(
            job.source,
            soft=self.soft,
            sensitivity=self.options.sensitivity,
            threshold=self.options.threshold,
            protect=self.options.protect,
            tile=self.options.tile,
            max_pixels=self.options.max_pixels,
            progress=progress,
        )
        write_mask(job.output, mask)
        if self.soft:
            return Result("done", "", {})
        share = float(np.count_nonzero(mask)) / mask.size
        return Result(
            "done", f"{100 * share:.2f} % of the photo marked", {"damaged": round(share, 6)}
        )
