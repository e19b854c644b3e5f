"""Represents a section of a report as data (text, grids, figures, pictures) and as markdown."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from unfade.config import from_dict
from unfade.errors import InputError, UnfadeError
from unfade.eval.statistics import Estimate
from unfade.files import atomic_file

_LARGEST = 1e30


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: as it is shown.
        value: that a column is sorted by; None sorts last.
        kind: "text", "number", "best" of its group, or "printed" in a paper.
    """

    text: str
    value: float | None = None
    kind: str = "text"


@dataclass(frozen=True)
class Grid:
    """One table of a section."""

    title: str
    columns: list[str]
    rows: list[list[Cell]]
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """A plot, as `plots/STEM.svg` and `.png` below the folder of the run."""

    stem: str
    title: str
    text: str  # what it shows, for those who cannot see it


@dataclass(frozen=True)
class SceneImage:
    """One picture of a scene; its path is relative if it lies in the output folder."""

    label: str
    path: str


@dataclass(frozen=True)
class Scene:
    """The same part of a photo, restored by several methods.

    Attributes:
        title: which case, and whether it is a good or a bad one.
        caption: the figures of the methods.
        pictures: all of one size but for the input, which may be smaller; that comes first.
        focus: the label of the picture that is compared with the input at first.
    """

    title: str
    caption: str
    pictures: list[SceneImage]
    focus: str


@dataclass
class Section:
    """Everything about one table."""

    name: str
    title: str
    source: str
    reading: str
    grids: list[Grid] = field(default_factory=list[Grid])
    figures: list[Figure] = field(default_factory=list[Figure])
    scenes: list[Scene] = field(default_factory=list[Scene])
    notes: list[str] = field(default_factory=list[str])

    def write(self, path: Path) -> None:
        """Writes the section as JSON. OutputError if it cannot be written."""
        with atomic_file(path) as file:
            file.write(json.dumps(asdict(self, dict_factory=_stated), indent=1).encode())

    @classmethod
    def read(cls, path: Path) -> Section:
        """Reads the file of `write`. InputError if it cannot be read."""
        try:
            return from_dict(json.loads(path.read_text("utf-8")), cls)
        except (OSError, ValueError, TypeError, UnfadeError) as error:
            fix = "run `unfade bench` again"
            raise InputError("a section that cannot be read", "JSON", fix, path=path) from error


def _stated(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """Drops None values, which `from_dict` does not support."""
    return {key: value for key, value in items if value is not None}


def number(value: float | None, digits: int) -> Cell:
    """A number with so many digits after the point; a dash where there is none."""
    if value is None or math.isnan(value):
        return Cell("–")
    return _sorted_by(f"{value:.{digits}f}", value)


def signed(value: float, digits: int) -> Cell:
    """A difference with its sign; a dash where there is none."""
    return Cell("–") if math.isnan(value) else _sorted_by(f"{value:+.{digits}f}", value)


def finite(value: object) -> Any:
    """The same value for JSON: numbers that are not finite become None."""
    if isinstance(value, dict):
        return {key: finite(v) for key, v in cast(dict[str, object], value).items()}
    if isinstance(value, list):
        return [finite(v) for v in cast(list[object], value)]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text, whole or not at all. OutputError if it cannot be written."""
    with atomic_file(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


def _sorted_by(text: str, value: float) -> Cell:
    """A number cell; infinity, which JSON lacks, sorts as the largest number."""
    return Cell(text, max(-_LARGEST, min(value, _LARGEST)), "number")


def estimate(value: Estimate, digits: int, count: int) -> Cell:
    """A mean with its interval, "27.31 [26.90, 27.72]".

    The number of images is added where it differs from `count`, the row's own.
    """
    if value.count == 0 or math.isnan(value.mean):
        return Cell("–")
    text = f"{value.mean:.{digits}f}"
    if not math.isnan(value.low):
        text += f" [{value.low:.{digits}f}, {value.high:.{digits}f}]"
    if value.count != count:
        text += f" ({value.count} of {count} images)"
    return _sorted_by(text, value.mean)


def markdown(section: Section) -> str:
    """A section for `tables.md`."""
    lines = [
        f"## {section.title}",
        "",
        f"`unfade bench {section.name}` · {section.source}",
        "",
        section.reading,
        "",
    ]
    lines.append(grids_markdown(section.grids))
    for figure in section.figures:
        lines += [f"![{figure.title}: {figure.text}](plots/{figure.stem}.svg)", ""]
    lines += [*(f"- {note}" for note in section.notes), ""] if section.notes else []
    return "\n".join(lines)


def grids_markdown(grids: Sequence[Grid]) -> str:
    """Grids with their titles and notes."""
    lines: list[str] = []
    for grid in grids:
        lines += [f"### {grid.title}", "", *markdown_grid(grid), ""]
        lines += [grid.note, ""] if grid.note else []
    return "\n".join(lines)


def markdown_grid(grid: Grid) -> list[str]:
    """Its lines; the best of a group is bold, what a paper printed is in italics."""
    marks = {"best": "**", "printed": "*"}
    lines = [table_line(*grid.columns), table_line(*["---"] * len(grid.columns))]
    for row in grid.rows:
        marked = ((marks.get(cell.kind, ""), cell.text) for cell in row)
        lines.append(table_line(*(f"{mark}{text}{mark}" for mark, text in marked)))
    return lines


def table_line(*cells: str) -> str:
    """A line of a markdown table."""
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
