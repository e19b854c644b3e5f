"""A result as files: for the visitor to keep, and for the page to show."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import unfade.manifest as manifests
from unfade.errors import UsageError
from unfade.imaging import read_photo, write_mask
from unfade.masks import LARGE, harden, large_share
from unfade.options import Task
from unfade.types import Progress, Restored
from unfade.web import changes, masks, pictures
from unfade.web.session import Desk, Made, Opened, Order, View

_NOTHING_FILLED = "Nothing: paint over damage that was not found"
#: What a result is called, by task: in the names of its files, and where it is chosen.
KINDS: dict[Task, str] = {
    "old-photo": "restored", "super-resolution": "enlarged", "colorize": "coloured",
}  # fmt: skip


def save(
    restored: Restored, opened: Opened, order: Order, folder: Path, painted: list[Path], *,
    stem: str, progress: Progress,
) -> Made:  # fmt: skip
    """Writes a result and all that the page shows of it.

    Args:
        order: what was asked for.
        painted: the masks of what was protected and of what got a colour.
        stem: what the names of its files begin with.
        progress: called with the stage and the share of this that is done, 0..1.
    """
    progress("write", 0.0)
    task = order.settings.task
    photos, papers = write(restored, folder / f"{stem}{opened.path.suffix}", task)
    kept: list[Path] = []
    filled, large = None, 0.0
    if restored.mask is not None:
        kept.append(folder / f"{stem}-mask.png")
        threshold = float(str(restored.manifest["options"]["threshold"]))
        filled = harden(restored.mask, threshold)
        write_mask(kept[0], filled)
        large = large_share(filled)
    progress("show", 0.5)
    before = pictures.display(read_photo(opened.path))
    if not opened.before.is_file():  # the search was cancelled
        opened.before.write_bytes(pictures.jpeg(before))
    size = masks.preview_size(*before.shape[:2])
    shown = folder / "shown"
    shown.mkdir()
    views: list[View] = []
    made = (restored, *restored.variants)
    for i, one in enumerate(made, 1):
        after = pictures.display(one.image)
        change = changes.compare(
            before, after, size, filled=filled, corrects_tone=_corrects_tone(one.manifest)
        )
        view = View(shown / f"after-{i}.jpg", shown / f"changes-{i}.png", change.most,
                    facts(one.manifest, change, large))  # fmt: skip
        view.after.write_bytes(pictures.jpeg(after))
        view.changes.write_bytes(pictures.png(change.overlay))
        views.append(view)
        progress("show", 0.5 + 0.5 * i / len(made))
    return Made(opened, order, KINDS[task], photos, papers, [*kept, *painted], views)


def write(restored: Restored, output: Path, task: Task) -> tuple[list[Path], list[Path]]:
    """Writes a result and its variants: the photos, and their manifests.

    Args:
        output: where the photo would go under its own name; the word of the task joins the name.
    """
    output = output.with_stem(f"{output.stem}-{KINDS[task]}")
    restored.save(output)
    photos = restored.outputs(output)
    folder = output.parent.parent
    return photos, [_without_folders(manifests.sidecar(path), folder) for path in photos]


def _without_folders(paper: Path, folder: Path) -> Path:
    """Takes the server's folder out of a manifest: its paths are then beside the photo."""
    manifest = manifests.read(paper)
    options = manifest["options"]
    options["mask"] = Path(str(options["mask"])).name
    regions = options.get("colour_regions")
    command = manifest["command"] or ""
    protected = options.get("protect")
    if isinstance(protected, list):
        options["protect"] = [Path(text).name for text in protected]
    if isinstance(regions, list):
        options["colour_regions"] = [Path(text).name for text in regions]
        for text in regions:
            command = command.replace(text, Path(text).name)
    if manifest["command"] is not None:
        manifest["command"] = command.replace(f"{folder}/", "")
    manifests.write(paper, manifest)
    return paper


def _corrects_tone(manifest: manifests.Manifest) -> bool:
    """Whether the tone of the whole photo may have been corrected."""
    options = manifest["options"]
    refreshed = (manifest["colours"] or {}).get("refreshed")
    mends = options["task"] == "old-photo" or bool(refreshed)
    return mends and not options["only_damage"] and options["tone"] != "keep"


def facts(
    manifest: manifests.Manifest, change: changes.Change, large: float
) -> list[tuple[str, str]]:
    """What was done to a photo, as far as a person can check it: (what, how much).

    Args:
        large: the share of the photo in large holes, 0..1.
    """
    found: list[tuple[str, str]] = []
    damaged = manifest["damaged"]
    if damaged is not None:
        filled = f"{_percent(damaged)} of the photo"
        if large >= LARGE:
            filled += f". Large areas are filled smoothly ({_percent(large)}): check them"
        found.append(("Filled in", filled if damaged else _NOTHING_FILLED))
    tone = "As it was"
    if change.tone:
        kept = ", but for what you protected" if manifest["options"].get("protect") else ""
        tone = f"Corrected throughout{kept}: by {change.tone:.0f} of 255 levels on average"
    found.append(("Tone", tone))
    levels = round(255 * changes.CHANGED)
    besides = " besides" if change.tone or damaged else ""
    changed = f"{_percent(change.share)} of the photo, by more than {levels} of 255 levels"
    found.append((f"Changed{besides}", changed))
    found.append((f"Largest change{besides}", f"{change.largest} of 255 levels"))
    if change.sharpness is not None:
        than = "the photo in the new tone" if change.tone else "the photo"
        found.append(
            ("Sharpness", f"{change.sharpness:.2f} times that of {than}; grain counts too")
        )
    colours = manifest["colours"]
    if colours is not None:
        own = colours.get("refreshed")
        found.append(("Colours", "The photo's own, refreshed" if own else "New: a guess"))
    taken = manifest["diffusion"] or {}
    strength = taken.get("strength")
    drawn = f"Yes, with strength {strength:.2f} of 1" if strength else "No"
    found.append(("Redrawn by a generative model", drawn))
    told = manifest["options"].get("full_prompt")
    if strength and told:
        found.append(("Described as", str(told)))
    return found


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %" if share < 0.1 else f"{100 * share:.0f} %"


def pack(desk: Desk, made: Sequence[Made]) -> Path:
    """One zip of results with their reports and masks, in their order.

    Where photos have the same name, the results of the later ones are in numbered folders.

    Raises:
        UsageError: nothing was restored yet, or it has been removed since.
    """
    files: dict[str, list[Path]] = {}
    for one in made:
        if all(path.is_file() for path in (*one.photos, *one.papers)):
            files.setdefault(one.source.key, []).extend(Path(name) for name in one.files)
    if not files:
        raise UsageError("no result that is still here", "restored photos", "restore a photo first")
    path = desk.store.folder() / "restored.zip"
    seen: set[str] = set()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for number, items in enumerate(files.values(), 1):
            names = {item.name for item in items}
            prefix = f"{number}/" if names & seen else ""
            seen |= names
            for item in items:
                file.write(item, prefix + item.name)
    return path
