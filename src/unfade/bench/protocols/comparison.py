"""Runs the comparison of a protocol: its cases and methods, by the runner and report of tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from unfade.bench.cases import Case, Cost
from unfade.bench.methods.base import Method
from unfade.bench.methods.in_process import restore_each, with_pixels
from unfade.bench.prepare import write_png
from unfade.bench.protocols.base import Progress, Report
from unfade.bench.run import Run
from unfade.bench.run_table import run_table
from unfade.bench.sections import Section
from unfade.bench.tables.base import Table
from unfade.eval.evaluation import read_rgb
from unfade.eval.images import Image
from unfade.imaging import Photo, read_photo
from unfade.manifest import Value
from unfade.options import RestoreOptions


def middle(path: Path, side: int | None) -> Image:
    """(h, w, 3): the middle of a photo, `side` pixels a side or what there is; None is all."""
    image = read_rgb(path)
    if side is None:
        return image
    y, x = (max(0, length - side) // 2 for length in image.shape[:2])
    return image[y : y + side, x : x + side]


def written_case(
    table: str,
    work: Path,
    names: tuple[str, str],
    pairs: Iterable[tuple[str, Image, Image | None]],
    options: RestoreOptions | None = None,
    methods: tuple[str, ...] = (),
) -> Case:
    """A case whose inputs and references are written as 8-bit PNG.

    Args:
        table: name of the protocol.
        work: parent of this case's folder.
        names: dataset and degradation.
        pairs: name of a photo, input, and reference, (H, W, 3) each; None for no references.
        options: of the restoration.
        methods: names of those that take part; () for all.
    """
    folder = work / f"{table}-{names[1].replace(' ', '-')}"
    folders = folder / "lq", folder / "hq"
    written: set[Path] = set()
    for name, *images in pairs:
        for target, image in zip(folders, images, strict=True):
            if image is not None:
                target.mkdir(parents=True, exist_ok=True)
                write_png(target / f"{name}.png", image)
                written.add(target / f"{name}.png")
    for path in folder.rglob("*.png"):
        if path not in written:  # of other settings
            path.unlink()
    references = folders[1] if any(path.parent == folders[1] for path in written) else None
    return Case(
        table,
        names[0],
        names[1],
        folders[0],
        references,
        options or RestoreOptions(),
        methods=methods,
    )


class FunctionMethod:
    """A method that a function computes, one image after the other.

    Args:
        name: of the method.
        identity: what results depend on besides the inputs.
        function: name of the image and its input file -> (H, W, 3) result.
    """

    takes_whole_case = False

    def __init__(
        self, name: str, identity: Mapping[str, Value], function: Callable[[str, Path], Image]
    ) -> None:
        self.name = name
        self._identity = dict(identity)
        self._function = function

    def check(self, cases: Sequence[Case]) -> None:
        """Checks nothing: it can restore every case."""

    def identity(self, case: Case) -> Mapping[str, Value]:
        """The given identity."""
        return {"kind": "function", "method": self.name, **self._identity}

    def restore_folder(
        self, case: Case, images: Mapping[str, Path], outputs: Path, log: Path
    ) -> Cost | None:
        """Computes images of one case (`Method.restore_folder`)."""

        def restore(name: str, path: Path) -> Photo:
            return with_pixels(read_photo(path), self._function(name, path))

        return restore_each(images, outputs, restore, None)


def compare(
    table: Table,
    methods: Sequence[Method],
    data: Path,
    out: Path,
    settings: dict[str, object],
    progress: Progress | None = None,
) -> tuple[Report, Run]:
    """Runs a comparison into `out` and gives its report.

    Args:
        table: builds the cases; its grids are shown behind the means.
        methods: in the order of tables.
        data: folder of undamaged photos.
        out: folder for inputs, results, rows and `report.html`; a second run resumes from it.
        settings: for the head of the report.
        progress: as `run_cases` has it.
    """
    run = run_table(table, methods, data, out, progress=progress)
    section = Section.read(out / "sections" / f"{table.name}.json")
    failures = [f"{f.case}, {f.method}, {f.image}: {f.error}" for f in run.failures]
    report = Report(table.name, settings, run.rows, section.grids, section.notes, failures)
    return report, run
