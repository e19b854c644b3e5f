"""`tables.md` and `report.html` of a run, with all tables that its folder holds."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from pathlib import Path

import unfade.manifest as manifests
from unfade.bench.about import about, facts
from unfade.bench.crops import Shown, data_uri, shown_scenes
from unfade.bench.run import Run
from unfade.bench.sections import Cell, Grid, Section, markdown
from unfade.errors import InputError
from unfade.eval.tables import write_text

TABLES_FILE, REPORT_FILE, MANIFEST_FILE = "tables.md", "report.html", "bench.json"
SECTIONS_FOLDER = "sections"
_PAGE = Path(__file__).resolve().parent / "page"
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
    contents = [f'<li><a href="#{_text(s.name)}">{_text(s.title)}</a></li>' for s in sections]
    contents.append('<li><a href="#manifest">Manifest</a></li>')
    size = sum(len(body) for body in bodies)
    shown = facts(manifest) | {"size": f"{size / 1e6:.1f} MB, all pictures in it"}
    if left:
        shown["pictures left out"] = f"{left} scenes, for size; the results lie beside this page"
    parts = {
        "SUMMARY": _definitions(shown),
        "CONTENTS": "\n".join(contents),
        "SECTIONS": "\n".join(bodies),
        "MANIFEST": _text(json.dumps(manifest, indent=1)),
        "CSS": (_PAGE / "report.css").read_text("utf-8"),
        "JS": (_PAGE / "report.js").read_text("utf-8"),
    }
    text = (_PAGE / "report.html").read_text("utf-8")
    pieces = text.split("@@")  # outside, name, outside, ...: what is put in is not looked at again
    return "".join(parts[piece] if i % 2 else piece for i, piece in enumerate(pieces))


def _section(section: Section, scenes: Sequence[Shown], out: Path) -> str:
    name = _text(section.name)
    lines = [
        f'<section id="{name}" aria-labelledby="{name}-title">',
        f'<h2 id="{name}-title">{_text(section.title)}</h2>',
        f'<p class="source"><code>unfade bench {name}</code> · {_text(section.source)}</p>',
        f"<p>{_prose(section.reading)}</p>",
    ]
    if section.notes:
        notes = "".join(f"<li>{_text(note)}</li>" for note in section.notes)
        lines.append(f'<ul class="notes">{notes}</ul>')
    for index, grid in enumerate(section.grids):
        lines.append(_grid(grid, folded=index > 0 and len(grid.rows) >= _LONG))
    for figure in section.figures:
        lines.append(_figure(figure.title, figure.text, out / "plots" / f"{figure.stem}.svg"))
    lines += [_scene(shown) for shown in scenes]
    return "\n".join([*lines, "</section>"])


def _grid(grid: Grid, *, folded: bool) -> str:
    heads = "".join(
        f'<th scope="col"><button type="button">{_text(column)}</button></th>'
        for column in grid.columns
    )
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in grid.rows)
    table = (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{_text(grid.title)}"><table>'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
    note = f'<p class="soft">{_text(grid.note)}</p>' if grid.note else ""
    if folded:
        summary = f"{_text(grid.title)} ({len(grid.rows)} rows)"
        return f"<details><summary>{summary}</summary>{table}{note}</details>"
    return f"<h3>{_text(grid.title)}</h3>{table}{note}"


def _cell(cell: Cell) -> str:
    value = "" if cell.value is None else f' data-value="{cell.value!r}"'
    kind = cell.kind if cell.kind in ("best", "printed") else ""
    empty = "empty" if cell.text in ("–", "not at hand", "not given") else ""
    names = " ".join(filter(None, (kind, empty)))
    shown = f' class="{names}"' if names else ""
    return f"<td{shown}{value}>{_text(cell.text)}</td>"


def _figure(title: str, text: str, path: Path) -> str:
    try:
        uri = data_uri(path.read_bytes(), "image/svg+xml")
    except OSError:
        return f'<p class="soft">{_text(title)}: the plot has gone.</p>'
    return (
        f'<figure class="figure"><img src="{uri}" alt="{_text(text)}">'
        f"<figcaption>{_text(title)}</figcaption></figure>"
    )


def _scene(shown: Shown) -> str:
    strip = "".join(
        f'<li><figure><img src="{uri}" alt="{_text(label)}"><figcaption>{_text(label)}</figcaption>'
        "</figure></li>"
        for label, uri in shown.pictures
    )

    def options(chosen: int) -> str:
        return "".join(
            f'<option value="{i}"{" selected" if i == chosen else ""}>{_text(label)}</option>'
            for i, (label, _) in enumerate(shown.pictures)
        )

    labels = [label for label, _ in shown.pictures]
    focus = shown.scene.focus
    right = labels.index(focus) if focus in labels else len(labels) - 1
    zooms = "".join(
        f'<button type="button" data-zoom="{zoom}" aria-pressed="false">{zoom}×</button>'
        for zoom in (1, 2, 4)
    )
    return (
        f'<div class="scene"><h4>{_text(shown.scene.title)}</h4>'
        f'<p class="soft">{_text(shown.scene.caption)}</p>'
        '<div class="controls" data-part="controls" hidden>'
        f'<label>Left <select data-part="left">{options(0)}</select></label>'
        '<label>Slider <input data-part="slider" type="range" min="0" max="100" value="50" '
        'step="1"></label>'
        f'<label>Right <select data-part="right">{options(right)}</select></label>'
        f'<span role="group" aria-label="Zoom">{zooms}</span></div>'
        '<div class="stage" tabindex="0" role="region" aria-label="Two pictures, one over the '
        'other" hidden><div class="layers" data-part="layers"><img alt="" draggable="false">'
        '<img alt="" draggable="false"><span class="edge"></span></div></div>'
        f'<ul class="strip">{strip}</ul></div>'
    )


def _definitions(terms: dict[str, str]) -> str:
    rows = "".join(f"<div><dt>{_text(k)}</dt><dd>{_text(v)}</dd></div>" for k, v in terms.items())
    return f'<dl class="facts">{rows}</dl>'


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


def _prose(value: str) -> str:
    """Escaped, with `commands` as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", _text(value))


def _text(value: str) -> str:
    return html.escape(value, quote=True)
