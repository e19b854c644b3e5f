"""Command `unfade caption`: writes a one-sentence caption for each photo of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unfade.cli.batch import Result, run_batch
from unfade.cli.jobs import Job, photos_in
from unfade.errors import InputError, UsageError, is_out_of_memory
from unfade.options import MAX_PIXELS
from unfade.types import Progress

if TYPE_CHECKING:
    from torch import Tensor

    from unfade.models.captioner import Captioner


@click.command()
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), metavar="FILE",
    help="The file of captions.  [default: captions.jsonl in FOLDER]",
)  # fmt: skip
@click.option(
    "--model", default="Salesforce/blip-image-captioning-base", show_default=True,
    metavar="PATH|ID@REVISION",
    help="BLIP or BLIP-2: a folder in transformers' layout, or a model of the Hugging Face hub.",
)  # fmt: skip
@click.option(
    "--batch", type=click.IntRange(min=1), default=8, show_default=True, metavar="N",
    help="Photos that are captioned together.",
)  # fmt: skip
@click.option(
    "--device", default="auto", show_default=True, metavar="D", help="auto, cpu, cuda, cuda:1 or "
    "mps.",
)  # fmt: skip
@click.option(
    "--max-pixels", type=click.IntRange(min=1), default=MAX_PIXELS, show_default=True, metavar="N",
    help="Refuse photos with more pixels than this.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One summary for machines on stdout.")
@click.option("-v", "--verbose", is_flag=True, help="Show tracebacks.")
def caption(
    folder: Path,
    out: Path | None,
    model: str,
    batch: int,
    device: str,
    max_pixels: int,
    as_json: bool,
    verbose: bool,
) -> int:
    """Write what the photos in FOLDER and below show, one English sentence each.

    The file has a line {"file": "sub/x.jpg", "captions": ["..."]} for each photo, named from
    FOLDER; `unfade train` and `unfade bench colorize` read it there. A photo that has a caption
    already, in this file or in another one in FOLDER, keeps it and is not captioned again.

    \b
    Examples:
      unfade caption photos/
      unfade caption DIV2K/DIV2K_valid_HR --model Salesforce/blip2-opt-2.7b --device cuda
    """
    if not folder.is_dir():
        fix = "name a folder of photos"
        raise UsageError("no such folder", "a folder that exists", fix, path=folder)
    from unfade.data.caption_files import LISTING

    listing = folder / LISTING if out is None else out
    if listing.is_dir():
        raise UsageError("a folder", "a file", f"name {LISTING} in it", path=listing)
    jobs = photos_in(folder, listing)
    waiting = without_captions(folder, listing, jobs)

    from unfade.models.captioner import Captioner
    from unfade.models.checkpoint import pick_device

    captioner = Captioner.load(model, pick_device(device)) if waiting else None
    work = CaptionWork(captioner, folder, listing, waiting, batch, max_pixels)
    summary = run_batch(jobs, work, command="caption", as_json=as_json, verbose=verbose)
    return summary.exit_code


def without_captions(folder: Path, listing: Path, jobs: Sequence[Job]) -> list[Path]:
    """The photos without a caption, in the folder's own caption files and in the listing.

    Raises:
        InputError: a file of captions cannot be read.
    """
    from unfade.data.caption_files import folder_captions, listed_captions

    photos = [job.source for job in jobs if job.problem is None]
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    captions = folder_captions(files, {path.with_suffix("") for path in photos})
    captioned = {path for path, texts in captions.items() if texts}
    if listing.is_file():
        captioned |= {
            (folder / name).with_suffix("") for name, texts in listed_captions(listing) if texts
        }
    return [path for path in photos if path.with_suffix("") not in captioned]


@dataclass
class CaptionWork:
    """Captions photos in batches, and appends the captions to the file after each batch.

    Attributes:
        captioner: None if all photos have captions.
        folder: the folder that the names in the file are relative to.
        listing: the file of captions.
        waiting: the photos without a caption, in the order of the jobs.
        batch: number of photos in a batch.
    """

    captioner: Captioner | None
    folder: Path
    listing: Path
    waiting: Sequence[Path]
    batch: int
    max_pixels: int
    _captions: dict[Path, str | Exception] = field(default_factory=dict[Path, str | Exception])
    _index: dict[Path, int] = field(init=False)  # in `waiting`

    def __post_init__(self) -> None:
        self._index = {path: index for index, path in enumerate(self.waiting)}

    def __call__(self, job: Job, progress: Progress) -> Result:
        """Captions the batch that starts with a job. UnfadeError if the photo cannot be read."""
        if self.captioner is None or job.source not in self._index:
            return Result("skipped", "has a caption", {})
        if job.source not in self._captions:
            self._caption(self.captioner, self._index[job.source], progress)
        caption = self._captions[job.source]
        if isinstance(caption, Exception):
            raise caption
        return Result("done", caption, {"caption": caption})

    def _caption(self, captioner: Captioner, start: int, progress: Progress) -> None:
        """Captions the next batch of photos, and writes the captions."""
        from unfade.data.caption_files import add_captions
        from unfade.files import make_folder
        from unfade.imaging import read_photo

        inputs: dict[Path, Tensor] = {}
        for path in self.waiting[start : start + self.batch]:
            try:
                photo = read_photo(path, max_pixels=self.max_pixels)
                pixels = photo.srgb(slice(0, photo.height), slice(0, photo.width))  # (H, W, 3)
                inputs[path] = captioner.prepare(pixels)
            except Exception as error:  # raised when the job of this photo is run
                self._captions[path] = error
        progress("caption", 0.5)
        if not inputs:
            return
        try:
            captions = captioner.captions([*inputs.values()])
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            got, fix = f"{len(inputs)} photos at a time, too many for the memory", "lower --batch"
            raise UsageError(got, "fewer", fix) from error
        texts = dict(zip(inputs, captions, strict=True))
        captioned = {path: text for path, text in texts.items() if text}
        make_folder(self.listing.parent)
        add_captions(
            self.listing,
            {path.relative_to(self.folder).as_posix(): text for path, text in captioned.items()},
        )
        self._captions |= captioned
        for path in texts.keys() - captioned.keys():
            fix = "caption it by hand, or use another --model"
            self._captions[path] = InputError("no words for it", "a caption", fix, path=path)
        progress("caption", 1.0)
