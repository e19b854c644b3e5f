"""`unfade restore`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

import unfade.manifest as manifests
from unfade.cli import options as shared
from unfade.cli.batch import Result, run_batch
from unfade.cli.jobs import COMPARE_SUFFIX, Job, plan
from unfade.errors import OutputError
from unfade.options import TASKS, TONES, RestoreOptions
from unfade.types import Progress

if TYPE_CHECKING:
    from unfade.api import Restorer
    from unfade.manifest import Manifest, Value


@click.command(cls=shared.RestoreCommand)
@shared.inputs
@shared.out
@click.option(
    "--task",
    type=click.Choice(TASKS),
    default="old-photo",
    show_default=True,
    help="Mend an old photo, enlarge a small one, or give a gray one colours.",
)
@click.option(
    "--mask",
    callback=shared.mask_source,
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
    help="Mend faded tone and cast, or keep them.  [default: auto for old photos, else keep]",
)
@shared.model_options
@shared.sampling_options
@click.option("--compare", is_flag=True, help="Write NAME.compare.png: before, mask and after.")
@shared.work_options
@shared.reserved_option("--report", what="a page about the batch")
def restore(
    inputs: tuple[str, ...],
    out: str,
    options: RestoreOptions,
    compare: bool,
    overwrite: bool,
    as_json: bool,
    verbose: bool,
) -> int:
    """Restore photos: fill scratches and cracks, clean, and mend faded tones.

    INPUT is a file, a folder (searched with its sub-folders) or a glob. Each result keeps its
    input's name, format, bit depth and metadata; NAME.json beside it says how it was made.
    A finished result with the same settings is not made again.

    \b
    Examples:
      unfade restore print.jpg -o restored.jpg
      unfade restore scans/ -o restored/ --compare
      unfade restore 'scans/**/*.tif' -o restored/ --only-damage
      unfade restore print.jpg -o restored/ --mask mask.png
      unfade restore small.jpg -o large/ --task super-resolution --scale 4
      unfade restore gray.jpg -o coloured/ --task colorize --prompt "a red dress, green grass"
    """
    protected = [options.mask] if isinstance(options.mask, Path) else []
    jobs = plan(inputs, out, protected=protected, variants=options.variants)

    from unfade.api import Restorer

    restorer = Restorer.from_pretrained(
        options.preset, device=options.device, base=options.base, controlnet=options.controlnet
    )
    work = RestoreWork(
        restorer,
        options,
        restorer.record(options),
        restorer.weights_for(options),
        overwrite,
        compare,
    )
    summary = run_batch(jobs, work, command="restore", as_json=as_json, verbose=verbose)
    return summary.exit_code


@dataclass(frozen=True)
class RestoreWork:
    """Restores one photo, unless that has been done."""

    restorer: Restorer
    options: RestoreOptions
    record: dict[str, Value]  # the options as a manifest holds them
    weights: dict[str, str]  # what a manifest says of them
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
            made = (restored, *restored.variants)
            for output, one in zip(job.outputs, made, strict=True):
                write_compare(compare_path(output), before, one.mask, one.image)
        return Result("done", _note(manifest), self._details(job, manifest))

    def _finished(self, job: Job) -> Manifest | None:
        """The manifest of a result that need not be made again, None where there is work to do.

        Of several variants it is the first one's, and all must be there.

        Raises:
            OutputError: there is a file that this command must not replace unasked.
        """
        digest = manifests.sha256_file(job.source)
        found = [self._finished_output(output, digest) for output in job.outputs]
        return None if None in found else found[0]

    def _finished_output(self, output: Path, input_sha256: str) -> Manifest | None:
        """As `_finished`, of one file."""
        if not os.path.lexists(output):
            return None
        fix = "move it away, name another OUT, or use --overwrite"
        manifest = manifests.find(output)
        if manifest is None:
            got = "a file that has no record of unfade's beside it"
            raise OutputError(got, "nothing, or an earlier result", fix, path=output)
        finished = manifests.is_finished(
            manifest, options=self.record, weights=self.weights, input_sha256=input_sha256
        )
        if finished and (not self.compare or compare_path(output).exists()):
            return manifest
        record = manifest["output"]
        if record is not None and record["sha256"] != manifests.sha256_file(output):
            got = "a result that was changed after unfade wrote it"
            raise OutputError(got, "an untouched result", fix, path=output)
        return None

    def _details(self, job: Job, manifest: Manifest) -> dict[str, object]:
        first = job.outputs[0]
        compare = compare_path(first)
        return {
            "outputs": [str(output) for output in job.outputs],
            "manifest": str(manifests.sidecar(first)),
            "compare": str(compare) if compare.exists() else None,
            "damaged": manifest["damaged"],
            "diffusion": manifest["diffusion"],
            "alignment": manifest["alignment"],
            "stages": manifest["seconds"],
            "peak_memory_mib": manifest["peak_memory_mib"],
        }


def compare_path(output: Path) -> Path:
    """Where the before/mask/after picture of a result lies: beside its manifest, named alike."""
    return manifests.sidecar(output).with_suffix(COMPARE_SUFFIX)


def _note(manifest: Manifest) -> str:
    """What was done, in a few words."""
    damaged, task = manifest["damaged"], manifest["options"]["task"]
    notes = {"super-resolution": ["enlarged"], "colorize": ["coloured"]}.get(str(task), [])
    if damaged is not None or task == "old-photo":
        notes.append("nothing filled" if not damaged else f"{100 * damaged:.2f} % filled")
    if manifest["diffusion"] is not None and task == "old-photo":
        strength = manifest["diffusion"]["strength"]
        notes.append(f"diffusion at strength {strength:g}" if strength else "no diffusion needed")
    return ", ".join(notes)
