"""Writes `tables.md`, `report.html` and the manifest of an output folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import unfade.manifest as manifests
import unfade.pages.page as pages
from unfade.bench.report_manifest import make_manifest, report_facts
from unfade.bench.report_pictures import EncodedScene, encode_scenes
from unfade.bench.run import Run
from unfade.bench.sections import Cell, Section, markdown, write_text
from unfade.errors import InputError

TABLES_FILE, REPORT_FILE, MANIFEST_FILE = "tables.md", "report.html", "bench.json"
SECTIONS_FOLDER = "sections"
_LONG = 12  # rows from which a grid that is not the first is folded away


def write_report(section: Section, run: Run, out: Path, order: Sequence[str]) -> None:
    """Adds a section to the report in `out`, or replaces it there.

    Args:
        order: names of tables, as sections are to follow each other.

    Raises:
        OutputError: a file cannot be written.
    """
    manifests.make_folder(out / SECTIONS_FOLDER)
    section.write(out / SECTIONS_FOLDER / f"{section.name}.json")
    manifest = make_manifest(run, section.name, out / MANIFEST_FILE)
    write_text(out / MANIFEST_FILE, json.dumps(manifest, indent=1) + "\n")
    sections = _sections(out, order)
    head = "# unfade bench\n\n" + " · ".join(f"{k}: {v}" for k, v in report_facts(manifest).items())
    write_text(out / TABLES_FILE, "\n".join([head, "", *(markdown(s) for s in sections)]))
    write_text(out / REPORT_FILE, page(sections, manifest, out))


def page(sections: Sequence[Section], manifest: dict[str, object], out: Path) -> str:
    """The report as one self-contained page of HTML.

    Args:
        sections: in the order of the page.
        manifest: of the folder, as `make_manifest` makes it.
        out: the folder that plots and pictures lie in.
    """
    scenes, left = encode_scenes(sections, out)
    size = sum(encoded.size for section_scenes in scenes.values() for encoded in section_scenes)
    summary = report_facts(manifest) | {
        "size": f"{size / 1e6:.1f} MB of pictures, all in this file"
    }
    if left:
        summary["pictures left out"] = f"{left} scenes, for size; the results lie beside this page"
    return pages.render(
        "bench.html",
        title="unfade bench",
        facts=summary,
        contents={s.name: s.title for s in sections} | {"manifest": "Manifest"},
        sections=[_section(section, scenes[section.name], out) for section in sections],
        manifest=json.dumps(manifest, indent=1),
    )


def _section(section: Section, scenes: Sequence[EncodedScene], out: Path) -> dict[str, object]:
    """The variables of one section in the template."""
    grids = [
        {
            "title": grid.title,
            "columns": grid.columns,
            "rows": [[*map(_cell, row)] for row in grid.rows],
            "note": grid.note,
            "folded": index > 0 and len(grid.rows) >= _LONG,
        }
        for index, grid in enumerate(section.grids)
    ]
    figures = [
        {"title": f.title, "text": f.text, "uri": _plot(out / "plots" / f"{f.stem}.svg")}
        for f in section.figures
    ]
    return {**vars(section), "grids": grids, "figures": figures, "scenes": [*map(_scene, scenes)]}


def _cell(cell: Cell) -> pages.Cell:
    kind = cell.kind if cell.kind in ("best", "printed") else ""
    empty = "empty" if cell.text in ("–", "not given", "not measured") else ""
    mean, sign, rest = cell.text.partition(" [")  # the interval takes a line of its own
    kinds = " ".join(filter(None, (kind, empty)))
    return pages.Cell(mean, cell.value, kinds, below=sign.lstrip() + rest)


def _plot(path: Path) -> str:
    """The data URI of a plot; "" if the file is missing."""
    try:
        return pages.data_uri(path.read_bytes(), "image/svg+xml")
    except OSError:
        return ""


def _scene(encoded: EncodedScene) -> pages.Scene:
    labels = [label for label, _ in encoded.pictures]
    focus = encoded.scene.focus
    right = labels.index(focus) if focus in labels else len(labels) - 1
    return pages.Scene(encoded.scene.title, encoded.scene.caption, encoded.pictures, right, zoom=2)


def _sections(out: Path, order: Sequence[str]) -> list[Section]:
    """The sections in the output folder, in this order; others come first."""
    sections: list[Section] = []
    for path in sorted((out / SECTIONS_FOLDER).glob("*.json")):
        try:
            sections.append(Section.read(path))
        except InputError:
            continue  # of another version; it is written anew with its table
    positions = {name: i for i, name in enumerate(order)}
    return sorted(sections, key=lambda section: positions.get(section.name, -1))
