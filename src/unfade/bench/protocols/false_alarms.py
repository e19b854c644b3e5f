"""Protocol `false-alarms`: the share of pixels that the detector flags on undamaged photos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.api import Restorer
from unfade.bench.protocols.base import Progress, Report, column, located
from unfade.bench.protocols.detection import FLAGGED, percent, reaches
from unfade.bench.protocols.photos import Pixels, photos_in, srgb, to_pixels
from unfade.bench.sections import Cell, Grid
from unfade.errors import UnfadeError
from unfade.eval.rows import Row
from unfade.files import atomic_file
from unfade.imaging import read_photo

NAME = "false-alarms"
METHOD = "detector"
SIDE = 256  # pixels, the longer side of a picture on the contact sheet
COLUMNS = 6  # pictures in a line of the contact sheet
_CAPTION = 16  # pixels
_RED = np.array([255, 0, 0], np.float32)


@dataclass(frozen=True)
class Settings:
    """Settings of the protocol.

    Attributes:
        data: folder of undamaged photos.
        preset: name or folder of a preset.
        count: number of photos, spread evenly over the sorted names; None for all.
        threshold: probability from which a pixel is flagged; None is the detector's own.
        tile: side of a tile in pixels.
        device: as `Restorer.from_pretrained` has it.
        sheet: PNG file for a contact sheet with flagged pixels in red, worst photo first.
    """

    data: Path
    preset: str = "compact"
    count: int | None = None
    threshold: float | None = None
    tile: int = 1024
    device: str = "auto"
    sheet: Path | None = None


def false_alarms(settings: Settings, progress: Progress | None = None) -> Report:
    """Runs the protocol; see `old_photo` for what is raised and for failures of single photos.

    Raises:
        OutputError: the contact sheet cannot be written.
    """
    files = photos_in(settings.data, settings.count)
    restorer = Restorer.from_pretrained(settings.preset, device=settings.device)
    threshold = restorer.threshold if settings.threshold is None else settings.threshold
    report = Report(
        NAME,
        {
            "photos": len(files),
            "data": settings.data.name,
            "preset": settings.preset,
            "threshold": threshold,
        },
    )
    pictures: dict[str, Pixels] = {}
    for index, path in enumerate(files):
        if progress is not None:
            progress(index, len(files), path.name)
        try:
            photo = read_photo(path)
            soft = restorer.detect(photo, soft=True, tile=settings.tile)
        except UnfadeError as error:
            report.failures.append(located(error, path))
            continue
        flagged = reaches(soft, threshold)
        values = {FLAGGED: float(flagged.mean())}
        report.rows.append(Row(METHOD, path.name, values, NAME, settings.data.name))
        if settings.sheet is not None:
            pictures[path.name] = _overlay(to_pixels(srgb(photo)), flagged)
    if report.rows:
        report.rows.sort(key=lambda row: -row.values[FLAGGED])
        _summarise(report)
        if settings.sheet is not None:
            captions = {row.image: 100 * row.values[FLAGGED] for row in report.rows}
            _write_contact_sheet(settings.sheet, captions, pictures)
    return report


def _summarise(report: Report) -> None:
    shares = 100 * column(report.rows, METHOD, FLAGGED)  # (N,) percent, worst first
    lines = [
        [Cell(row.image), percent(share, 3)]
        for row, share in zip(report.rows, shares.tolist(), strict=True)
    ]
    report.grids.append(Grid("Flagged share of each photo", ["photo", "flagged"], lines))
    report.notes.append(
        f"Flagged: mean {shares.mean():.2f} %, median {np.median(shares):.2f} %, worst "
        f"{shares.max():.1f} %; more than 1 %: {np.count_nonzero(shares > 1)} of {len(shares)}."
    )


def _overlay(pixels: Pixels, flagged: NDArray[np.bool_]) -> Pixels:
    """The photo at a longer side of SIDE, flagged pixels in red. A single one stays visible."""
    height, width = flagged.shape
    factor = min(1.0, SIDE / max(height, width))
    size = max(1, round(factor * width)), max(1, round(factor * height))
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.float32)
    share = cv2.resize(flagged.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    weight = np.where(share > 0, np.clip(share * 2, 0.4, 0.8), 0.0)[..., None]  # (h, w, 1)
    return np.rint(small * (1 - weight) + _RED * weight).astype(np.uint8)


def _write_contact_sheet(path: Path, shares: dict[str, float], pictures: dict[str, Pixels]) -> None:
    """Writes a contact sheet in the order of `shares` (percent), with captions."""
    cells: list[Pixels] = []
    for name, share in shares.items():
        cell = np.zeros((SIDE + _CAPTION, SIDE, 3), np.uint8)
        picture = pictures[name]
        cell[_CAPTION : _CAPTION + picture.shape[0], : picture.shape[1]] = picture
        caption = f"{share:.2f} % {name}".encode("ascii", "replace").decode()
        cv2.putText(cell, caption, (2, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1)
        cells.append(cell)
    cells += [np.zeros_like(cells[0])] * (-len(cells) % COLUMNS)
    lines = [np.concatenate(cells[i : i + COLUMNS], 1) for i in range(0, len(cells), COLUMNS)]
    code = cv2.imencode(".png", np.ascontiguousarray(np.concatenate(lines)[..., ::-1]))[1]
    with atomic_file(path) as file:
        file.write(code.tobytes())
