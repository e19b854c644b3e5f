"""`report.html` of a batch: what was done to each photo, the worst aligned first."""

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
MOST_ROWS = 5000
_MOST_SHOWN = 300  # photos with pictures
_PROBE_BYTES = 2048

_COLUMNS = ["photo", "alignment", "damaged (%)", "strength", "seconds", "pictures", "warnings"]


def require_place(folder: Path, *, overwrite: bool) -> Path:
    """Where the report goes. OutputError where another file is in its place."""
    path = folder / REPORT_FILE
    if overwrite or not os.path.lexists(path):
        return path
    try:
        with path.open("rb") as file:
            ours = pages.MARK.encode() in file.read(_PROBE_BYTES)
    except OSError:
        ours = False
    if not ours:
        fix = "move it away, name another OUT, or use --overwrite"
        raise OutputError("a file of another kind", "nothing, or a report", fix, path=path)
    return path


def write_report(
    path: Path, summary: Summary, album: Album, options: Mapping[str, Value],
    weights: Mapping[str, str],
) -> None:  # fmt: skip
    """Writes the report, whole or not at all.

    Args:
        options: as a manifest holds them.
        weights: file -> SHA-256, of all that the options may go by.

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
    """The page. Results are linked to as they lie below `folder`; see `write_report`."""
    done = [outcome for outcome in summary.outcomes if outcome.job.source in album.entries]
    done.sort(key=lambda outcome: album.entries[outcome.job.source].rank)
    failed = [outcome for outcome in summary.outcomes if outcome.error is not None]
    shown = [o for o in done if album.entries[o.job.source].pictures][:_MOST_SHOWN]
    numbers = {outcome.job.source: i for i, outcome in enumerate(shown, 1)}
    facts = _facts(summary)
    if len(shown) < len(done):
        facts["pictures left out"] = f"of {len(done) - len(shown)} photos, the best aligned"
    if max(len(done), len(failed)) > MOST_ROWS:
        facts["rows left out"] = f"beyond {MOST_ROWS}, the best aligned"
    titles = {
        "failed": ("Failed", failed), "all": ("All photos", done),
        "photos": ("Before and after", shown), "settings": ("Settings and weights", options),
    }  # fmt: skip
    return pages.render(
        "restore.html",
        title="unfade restore",
        facts=facts,
        contents={name: title for name, (title, content) in titles.items() if content},
        failed=[outcome.error or "" for outcome in failed[:MOST_ROWS]],
        columns=_COLUMNS,
        rows=[_row(o, album.entries[o.job.source], numbers, folder) for o in done[:MOST_ROWS]],
        photos=[_photo(outcome, album.entries[outcome.job.source]) for outcome in shown],
        options=[[pages.Cell(name), pages.Cell(_shown(value))] for name, value in options.items()],
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
    """The cells of one photo, which lead to its result and to its pictures."""
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
    """Of a result, as seen from the report."""
    return quote(os.fsencode(os.path.relpath(output, folder)))


def _photo(outcome: Outcome, entry: Entry) -> dict[str, object]:
    """The variables of one photo in the template."""
    pictures, caption = tuple(entry.pictures), _caption(outcome, entry)
    scene = pages.Scene(printable(outcome.job.source), caption, pictures, right=1, zoom=1)
    return {"scene": scene, "warnings": entry.warnings}


def _caption(outcome: Outcome, entry: Entry) -> str:
    """What was done, in a line."""
    manifest = entry.manifest
    alignment = manifest["alignment"]
    measured = "not measured" if alignment is None else f"{alignment:.3f}"
    taken = manifest["diffusion"] or {}
    said = [f"alignment {measured}"]
    if manifest["damaged"] is not None:
        said.append(f"{100 * manifest['damaged']:.2f} % filled in")
    if taken.get("strength"):
        said.append(f"redrawn with strength {taken['strength']:g}, fidelity {taken['fidelity']:g}")
        if "steps" in taken:  # an earlier version did not write them
            said.append(f"{taken['steps']} steps")
    else:
        said.append("nothing redrawn")
    said.append(f"{sum(manifest['seconds'].values()):.1f} s")
    if outcome.status == "skipped":
        said.append("restored before; --overwrite shows its mask and map too")
    return " · ".join(said)


def _shown(value: Value) -> str:
    if value is None or value == "":
        return "–"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
