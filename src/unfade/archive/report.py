"""One page about an archive: failures, and contact sheets of the worst results."""

from __future__ import annotations

import json
import posixpath
import tempfile
from pathlib import Path
from typing import Any

import unfade.manifest as manifests
import unfade.pages.page as pages
from unfade._version import __version__
from unfade.archive.arrow import Table, pa, pc
from unfade.archive.bag import PAYLOAD, is_bag
from unfade.archive.places import RECORDS, Place, is_url, open_place
from unfade.archive.sources import MEMBER, open_binary
from unfade.archive.status import Status, read_manifest, status
from unfade.archive.work import DONE, FAILED, MISSING, QUARANTINED
from unfade.errors import UnfadeError

NAME = f"{RECORDS}/report.html"
SHOWN = 48  # photos in a contact sheet
MOST_ROWS = 500
_SIDE_PX = 320
_QUALITY = 80
_COLUMNS = ["key", "source", "offset", "size", "state", "run", "alignment", "damaged", "seconds",
            "warnings", "error_kind", "error", "settings", "weights"]  # fmt: skip
_SHEETS = (
    ("aligned", "Least aligned", "alignment", "ascending",
     "Before and after of the results that show least of what their inputs show."),
    ("damaged", "Most filled", "damaged", "descending",
     "Before and after of the results with the largest share of filled pixels."),
)  # fmt: skip
_HEADS = ["photo", "alignment", "damaged (%)", "seconds", "warnings"]


def write_report(dst: str) -> str:
    """Writes the page below `dst`; its place. UsageError where `dst` has no manifest."""
    place = open_place(dst)
    place.write(NAME, report(place, dst).encode("utf-8", "backslashreplace"))
    return posixpath.join(dst, NAME)


def report(place: Place, dst: str) -> str:
    """The page as HTML."""
    table = read_manifest(dst, _COLUMNS)
    state = table["state"].cast("string")
    done = table.filter(pc.equal(state, DONE))
    failed = table.filter(pc.is_in(state, pa.array([FAILED, QUARANTINED, MISSING])))
    found = status(dst)
    sheets = [_sheet(place, done, *sheet) for sheet in _SHEETS]
    sheets = [sheet for sheet in sheets if sheet["photos"]]
    worst = _worst(done, "alignment", "ascending", MOST_ROWS)
    titles = {"kinds": ("Failures by kind", found.kinds), "failed": ("Not done", len(failed))}
    titles |= {sheet["name"]: (sheet["title"], True) for sheet in sheets}
    titles |= {"worst": ("Least aligned, as a table", worst), "settings": ("Settings", True)}
    return pages.render(
        "archive.html",
        title="unfade batch",
        facts=_facts(found, len(failed)),
        contents={name: title for name, (title, content) in titles.items() if content},
        kinds=[[pages.Cell(k), pages.Cell(str(n), n)] for k, n in sorted(found.kinds.items())],
        failed=[_why(row) for row in failed.slice(0, MOST_ROWS).to_pylist()],
        sheets=sheets,
        columns=_HEADS,
        rows=[_row(row) for row in worst],
        options=_cells(done, "settings"),
        weights=_cells(done, "weights"),
    )


def _facts(found: Status, failed: int) -> dict[str, str]:
    counts = [f"{n} {state}" for state, n in found.states.items() if n]
    facts = {"unfade": __version__, "made": manifests.now(), "photos": ", ".join(counts)}
    if found.rate:
        facts["speed of the last run"] = f"{found.rate:.2f} photos a second"
    if failed > MOST_ROWS:
        facts["left out"] = f"{failed - MOST_ROWS} of those that are not done; see the manifest"
    return facts


def _worst(done: Table, column: str, order: str, count: int) -> list[dict[str, Any]]:
    measured = done.filter(pc.is_valid(done[column]))
    return measured.sort_by([(column, order), ("key", "ascending")]).slice(0, count).to_pylist()


def _sheet(
    place: Place, done: Table, name: str, title: str, column: str, order: str, text: str
) -> dict[str, Any]:
    """A contact sheet. A photo whose files cannot be read any more is left out."""
    folder = PAYLOAD if is_bag(place) else ""
    photos: list[dict[str, str]] = []
    for row in _worst(done, column, order, SHOWN):
        try:
            before = _picture(_input(row), row["key"])
            after = _picture(place.read(posixpath.join(folder, row["key"])) or b"", row["key"])
        except (UnfadeError, OSError):
            continue
        photos.append({"before": before, "after": after, "caption": _caption(row)})
    return {"name": name, "title": title, "text": text, "photos": photos}


def _input(row: dict[str, Any]) -> bytes:
    source = str(row["source"])
    if row["offset"] is None:
        with open_binary(source) as file:
            return file.read()
    with open_binary(source.rpartition(MEMBER)[0]) as file:
        file.seek(row["offset"])
        return file.read(row["size"])


def _picture(data: bytes, key: str) -> str:
    """A photo as a small JPEG in a data URI. UnfadeError where it cannot be read."""
    from unfade.imaging import read_photo
    from unfade.pages.pictures import jpeg, panel, panel_size

    with tempfile.TemporaryDirectory(prefix="unfade-") as folder:
        path = Path(folder) / posixpath.basename(key)
        path.write_bytes(data)
        photo = read_photo(path)
        size = panel_size(photo.height, photo.width, _SIDE_PX)
        return pages.data_uri(jpeg(panel(photo, *size), quality=_QUALITY), "image/jpeg")


def _caption(row: dict[str, Any]) -> str:
    words = [str(row["key"])]
    words += [f"alignment {row['alignment']:.3f}"] * (row["alignment"] is not None)
    words += [f"{100 * (row['damaged'] or 0):.2f} % filled"] * (row["damaged"] is not None)
    return " · ".join(words)


def _row(row: dict[str, Any]) -> list[pages.Cell]:
    source = str(row["source"])
    link = "" if is_url(source) or row["offset"] is not None else Path(source).absolute().as_uri()
    damaged = None if row["damaged"] is None else 100 * row["damaged"]
    return [
        pages.Cell(str(row["key"]), link=link),
        _number(row["alignment"], "{:.3f}"),
        _number(damaged, "{:.2f}"),
        _number(row["seconds"], "{:.1f}"),
        pages.Cell("; ".join(row["warnings"] or [])),
    ]


def _number(value: float | None, form: str) -> pages.Cell:
    return pages.Cell("–", kind="empty") if value is None else pages.Cell(form.format(value), value)


def _why(row: dict[str, Any]) -> str:
    return f"{row['key']} ({row['state']}): {row['error'] or 'its input has gone'}"


def _cells(done: Table, column: str) -> list[list[pages.Cell]]:
    """The settings or weights of the last result, as rows of a table."""
    if not len(done):
        return []
    text = done.sort_by("run")[column].cast("string")[-1].as_py() or "{}"
    values: dict[str, object] = json.loads(text)
    return [[pages.Cell(name), pages.Cell(str(value))] for name, value in values.items()]
