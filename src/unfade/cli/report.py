"""Writes `report.html` of `unfade restore`: one row a photo, the lowest alignment first."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import unfade.manifest as manifests
import unfade.pages.page as pages
from unfade._version import __version__
from unfade.errors import OutputError, printable
from unfade.files import atomic_file

if TYPE_CHECKING:
    from unfade.cli.album import Album, Entry
    from unfade.cli.batch import Outcome, Summary
    from unfade.manifest import Value

REPORT_FILE = "report.html"
MAX_ROWS = 5000
_MAX_ILLUSTRATED = 300  # photos with pictures
_PROBE_BYTES = 2048

_COLUMNS = ["photo", "alignment", "damaged (%)", "strength", "seconds", "pictures", "warnings"]


def report_path(folder: Path, *, overwrite: bool) -> Path:
    """The path of the report. OutputError if another file is there."""
    path = folder / REPORT_FILE
    if overwrite or not os.path.lexists(path):
        return path
    try:
        with path.open("rb") as file:
            is_report = pages.MARK.encode() in file.read(_PROBE_BYTES)
    except OSError:
        is_report = False
    if not is_report:
        fix = "move it away, name another OUT, or use --overwrite"
        raise OutputError("a file of another kind", "nothing, or a report", fix, path=path)
    return path


def write_report(
    path: Path, summary: Summary, album: Album, options: Mapping[str, Value],
    weights: Mapping[str, str],
) -> None:  # fmt: skip
    """Writes the report atomically.

    Args:
        options: as in a manifest.
        weights: file -> SHA-256, of all weights that the options use.

    Raises:
        OutputError: the file cannot be written.
    """
    manifests.make_folder(path.parent)
    text = report(path.parent, summary, album, options, weights)
    with atomic_file(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


def report(
    folder: Path, summary: Summary, album: Album, options: Mapping[str, Value],
    weights: Mapping[str, str],
) -> str:  # fmt: skip
    """The page, with links to results relative to `folder`; see `write_report`."""
    restored = [outcome for outcome in summary.outcomes if outcome.job.source in album.entries]
    restored.sort(key=lambda outcome: album.entries[outcome.job.source].rank)
    failed = [outcome for outcome in summary.outcomes if outcome.error is not None]
    illustrated = [o for o in restored if album.entries[o.job.source].pictures][:_MAX_ILLUSTRATED]
    numbers = {outcome.job.source: i for i, outcome in enumerate(illustrated, 1)}
    facts = _facts(summary)
    if len(illustrated) < len(restored):
        facts["pictures left out"] = (
            f"of {len(restored) - len(illustrated)} photos, the best aligned"
        )
    if max(len(restored), len(failed)) > MAX_ROWS:
        facts["rows left out"] = f"beyond {MAX_ROWS}, the best aligned"
    titles = {
        "failed": ("Failed", failed), "all": ("All photos", restored),
        "photos": ("Before and after", illustrated), "settings": ("Settings and weights", options),
    }  # fmt: skip
    return pages.render(
        "restore.html",
        title="unfade restore",
        facts=facts,
        contents={name: title for name, (title, content) in titles.items() if content},
        failed=[outcome.error or "" for outcome in failed[:MAX_ROWS]],
        columns=_COLUMNS,
        rows=[_row(o, album.entries[o.job.source], numbers, folder) for o in restored[:MAX_ROWS]],
        photos=[_photo(outcome, album.entries[outcome.job.source]) for outcome in illustrated],
        options=[
            [pages.Cell(name), pages.Cell(_value_text(value))] for name, value in options.items()
        ],
        weights=[[pages.Cell(name), pages.Cell(digest)] for name, digest in weights.items()],
    )


def _facts(summary: Summary) -> dict[str, str]:
    commit, dirty = manifests.checkout()
    facts = {"unfade": __version__, "made": manifests.now(), "photos": summary.sentence()}
    if commit is not None:
        facts["commit"] = commit[:12] + (" with changes" if dirty else "")
    return facts


def _row(
    outcome: Outcome, entry: Entry, numbers: Mapping[Path, int], folder: Path
) -> list[pages.Cell]:
    """The cells of one photo, with links to its result and its pictures."""
    manifest = entry.manifest
    seconds = sum(manifest["seconds"].values())
    number = numbers.get(outcome.job.source)
    jump = "left out" if number is None else "show"
    link = "" if number is None else f"#photo-{number}"
    return [
        pages.Cell(printable(outcome.job.source), link=_address(outcome.job.outputs[0], folder)),
        _number(manifest["alignment"], "{:.3f}"),
        _number(None if manifest["damaged"] is None else 100 * manifest["damaged"], "{:.2f}"),
        _number((manifest["diffusion"] or {}).get("strength"), "{:g}"),
        _number(seconds, "{:.1f}"),
        pages.Cell(jump, link=link, kind="" if link else "empty"),
        pages.Cell("; ".join(entry.warnings)),
    ]


def _number(value: float | None, form: str) -> pages.Cell:
    if value is None:
        return pages.Cell("–", kind="empty")
    return pages.Cell(form.format(value), value)


def _address(output: Path, folder: Path) -> str:
    """The link from the report to a result."""
    return quote(os.fsencode(os.path.relpath(output, folder)))


def _photo(outcome: Outcome, entry: Entry) -> dict[str, object]:
    """The variables of one photo in the template."""
    pictures, caption = tuple(entry.pictures), _caption(outcome, entry)
    scene = pages.Scene(printable(outcome.job.source), caption, pictures, right=1, zoom=1)
    return {"scene": scene, "warnings": entry.warnings}


def _caption(outcome: Outcome, entry: Entry) -> str:
    """A line that says what was done to the photo."""
    manifest = entry.manifest
    alignment = manifest["alignment"]
    measured = "not measured" if alignment is None else f"{alignment:.3f}"
    diffusion = manifest["diffusion"] or {}
    facts = [f"alignment {measured}"]
    if manifest["damaged"] is not None:
        facts.append(f"{100 * manifest['damaged']:.2f} % filled in")
    if diffusion.get("strength"):
        facts.append(
            f"redrawn with strength {diffusion['strength']:g}, fidelity {diffusion['fidelity']:g}"
        )
        if "steps" in diffusion:  # an earlier version did not write them
            facts.append(f"{diffusion['steps']} steps")
    else:
        facts.append("nothing redrawn")
    facts.append(f"{sum(manifest['seconds'].values()):.1f} s")
    if outcome.status == "skipped":
        facts.append("restored before; --overwrite shows its mask and map too")
    return " · ".join(facts)


def _value_text(value: Value) -> str:
    if value is None or value == "":
        return "–"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
