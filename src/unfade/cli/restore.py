"""`unfade restore`."""

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

_STALE_S = 3600  # a file is written in far less


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

    _tidy(jobs)
    page = _report_place(out, jobs, overwrite=overwrite) if report else None

    from unfade.api import Restorer

    restorer = Restorer.from_pretrained(
        options.preset, device=options.device, base=options.base, controlnet=options.controlnet,
        prediction=options.prediction, dtype=options.dtype, offload=options.offload,
        compiled=options.compiled,
    )  # fmt: skip
    options = _ask_about_colours(options, jobs, restorer)
    work = RestoreWork(
        restorer,
        options,
        restorer.record(options) | ({} if quality is None else {"quality": quality}),
        restorer.weights_for(options),
        overwrite,
        compare,
        _album() if report else None,
        quality,
    )
    summary = run_batch(jobs, work, command="restore", as_json=as_json, verbose=verbose)
    if page is not None and work.album is not None:
        from unfade.cli.report import write_report

        write_report(page, summary, work.album, work.record, work.weights)
        click.echo(f"{printable(page)}: the report", err=as_json)
    return summary.exit_code


def _ask_about_colours(
    options: RestoreOptions, jobs: Sequence[Job], restorer: Restorer
) -> RestoreOptions:
    """Asks once, before a photo that has colours is given others; not where nobody can answer."""
    answers = sys.stdin.isatty() and sys.stderr.isatty()
    if options.task != "colorize" or options.existing_colours is not None or not answers:
        return options
    for job in jobs:
        try:
            coloured = job.problem is None and restorer.has_colours(
                job.source, max_pixels=options.max_pixels
            )
        except UnfadeError:  # told when its turn comes
            continue
        if coloured:
            rest = " The answer holds for all photos of this run." if len(jobs) > 1 else ""
            answer = click.prompt(
                f"{printable(job.source)}: this photo has colours. Refresh them, or replace them "
                f"with new ones?{rest}",
                type=click.Choice(EXISTING_COLOURS), default="refresh", err=True,
            )  # fmt: skip
            return replace(options, existing_colours=answer)
    return options


@dataclass(frozen=True)
class RestoreWork:
    """Restores one photo, unless that has been done."""

    restorer: Restorer
    options: RestoreOptions
    record: dict[str, Value]  # the options as a manifest holds them
    weights: dict[str, str]  # what a manifest says of them
    overwrite: bool
    compare: bool
    album: Album | None  # of the report, where one is wanted
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
                self._show(job, restored, manifest, warnings)
        return Result("done", _note(manifest), self._details(job, manifest))

    def _require_names(self, job: Job) -> None:
        """OutputError, before any work, where a name is longer than the disk can hold."""
        for output in job.outputs:
            for path in (output, manifests.sidecar(output)):
                _require_name(path, "rename the photo")
            if self.compare:
                _require_name(compare_path(output), "rename the photo, or leave out --compare")

    def _show(self, job: Job, restored: Restored, manifest: Manifest, warnings: list[str]) -> None:
        """Writes the pictures of a result, and keeps what the report shows of it."""
        before = self._read(job.source)
        if self.compare:
            from unfade.cli.compare import write_compare
            from unfade.masks import harden

            made = (restored, *restored.variants)
            threshold = float(str(manifest["options"]["threshold"]))
            for output, one in zip(restored.outputs(job.output), made, strict=True):
                filled = None if one.mask is None else harden(one.mask, threshold)
                write_compare(compare_path(output), before, filled, one.image)
        if self.album is not None:
            self.album.add(job.source, manifest, warnings, before, restored)

    def _read(self, path: Path) -> Photo:
        from unfade.imaging import read_photo

        return read_photo(path, max_pixels=self.options.max_pixels)

    def _finished(self, job: Job) -> Manifest | None:
        """The manifest of a result that need not be made again, None where there is work to do.

        Of several variants it is the first one's, and all must be there; but where they would
        have been alike there is the first alone.

        Raises:
            OutputError: there is a file that this command must not replace unasked.
        """
        digest = manifests.sha256_file(job.source)
        first = self._finished_output(job.outputs[0], digest)
        others = job.outputs[1:] if first is None else _outputs(job, first)[1:]
        found = [self._finished_output(output, digest) for output in others]
        return None if None in found else first

    def _finished_output(self, output: Path, input_sha256: str) -> Manifest | None:
        """As `_finished`, of one file."""
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
        """Whether a result was written from this input, and unfade killed before its manifest.

        A result that was changed long after it was made may hold somebody's work.
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


def _tidy(jobs: Sequence[Job]) -> None:
    """Removes what a run that was killed, or lost its power, left half written."""
    from unfade.files import remove_leftovers

    for folder in {job.output.parent for job in jobs}:
        remove_leftovers(folder, age_s=_STALE_S)


def _report_place(out: str, jobs: Sequence[Job], *, overwrite: bool) -> Path:
    """Where the report goes: into OUT, or beside it where it is the name of a result."""
    from unfade.cli.report import require_place

    folder = Path(out)
    is_file = any(job.output == folder for job in jobs)
    return require_place(folder.parent if is_file else folder, overwrite=overwrite)


def _album() -> Album:
    from unfade.cli.album import Album

    return Album()


def _outputs(job: Job, manifest: Manifest) -> list[Path]:
    """The files of a job that has been done, by the manifest of the first."""
    return job.outputs[:1] if manifest["variant"] is None else job.outputs


def compare_path(output: Path) -> Path:
    """Where the before/mask/after picture of a result lies: beside its manifest, named alike."""
    return manifests.sidecar(output).with_suffix(COMPARE_SUFFIX)


def _require_name(path: Path, fix: str) -> None:
    try:
        path.lstat()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            got = f"too long a name for this disk ({len(os.fsencode(path.name))} bytes)"
            raise OutputError(got, "a shorter one", fix, path=path) from error


def _note(manifest: Manifest) -> str:
    """What was done, in a few words."""
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
