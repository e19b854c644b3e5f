"""The HTML report of an archive: failures, and galleries of the worst results."""

from __future__ import annotations

import json
import os
import posixpath
import tempfile
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import unfade.manifest as manifests
import unfade.pages.page as pages
from unfade._version import __version__
from unfade.archive.arrow import Table, pa, pc
from unfade.archive.bag import PAYLOAD, is_bag
from unfade.archive.sources import MEMBER, open_binary
from unfade.archive.status import Status, read_manifest, status
from unfade.archive.storage import RECORDS, LocalStorage, Storage, is_url, open_storage
from unfade.archive.work import DONE, FAILED, MISSING, QUARANTINED
from unfade.errors import UnfadeError

NAME = f"{RECORDS}/report.html"
GALLERY_PHOTOS = 24  # photos in a gallery
MAX_ROWS = 500
_WIDTH_PX = 480
_HEIGHT_PX = 640
_QUALITY = 85
_COLUMNS = ["key", "source", "offset", "size", "state", "run", "alignment", "damaged", "seconds",
            "warnings", "error_kind", "error", "settings", "weights"]  # fmt: skip
_SHEETS = (
    ("aligned", "Least aligned", "alignment", "ascending",
     "Before and after of the results that show least of what their inputs show."),
    ("damaged", "Most filled", "damaged", "descending",
     "Before and after of the results with the largest share of filled pixels, apart from those "
     "above."),
)  # fmt: skip
_HEADS = ["photo", "alignment", "damaged (%)", "seconds", "warnings"]


def write_report(dst: str) -> str:
    """Writes the page below `dst`, and returns its path. UsageError where `dst` has no manifest."""
    storage = open_storage(dst)
    storage.write(NAME, report(storage, dst).encode("utf-8", "backslashreplace"))
    return posixpath.join(dst, NAME)


def report(storage: Storage, dst: str) -> str:
    """The page as HTML."""
    table = read_manifest(dst, _COLUMNS)
    state = table["state"].cast("string")
    done = table.filter(pc.equal(state, DONE))
    failed = table.filter(pc.is_in(state, pa.array([FAILED, QUARANTINED, MISSING])))
    progress = status(dst)
    sheets: list[dict[str, Any]] = []
    in_gallery: set[str] = set()
    for name, title, column, order, text in _SHEETS:
        ordered = _worst(done, column, order, 2 * GALLERY_PHOTOS)
        rows = [row for row in ordered if row["key"] not in in_gallery][:GALLERY_PHOTOS]
        photos = _gallery(storage, rows)
        in_gallery |= {str(row["key"]) for row in rows}
        sheets += [{"name": name, "title": title, "text": text, "photos": photos}] * bool(photos)
    worst = _worst(done, "alignment", "ascending", MAX_ROWS)
    titles: dict[str, tuple[str, object]] = {
        "kinds": ("Failures by kind", progress.kinds), "failed": ("Not done", failed.num_rows),
        **{sheet["name"]: (sheet["title"], True) for sheet in sheets},
        "worst": ("Least aligned, as a table", worst), "settings": ("Settings and weights", True),
    }  # fmt: skip
    return pages.render(
        "archive.html",
        title="unfade batch",
        facts=_facts(progress, len(failed)),
        contents={name: title for name, (title, content) in titles.items() if content},
        kinds=[[pages.Cell(k), pages.Cell(str(n), n)] for k, n in sorted(progress.kinds.items())],
        failed=[_failure_text(row) for row in failed.slice(0, MAX_ROWS).to_pylist()],
        sheets=sheets,
        columns=_HEADS,
        rows=[_row(storage, row) for row in worst],
        options=_cells(done, "settings"),
        weights=_cells(done, "weights"),
    )


def _facts(progress: Status, failed: int) -> dict[str, str]:
    counts = [f"{n} {state}" for state, n in progress.states.items() if n]
    facts = {"unfade": __version__, "made": manifests.now(), "photos": ", ".join(counts)}
    if progress.rate:
        facts["speed of the last run"] = f"{progress.rate:.2f} photos a second"
    if failed > MAX_ROWS:
        facts["left out"] = f"{failed - MAX_ROWS} of those that are not done; see the manifest"
    return facts


def _worst(done: Table, column: str, order: str, count: int) -> list[dict[str, Any]]:
    measured = done.filter(pc.is_valid(done[column]))
    return measured.sort_by([(column, order), ("key", "ascending")]).slice(0, count).to_pylist()


def _gallery(storage: Storage, rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """The pairs of pictures. A photo whose files can no longer be read is left out."""
    folder = PAYLOAD if is_bag(storage) else ""
    photos: list[dict[str, str]] = []
    for row in rows:
        name = posixpath.join(folder, row["key"])
        try:
            before = _picture(_input(row), row["key"])
            after = _picture(storage.read(name) or b"", row["key"])
        except (UnfadeError, OSError):
            continue
        photos.append(
            {"before": before, "after": after, "name": str(row["key"]), "caption": _caption(row),
             "input": _address(storage, row), "result": quote(posixpath.join("..", name))}
        )  # fmt: skip
    return photos


def _address(storage: Storage, row: dict[str, Any]) -> str:
    """The link from the page to an input; "" if a browser cannot open it.

    It is relative if input and page are on one disk, so that both can be moved together.
    """
    source = str(row["source"])
    if row["offset"] is not None:  # in a shard
        return ""
    if is_url(source):
        return source if source.startswith(("http://", "https://")) else ""
    path = Path(source).absolute()
    if not isinstance(storage, LocalStorage):
        return path.as_uri()
    try:
        relative = os.path.relpath(path, Path(storage.root, RECORDS).absolute())
    except ValueError:  # another drive of Windows
        return path.as_uri()
    return quote(os.fsencode(relative.replace(os.sep, "/")))


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
        longest = _WIDTH_PX if photo.width >= photo.height else _HEIGHT_PX
        size = panel_size(photo.height, photo.width, longest)
        return pages.data_uri(jpeg(panel(photo, *size), quality=_QUALITY), "image/jpeg")


def _caption(row: dict[str, Any]) -> str:
    words = [f"alignment {row['alignment']:.3f}"] * (row["alignment"] is not None)
    words += [f"{100 * (row['damaged'] or 0):.2f} % filled in"] * (row["damaged"] is not None)
    return ", ".join(words)


def _row(storage: Storage, row: dict[str, Any]) -> list[pages.Cell]:
    damaged = None if row["damaged"] is None else 100 * row["damaged"]
    return [
        pages.Cell(str(row["key"]), link=_address(storage, row)),
        _number(row["alignment"], "{:.3f}"),
        _number(damaged, "{:.2f}"),
        _number(row["seconds"], "{:.1f}"),
        pages.Cell("; ".join(row["warnings"] or [])),
    ]


def _number(value: float | None, form: str) -> pages.Cell:
    return pages.Cell("–", kind="empty") if value is None else pages.Cell(form.format(value), value)


def _failure_text(row: dict[str, Any]) -> str:
    return f"{row['key']} ({row['state']}): {row['error'] or 'its input has gone'}"


def _cells(done: Table, column: str) -> list[list[pages.Cell]]:
    """The settings or weights of the last result, as rows of a table."""
    if not len(done):
        return []
    text = done.sort_by("run")[column].cast("string")[-1].as_py() or "{}"
    values: dict[str, object] = json.loads(text)
    return [[pages.Cell(name), pages.Cell(_value_text(value))] for name, value in values.items()]


def _value_text(value: object) -> str:
    """A JSON value as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        entries = cast(list[object], value)
        return ", ".join(_value_text(entry) for entry in entries) or "–"
    return "–" if value is None or value == "" else str(value)
