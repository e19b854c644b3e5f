"""`unfade restore`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

import unfade.manifest as manifests
from unfade.cli import options as shared
from unfade.cli.batch import Result, run_batch
from unfade.cli.jobs import COMPARE_SUFFIX, Job, plan
from unfade.errors import OutputError, UsageError
from unfade.types import TASKS, TONES, Progress, RestoreOptions, Task, Tone

if TYPE_CHECKING:
    from unfade.api import Restorer
    from unfade.manifest import Manifest, Value


@click.command()
@shared.inputs
@shared.out
@click.option(
    "--task",
    type=click.Choice(TASKS),
    default="old-photo",
    show_default=True,
    help="What to mend. The last two are reserved for the diffusion model.",
)
@click.option(
    "--mask",
    default="auto",
    show_default=True,
    metavar="auto|none|FILE",
    help="Where the damage is: find it, fill nothing, or a picture with the damage in white.",
)
@click.option(
    "--only-damage",
    is_flag=True,
    help="Leave every pixel outside the damage as it is, bit for bit.",
)
@click.option(
    "--tone",
    type=click.Choice(TONES),
    default="auto",
    show_default=True,
    help="Mend faded tone and cast, or keep them.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="For what is random (nothing is yet).",
)
@click.option("--compare", is_flag=True, help="Write NAME.compare.png: before, mask and after.")
@shared.work_options
@shared.reserved_option("--base", metavar="ID|PATH")
@shared.reserved_option("--controlnet", metavar="ID|PATH")
@shared.reserved_option("--prompt", metavar="TEXT")
@shared.reserved_option("--negative-prompt", metavar="TEXT")
@shared.reserved_option("--guidance", metavar="G")
@shared.reserved_option("--self-condition", metavar="C")
@shared.reserved_option("--scale", metavar="N")
@shared.reserved_option("--fidelity", metavar="F")
@shared.reserved_option("--strength", metavar="S")
@shared.reserved_option("--steps", metavar="N")
@shared.reserved_option("--variants", metavar="N")
@shared.reserved_option("--report", metavar="", flag=True)
def restore(
    inputs: tuple[str, ...],
    out: str,
    task: Task,
    mask: str,
    only_damage: bool,
    tone: Tone,
    seed: int,
    compare: bool,
    preset: str,
    tile: int,
    threshold: float | None,
    device: str,
    max_pixels: int,
    overwrite: bool,
    as_json: bool,
    verbose: bool,
) -> int:
    """Restore photos: fill scratches and cracks, clean, and mend faded tones.

    INPUT is a file, a folder (searched with its sub-folders) or a glob. Each result keeps its
    input's name, format, size, bit depth and metadata; NAME.json beside it says how it was made.
    A finished result with the same settings is not made again.

    \b
    Examples:
      unfade restore print.jpg -o restored.jpg
      unfade restore scans/ -o restored/ --compare
      unfade restore 'scans/**/*.tif' -o restored/ --only-damage
      unfade restore print.jpg -o restored/ --mask mask.png
    """
    options = RestoreOptions(
        task=task,
        mask=_mask_option(mask),
        only_damage=only_damage,
        tone=tone,
        tile=tile,
        threshold=threshold,
        seed=seed,
        max_pixels=max_pixels,
        preset=preset,
        device=device,
    )
    protected = [options.mask] if isinstance(options.mask, Path) else []
    jobs = plan(inputs, out, protected=protected)

    from unfade.api import Restorer

    restorer = Restorer.from_pretrained(preset, device=device)
    work = RestoreWork(restorer, options, restorer.record(options), overwrite, compare)
    summary = run_batch(jobs, work, command="restore", as_json=as_json, verbose=verbose)
    return summary.exit_code


def _mask_option(mask: str) -> Literal["auto", "none"] | Path:
    if mask == "auto" or mask == "none":
        return mask
    path = Path(mask)
    if not path.is_file():
        raise UsageError("no such file", "auto, none or a mask", "check the name", path=path)
    return path


@dataclass(frozen=True)
class RestoreWork:
    """Restores one photo, unless that has been done."""

    restorer: Restorer
    options: RestoreOptions
    record: dict[str, Value]  # the options as a manifest holds them
    overwrite: bool
    compare: bool

    def __call__(self, job: Job, progress: Progress) -> Result:
        """Does one job. UnfadeError where the photo cannot be read or the result written."""
        manifests.make_folder(job.output.parent)
        finished = None if self.overwrite else self._finished(job)
        if finished is not None:
            return Result("skipped", "already done", self._details(job, finished))
        restored = self.restorer.run(job.source, self.options, progress=progress)
        manifest = restored.save(job.output)
        if self.compare:
            from unfade.cli.compare import write_compare
            from unfade.imaging import read_photo

            before = read_photo(job.source, max_pixels=self.options.max_pixels)
            write_compare(compare_path(job.output), before, restored.mask, restored.image)
        return Result("done", _note(manifest), self._details(job, manifest))

    def _finished(self, job: Job) -> Manifest | None:
        """The manifest of a result that need not be made again, None where there is work to do.

        Raises:
            OutputError: there is a file that this command must not replace unasked.
        """
        if not os.path.lexists(job.output):
            return None
        fix = "move it away, name another OUT, or use --overwrite"
        manifest = manifests.find(job.output)
        if manifest is None:
            got = "a file that has no record of unfade's beside it"
            raise OutputError(got, "nothing, or an earlier result", fix, path=job.output)
        finished = manifests.is_finished(
            manifest,
            options=self.record,
            weights=self.restorer.weights,
            input_sha256=manifests.sha256_file(job.source),
        )
        if finished and (not self.compare or compare_path(job.output).exists()):
            return manifest
        output = manifest["output"]
        if output is not None and output["sha256"] != manifests.sha256_file(job.output):
            got = "a result that was changed after unfade wrote it"
            raise OutputError(got, "an untouched result", fix, path=job.output)
        return None

    def _details(self, job: Job, manifest: Manifest) -> dict[str, object]:
        compare = compare_path(job.output)
        return {
            "manifest": str(manifests.sidecar(job.output)),
            "compare": str(compare) if compare.exists() else None,
            "damaged": manifest["damaged"],
            "alignment": manifest["alignment"],
            "stages": manifest["seconds"],
            "peak_memory_mib": manifest["peak_memory_mib"],
        }


def compare_path(output: Path) -> Path:
    """Where the before/mask/after picture of a result lies: beside its manifest, named alike."""
    return manifests.sidecar(output).with_suffix(COMPARE_SUFFIX)


def _note(manifest: Manifest) -> str:
    damaged = manifest["damaged"]
    return "nothing filled" if not damaged else f"{100 * damaged:.2f} % filled"
