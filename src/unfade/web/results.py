"""A result as files: for the visitor to keep, and for the page to show."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import unfade.manifest as manifests
from unfade.errors import UsageError
from unfade.imaging import read_photo, write_mask
from unfade.masks import harden
from unfade.types import Restored, numbered
from unfade.web import masks, pictures
from unfade.web.session import Desk, Made, Opened


def save(restored: Restored, opened: Opened, folder: Path, painted: list[Path]) -> Made:
    """Writes a result and all that the page shows of it.

    Args:
        painted: the masks of what was protected and of what got a colour.
    """
    photos, papers = write(restored, folder / opened.name)
    kept: list[Path] = []
    if restored.mask is not None:
        kept.append(folder / f"{opened.path.stem}-mask.png")
        threshold = float(str(restored.manifest["options"]["threshold"]))
        write_mask(kept[0], harden(restored.mask, threshold))
    before = pictures.display(read_photo(opened.path))
    size = masks.preview_size(*before.shape[:2])
    small = pictures.shrink(before, size)
    shown = folder / "shown"
    shown.mkdir()
    views: list[Path] = []
    heats: list[Path] = []
    said = ""
    for i, one in enumerate((restored, *restored.variants), 1):
        after = pictures.display(one.image)
        views.append(_jpeg(shown / f"after-{i}.jpg", after))
        places = one.alignment_map(size)
        assert places is not None, "`Restorer.run` measures it"
        heats.append(_jpeg(shown / f"agreement-{i}.jpg", pictures.heat_map(small, places)))
        if i == 1:
            change, share = pictures.change_map(before, after)
            _jpeg(shown / "changed.jpg", pictures.shrink(change, size))
            said = words(one.manifest, share)
    change = shown / "changed.jpg"
    return Made(opened, photos, papers, [*kept, *painted], views, heats, change, said)


def _jpeg(path: Path, pixels: pictures.Pixels) -> Path:
    path.write_bytes(pictures.jpeg(pixels))
    return path


def write(restored: Restored, output: Path) -> tuple[list[Path], list[Path]]:
    """Writes a result and its variants: the photos, and their manifests."""
    restored.save(output)
    photos = numbered(output, 1 + len(restored.variants))
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


def words(manifest: manifests.Manifest, changed: float) -> str:
    """What was done to a photo, in sentences.

    Args:
        changed: share of the pixels, 0..1, that changed visibly.
    """
    said: list[str] = []
    damaged = manifest["damaged"]
    if damaged is not None:
        said.append(f"{_percent(damaged)} of the photo was damaged and filled in.")
    limit = round(100 * pictures.CHANGED)
    said.append(
        f"{_percent(changed)} of its pixels changed by more than {limit} % of the range, "
        "counting tone and colour."
    )
    taken = manifest["diffusion"] or {}
    if not taken.get("strength"):
        said.append("No diffusion model took part.")
    else:
        said.append(f"The diffusion model took part with strength {taken['strength']:.2f}.")
        told = manifest["options"].get("full_prompt")
        if told:
            said.append(f"It was told: {told}.")
    agreement = manifest["alignment"]
    if agreement is not None:
        kind = "close" if agreement >= 0.96 else "fair" if agreement >= 0.9 else "look closely"
        said.append(f"Agreement with the photo: {agreement:.2f} of 1 ({kind}).")
    return " ".join(said)


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %" if share < 0.1 else f"{100 * share:.0f} %"


def pack(desk: Desk, made: Sequence[Made]) -> Path:
    """One zip of results, of each photo the last of them, with manifests; in their order.

    Raises:
        UsageError: nothing was restored yet, or it has been removed since.
    """
    here = [one for one in made if all(path.is_file() for path in (*one.photos, *one.papers))]
    latest = {one.source.key: one for one in here}
    if not latest:
        raise UsageError("no result that is still here", "restored photos", "restore a photo first")
    path = desk.store.folder() / "restored.zip"
    seen: set[str] = set()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for number, one in enumerate(latest.values(), 1):
            clash = any(photo.name in seen for photo in one.photos)
            prefix = f"{number}/" if clash else ""
            for item in (*one.photos, *one.papers):
                seen.add(item.name)
                file.write(item, prefix + item.name)
    return path
