"""`tables.md` and `report.html` of a run, with all tables that its folder holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import unfade.manifest as manifests
import unfade.pages.page as pages
from unfade.bench.about import about, facts
from unfade.bench.crops import Shown, shown_scenes
from unfade.bench.run import Run
from unfade.bench.sections import NOT_AT_HAND, Cell, Grid, Section, markdown
from unfade.errors import InputError
from unfade.eval.tables import write_text

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
    manifest = about(run, section.name, out / MANIFEST_FILE)
    write_text(out / MANIFEST_FILE, json.dumps(manifest, indent=1) + "\n")
    sections = _sections(out, order)
    head = "# unfade bench\n\n" + " · ".join(f"{k}: {v}" for k, v in facts(manifest).items())
    write_text(out / TABLES_FILE, "\n".join([head, "", *(markdown(s) for s in sections)]))
    write_text(out / REPORT_FILE, page(sections, manifest, out))


def page(sections: Sequence[Section], manifest: dict[str, object], out: Path) -> str:
    """The report as one page of HTML that asks for nothing outside itself.

    Args:
        out: the folder that plots and pictures lie in.
    """
    scenes, left = shown_scenes(sections, out)
    bodies = [_section(section, scenes[section.name], out) for section in sections]
    contents = {s.name: s.title for s in sections} | {"manifest": "Manifest"}
    size = sum(len(body) for body in bodies)
    shown = facts(manifest) | {"size": f"{size / 1e6:.1f} MB, all pictures in it"}
    if left:
        shown["pictures left out"] = f"{left} scenes, for size; the results lie beside this page"
    return pages.page("unfade bench", shown, contents, [*bodies, _manifest(manifest)])


def _manifest(manifest: dict[str, object]) -> str:
    body = (
        "<p>What this report was made of. Every figure is in <code>rows.parquet</code> beside it."
        "</p>\n<details>\n<summary>All of it, as JSON</summary>\n"
        f'<pre tabindex="0">{pages.text(json.dumps(manifest, indent=1))}</pre>\n</details>'
    )
    return pages.section("manifest", "Manifest", body)


def _section(section: Section, scenes: Sequence[Shown], out: Path) -> str:
    source = f"<code>unfade bench {pages.text(section.name)}</code> · {pages.text(section.source)}"
    lines = [f'<p class="source">{source}</p>', f"<p>{pages.prose(section.reading)}</p>"]
    lines.append(pages.notes(section.notes))
    for index, grid in enumerate(section.grids):
        lines.append(_grid(grid, folded=index > 0 and len(grid.rows) >= _LONG))
    for figure in section.figures:
        lines.append(_figure(figure.title, figure.text, out / "plots" / f"{figure.stem}.svg"))
    lines += [_scene(shown) for shown in scenes]
    return pages.section(section.name, section.title, "\n".join(filter(None, lines)))


def _grid(grid: Grid, *, folded: bool) -> str:
    table = pages.table(grid.title, grid.columns, [[*map(_cell, row)] for row in grid.rows])
    note = f'<p class="soft">{pages.text(grid.note)}</p>' if grid.note else ""
    if folded:
        summary = f"{pages.text(grid.title)} ({len(grid.rows)} rows)"
        return f"<details><summary>{summary}</summary>{table}{note}</details>"
    return f"<h3>{pages.text(grid.title)}</h3>{table}{note}"


def _cell(cell: Cell) -> str:
    kind = cell.kind if cell.kind in ("best", "printed") else ""
    empty = "empty" if cell.text in ("–", NOT_AT_HAND, "not given", "not measured") else ""
    mean, sign, rest = cell.text.partition(" [")  # the interval takes a line of its own
    below = sign.lstrip() + rest
    return pages.cell(mean, cell.value, kind=" ".join(filter(None, (kind, empty))), below=below)


def _figure(title: str, text: str, path: Path) -> str:
    try:
        uri = pages.data_uri(path.read_bytes(), "image/svg+xml")
    except OSError:
        return f'<p class="soft">{pages.text(title)}: the plot has gone.</p>'
    return (
        f'<figure class="figure"><img src="{uri}" alt="{pages.text(text)}">'
        f"<figcaption>{pages.text(title)}</figcaption></figure>"
    )


def _scene(shown: Shown) -> str:
    labels = [label for label, _ in shown.pictures]
    focus = shown.scene.focus
    right = labels.index(focus) if focus in labels else len(labels) - 1
    scene = shown.scene
    return pages.scene(scene.title, scene.caption, shown.pictures, right=right, zoom=2)


def _sections(out: Path, order: Sequence[str]) -> list[Section]:
    """Those that there are: others than the named ones first."""
    found: list[Section] = []
    for path in sorted((out / SECTIONS_FOLDER).glob("*.json")):
        try:
            found.append(Section.read(path))
        except InputError:
            continue  # of another version; it is written anew with its table
    places = {name: i for i, name in enumerate(order)}
    return sorted(found, key=lambda section: places.get(section.name, -1))
