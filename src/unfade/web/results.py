"""Writes a result as files: for download, and for the comparison on the page."""

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
from unfade.web.session import AppContext, OpenedPhoto, RestoreRequest, Result, View

_NOTHING_FILLED = "Nothing: paint over damage that was not found"
#: The kind of a result by task, for the names of its files and the list of results.
KINDS: dict[Task, str] = {
    "old-photo": "restored", "super-resolution": "enlarged", "colorize": "coloured",
}  # fmt: skip


def save(
    restored: Restored,
    opened: OpenedPhoto,
    request: RestoreRequest,
    folder: Path,
    painted: list[Path],
    *,
    stem: str,
    progress: Progress,
) -> Result:
    """Writes a result, and the pictures that the page shows of it.

    Args:
        request: its settings and edits.
        painted: the masks of what was protected and of what got a colour.
        stem: the beginning of the names of its files.
        progress: called with the stage and the share of this that is done, 0..1.
    """
    progress("write", 0.0)
    task = request.settings.task
    photos, manifest_paths = write(restored, folder / f"{stem}{opened.path.suffix}", task)
    mask_paths: list[Path] = []
    filled, large = None, 0.0
    if restored.mask is not None:
        mask_paths.append(folder / f"{stem}-mask.png")
        threshold = float(str(restored.manifest["options"]["threshold"]))
        filled = harden(restored.mask, threshold)
        write_mask(mask_paths[0], filled)
        large = large_share(filled)
    progress("show", 0.5)
    before = pictures.display(read_photo(opened.path))
    if not opened.before.is_file():  # the search was cancelled
        opened.before.write_bytes(pictures.jpeg(before))
    size = masks.preview_size(*before.shape[:2])
    shown = folder / "shown"
    shown.mkdir()
    views: list[View] = []
    variants = (restored, *restored.variants)
    for i, variant in enumerate(variants, 1):
        after = pictures.display(variant.image)
        change = changes.compare(
            before, after, size, filled=filled, corrects_tone=_corrects_tone(variant.manifest)
        )
        view = View(shown / f"after-{i}.jpg", shown / f"changes-{i}.png", change.full_scale,
                    facts(variant.manifest, change, large))  # fmt: skip
        view.after.write_bytes(pictures.jpeg(after))
        view.changes.write_bytes(pictures.png(change.overlay))
        views.append(view)
        progress("show", 0.5 + 0.5 * i / len(variants))
    return Result(
        opened, request, KINDS[task], photos, manifest_paths, [*mask_paths, *painted], views
    )


def write(restored: Restored, output: Path, task: Task) -> tuple[list[Path], list[Path]]:
    """Writes a result and its variants: the photos, and their manifests.

    Args:
        output: the path of the photo, without the word of the task, which is added to the name.
    """
    output = output.with_stem(f"{output.stem}-{KINDS[task]}")
    restored.save(output)
    photos = restored.outputs(output)
    folder = output.parent.parent
    return photos, [_strip_server_paths(manifests.sidecar(path), folder) for path in photos]


def _strip_server_paths(manifest_path: Path, folder: Path) -> Path:
    """Removes the folders of the server from the paths in a manifest."""
    manifest = manifests.read(manifest_path)
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
    manifests.write(manifest_path, manifest)
    return manifest_path


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
    rows: list[tuple[str, str]] = []
    damaged = manifest["damaged"]
    if damaged is not None:
        filled = f"{_percent(damaged)} of the photo"
        if large >= LARGE:
            filled += f". Large areas are filled smoothly ({_percent(large)}): check them"
        rows.append(("Filled in", filled if damaged else _NOTHING_FILLED))
    tone = "As it was"
    if change.tone:
        except_protected = (
            ", but for what you protected" if manifest["options"].get("protect") else ""
        )
        tone = (
            f"Corrected throughout{except_protected}: by {change.tone:.0f} of 255 levels on average"
        )
    rows.append(("Tone", tone))
    levels = round(255 * changes.CHANGED)
    besides = " besides" if change.tone or damaged else ""
    changed = f"{_percent(change.share)} of the photo, by more than {levels} of 255 levels"
    rows.append((f"Changed{besides}", changed))
    rows.append((f"Largest change{besides}", f"{change.largest} of 255 levels"))
    if change.sharpness is not None:
        than = "the photo in the new tone" if change.tone else "the photo"
        rows.append(("Sharpness", f"{change.sharpness:.2f} times that of {than}; grain counts too"))
    colours = manifest["colours"]
    if colours is not None:
        refreshed = colours.get("refreshed")
        rows.append(("Colours", "The photo's own, refreshed" if refreshed else "New: a guess"))
    diffusion = manifest["diffusion"] or {}
    strength = diffusion.get("strength")
    redrawn = f"Yes, with strength {strength:.2f} of 1" if strength else "No"
    rows.append(("Redrawn by a generative model", redrawn))
    prompt = manifest["options"].get("full_prompt")
    if strength and prompt:
        rows.append(("Described as", str(prompt)))
    return rows


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %" if share < 0.1 else f"{100 * share:.0f} %"


def pack(context: AppContext, restored: Sequence[Result]) -> Path:
    """One zip of results with their reports and masks, in their order.

    Where photos have the same name, the results of the later ones are in numbered folders.

    Raises:
        UsageError: nothing was restored yet, or it has been removed since.
    """
    files: dict[str, list[Path]] = {}
    for result in restored:
        if all(path.is_file() for path in (*result.photos, *result.manifest_paths)):
            files.setdefault(result.source.key, []).extend(Path(name) for name in result.files)
    if not files:
        raise UsageError("no result that is still here", "restored photos", "restore a photo first")
    path = context.store.folder() / "restored.zip"
    used_names: set[str] = set()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for number, items in enumerate(files.values(), 1):
            names = {item.name for item in items}
            prefix = f"{number}/" if names & used_names else ""
            used_names |= names
            for item in items:
                file.write(item, prefix + item.name)
    return path
