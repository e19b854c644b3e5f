"""Command `unfade restore`: restores photos, and writes a manifest beside each result."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

import unfade.manifest as manifests
from unfade.cli import options as shared
from unfade.cli.batch import Result, run_batch
from unfade.cli.jobs import Job, plan
from unfade.errors import OutputError, UnfadeError, printable
from unfade.files.photos import COMPARE_SUFFIX
from unfade.options import EXISTING_COLOURS, RestoreOptions
from unfade.types import Progress
from unfade.warning_capture import capture_warnings

if TYPE_CHECKING:
    from unfade.api import Restorer
    from unfade.cli.album import Album
    from unfade.imaging import Photo
    from unfade.manifest import Manifest, Value
    from unfade.types import Restored

_STALE_S = 3600  # age from which a temporary file is left over


@click.command(cls=shared.RestoreCommand)
@shared.inputs
@shared.out
@shared.photo_options
@shared.weights_options
@shared.prompt_options
@shared.sampling_options
@shared.quality
@click.option(
    "--compare", is_flag=True, help="Write NAME.compare.png: before, what was filled, and after."
)
@click.option(
    "--report", is_flag=True, help="Write report.html into OUT: every photo before and after."
)
@shared.work_options
def restore(
    inputs: tuple[str, ...],
    out: str,
    options: RestoreOptions,
    quality: int | None,
    compare: bool,
    report: bool,
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
      unfade restore scans/ -o restored/ --compare --report
      unfade restore 'scans/**/*.tif' -o restored/ --only-damage
      unfade restore print.jpg -o restored/ --mask mask.png
      unfade restore print.jpg -o restored/ --sensitivity low --protect face.png
      unfade restore gray.jpg -o coloured/ --colour-region dress.png=red
      unfade restore small.jpg -o large/ --task super-resolution --scale 4
      unfade restore gray.jpg -o coloured/ --task colorize --prompt "a red dress, green grass"
    """
    protected = [options.mask] if isinstance(options.mask, Path) else []
    protected += [region.mask for region in options.colour_regions]
    protected += options.protect
    jobs = plan(inputs, out, protected=protected, variants=options.variants)

    _remove_leftovers(jobs)
    page = _report_path(out, jobs, overwrite=overwrite) if report else None

    from unfade.api import Restorer

    restorer = Restorer.from_pretrained(
        options.preset, device=options.device, base=options.base, controlnet=options.controlnet,
        prediction=options.prediction, dtype=options.dtype, offload=options.offload,
        compiled=options.compiled,
    )  # fmt: skip
    options = _ask_existing_colours(options, jobs, restorer)
    work = RestoreWork(
        restorer,
        options,
        restorer.record(options) | ({} if quality is None else {"quality": quality}),
        restorer.weights_for(options),
        overwrite,
        compare,
        _make_album() if report else None,
        quality,
    )
    summary = run_batch(jobs, work, command="restore", as_json=as_json, verbose=verbose)
    if page is not None and work.album is not None:
        from unfade.cli.report import write_report

        write_report(page, summary, work.album, work.record, work.weights)
        click.echo(f"{printable(page)}: the report", err=as_json)
    return summary.exit_code


def _ask_existing_colours(
    options: RestoreOptions, jobs: Sequence[Job], restorer: Restorer
) -> RestoreOptions:
    """Asks once whether photos that have colours are refreshed or recoloured, on a terminal."""
    answers = sys.stdin.isatty() and sys.stderr.isatty()
    if options.task != "colorize" or options.existing_colours is not None or not answers:
        return options
    for job in jobs:
        try:
            coloured = job.problem is None and restorer.has_colours(
                job.source, max_pixels=options.max_pixels
            )
        except UnfadeError:  # raised again by its job
            continue
        if coloured:
            scope = " The answer holds for all photos of this run." if len(jobs) > 1 else ""
            answer = click.prompt(
                f"{printable(job.source)}: this photo has colours. Refresh them, or replace them "
                f"with new ones?{scope}",
                type=click.Choice(EXISTING_COLOURS), default="refresh", err=True,
            )  # fmt: skip
            return replace(options, existing_colours=answer)
    return options


@dataclass(frozen=True)
class RestoreWork:
    """Restores one photo, unless it has an up-to-date result."""

    restorer: Restorer
    options: RestoreOptions
    record: dict[str, Value]  # the options as in a manifest
    weights: dict[str, str]  # file -> SHA-256
    overwrite: bool
    compare: bool
    album: Album | None  # of the report, None without one
    quality: int | None = None

    def __call__(self, job: Job, progress: Progress) -> Result:
        """Does one job. UnfadeError where the photo cannot be read or the result written."""
        manifests.make_folder(job.output.parent)
        self._require_names(job)
        finished = None if self.overwrite else self._finished(job)
        if finished is not None:
            if self.album is not None:
                paths = (job.source, *_outputs(job, finished))
                before, *after = (self._read(path) for path in paths)
                self.album.add_finished(job.source, finished, before, after)
            return Result("skipped", "already done", self._details(job, finished))
        with capture_warnings(job.source) as warnings:
            restored = self.restorer.run(job.source, self.options, progress=progress)
            manifest = restored.save(job.output, quality=self.quality)
            if self.compare or self.album is not None:
                self._add_pictures(job, restored, manifest, warnings)
        return Result("done", _note(manifest), self._details(job, manifest))

    def _require_names(self, job: Job) -> None:
        """Raises OutputError, before any work, if a file name is too long for the disk."""
        for output in job.outputs:
            for path in (output, manifests.sidecar(output)):
                _require_name(path, "rename the photo")
            if self.compare:
                _require_name(compare_path(output), "rename the photo, or leave out --compare")

    def _add_pictures(
        self, job: Job, restored: Restored, manifest: Manifest, warnings: list[str]
    ) -> None:
        """Writes the comparison picture of a result, and adds it to the album."""
        before = self._read(job.source)
        if self.compare:
            from unfade.cli.compare import write_compare
            from unfade.masks import harden

            results = (restored, *restored.variants)
            threshold = float(str(manifest["options"]["threshold"]))
            for output, result in zip(restored.outputs(job.output), results, strict=True):
                filled = None if result.mask is None else harden(result.mask, threshold)
                write_compare(compare_path(output), before, filled, result.image)
        if self.album is not None:
            self.album.add(job.source, manifest, warnings, before, restored)

    def _read(self, path: Path) -> Photo:
        from unfade.imaging import read_photo

        return read_photo(path, max_pixels=self.options.max_pixels)

    def _finished(self, job: Job) -> Manifest | None:
        """The manifest of an up-to-date result, None if there is none.

        With several variants it is the manifest of the first, and all must be there; of variants
        that do not differ only the first is written.

        Raises:
            OutputError: there is a file that may be replaced with --overwrite only.
        """
        digest = manifests.sha256_file(job.source)
        first = self._finished_output(job.outputs[0], digest)
        others = job.outputs[1:] if first is None else _outputs(job, first)[1:]
        variants = [self._finished_output(output, digest) for output in others]
        return None if None in variants else first

    def _finished_output(self, output: Path, input_sha256: str) -> Manifest | None:
        """The same for one file."""
        if not os.path.lexists(output):
            return None
        fix = "move it away, name another OUT, or use --overwrite"
        manifest = manifests.find(output)
        if manifest is None:
            if self._interrupted(output, input_sha256):
                return None
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

    def _interrupted(self, output: Path, input_sha256: str) -> bool:
        """Whether a result was written from this input without its manifest (unfade was killed).

        A result that was changed long after it was made may have been edited.
        """
        try:
            note = manifests.note(self._read(output).metadata.xmp)
        except UnfadeError:
            return False
        if note is None or note.input_sha256 != input_sha256:
            return False
        return output.stat().st_mtime - note.created_s < _STALE_S

    def _details(self, job: Job, manifest: Manifest) -> dict[str, object]:
        outputs = _outputs(job, manifest)
        first = outputs[0]
        compare = compare_path(first)
        return {
            "outputs": [str(output) for output in outputs],
            "manifest": str(manifests.sidecar(first)),
            "compare": str(compare) if os.path.lexists(compare) else None,
            "damaged": manifest["damaged"],
            "diffusion": manifest["diffusion"],
            "alignment": manifest["alignment"],
            "stages": manifest["seconds"],
            "peak_memory_mib": manifest["peak_memory_mib"],
        }


def _remove_leftovers(jobs: Sequence[Job]) -> None:
    """Removes temporary files of killed runs from the folders of the results."""
    from unfade.files import remove_leftovers

    for folder in {job.output.parent for job in jobs}:
        remove_leftovers(folder, age_s=_STALE_S)


def _report_path(out: str, jobs: Sequence[Job], *, overwrite: bool) -> Path:
    """The path of the report: in OUT, or beside it if OUT is the name of a result."""
    from unfade.cli.report import report_path

    folder = Path(out)
    is_file = any(job.output == folder for job in jobs)
    return report_path(folder.parent if is_file else folder, overwrite=overwrite)


def _make_album() -> Album:
    from unfade.cli.album import Album

    return Album()


def _outputs(job: Job, manifest: Manifest) -> list[Path]:
    """The files that a finished job has written, by the manifest of the first."""
    return job.outputs[:1] if manifest["variant"] is None else job.outputs


def compare_path(output: Path) -> Path:
    """The path of the before/mask/after picture of a result, beside its manifest."""
    return manifests.sidecar(output).with_suffix(COMPARE_SUFFIX)


def _require_name(path: Path, fix: str) -> None:
    try:
        path.lstat()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            got = f"too long a name for this disk ({len(os.fsencode(path.name))} bytes)"
            raise OutputError(got, "a shorter one", fix, path=path) from error


def _note(manifest: Manifest) -> str:
    """A short note about what was done."""
    damaged, task = manifest["damaged"], manifest["options"]["task"]
    notes = {"super-resolution": ["enlarged"], "colorize": ["coloured"]}.get(str(task), [])
    if (manifest["colours"] or {}).get("refreshed"):
        notes = ["colours refreshed"]
    if damaged is not None or task == "old-photo":
        notes.append("nothing filled in" if not damaged else f"{100 * damaged:.2f} % filled in")
    if manifest["diffusion"] is not None and task == "old-photo":
        strength = manifest["diffusion"]["strength"]
        notes.append(f"redrawn with strength {strength:g}" if strength else "nothing redrawn")
    return ", ".join(notes)
