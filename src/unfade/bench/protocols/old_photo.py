"""Protocol `old-photo`: detection and restoration of photos that are degraded with a fixed seed.

Photos are degraded by a recipe and rounded to 8 bits. There are two references: the recipe's
target, gray where the recipe took all colour, and the photo in colour. PSNR and SSIM: RGB, data
range 1, no border cropped, means over photos; "aligned" means after the best affine fit of each
channel (`eval.metrics.aligned`). Precision, recall and F1 are pooled over the pixels of all photos.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.api import Restorer
from unfade.bench.protocols.base import Progress, Report, column, located
from unfade.bench.protocols.detection import (
    FLAGGED,
    counts,
    detection_grid,
    kinds_grid,
    reaches,
)
from unfade.bench.protocols.photos import Pixels, photos_in, srgb, to_image, to_pixels
from unfade.bench.sections import Cell, Grid, number, signed
from unfade.degrade import degrade
from unfade.degrade.types import Degraded
from unfade.errors import UnfadeError, UsageError
from unfade.eval import metrics
from unfade.eval.classical import classical
from unfade.eval.images import Image
from unfade.eval.rows import Row
from unfade.imaging import read_photo, write_mask
from unfade.options import Auto
from unfade.rng import generator

NAME = "old-photo"
DETECTOR, NOISY, CLEAN = "detector", "detector, scanner noise", "clean photo to itself"
METHODS = ("input", "classical", "unfade", "unfade, true mask")
TARGETS = {"the recipe's target": "", "the photo in colour": "colour "}  # -> prefix of metrics
FIGURES = {"psnr": 2, "ssim": 4, "psnr aligned": 2, "ssim aligned": 4}  # -> digits
PSNRS = ("psnr", "psnr aligned")
AREAS = ("in damage that was found", "in damage that was missed", "in false alarms", "elsewhere")
SWEEP = tuple(np.arange(0.3, 0.96, 0.05).round(2).tolist())
SCANNER_NOISE = 2 / 255
LARGEST_PSNR = 80.0  # dB; equal images count as this


@dataclass(frozen=True)
class Settings:
    """Settings of the protocol.

    Attributes:
        data: folder of undamaged photos.
        preset: name or folder of a preset.
        recipe: a name of `unfade.degrade.RECIPES`.
        level: severity, a name of `unfade.degrade.SEVERITIES`.
        count: number of photos, spread evenly over the sorted names; None for all.
        seed: seed of the degradations.
        tile: side of a tile in pixels.
        strength: strength of the diffusion model; 0 restores by the first stage alone.
        device: as `Restorer.from_pretrained` has it.
        thresholds: also report detection at the thresholds of SWEEP.
        enlarge: factors at which detection is repeated on enlarged photos.
        detect_only: leave out everything but detection.
    """

    data: Path
    preset: str = "compact"
    recipe: str = "old-photo"
    level: str = "moderate"
    count: int | None = 100
    seed: int = 0
    tile: int = 1024
    strength: float | Auto = 0.0
    device: str = "auto"
    thresholds: bool = False
    enlarge: tuple[int, ...] = ()
    detect_only: bool = False


def old_photo(settings: Settings, progress: Progress | None = None) -> Report:
    """Runs the protocol.

    A photo that cannot be read or restored is reported as a failure; the others go on.

    Args:
        settings: settings of the protocol.
        progress: called before each photo.

    Raises:
        UsageError: no photos, or an unknown recipe, level or preset.
        WeightsError: weights that are missing or damaged.
    """
    if any(factor < 1 for factor in settings.enlarge):
        raise UsageError(f"--enlarge {min(settings.enlarge)}", "factors of 1 or more", "leave it")
    files = photos_in(settings.data, settings.count)
    degrade(
        np.zeros((64, 64, 3), np.float32),
        generator(0, "check"),
        settings.recipe,
        level=settings.level,
    )
    restorer = Restorer.from_pretrained(settings.preset, device=settings.device)
    report = Report(NAME, {
        "photos": len(files), "data": settings.data.name, "recipe": settings.recipe,
        "level": settings.level, "seed": settings.seed, "preset": settings.preset,
        "strength": settings.strength, "threshold": restorer.threshold,
    })  # fmt: skip
    for index, path in enumerate(files):
        if progress is not None:
            progress(index, len(files), path.name)
        try:
            report.rows += _measure(settings, restorer, index, path)
        except UnfadeError as error:
            report.failures.append(located(error, path))
    if report.rows:
        _summarise(report, settings, restorer.threshold)
    return report


def _measure(settings: Settings, restorer: Restorer, index: int, path: Path) -> list[Row]:
    """The rows of one photo."""
    hq = srgb(read_photo(path))  # (H, W, 3)
    rng = generator(settings.seed, "bench", index)
    degraded = degrade(hq, rng, settings.recipe, level=settings.level)
    rows = [
        Row(method, path.stem, values, NAME, settings.data.name, settings.recipe, parameter, value)
        for method, values, parameter, value in _enlarged(settings, restorer, index, degraded)
    ]
    damaged, undamaged = to_pixels(degraded.lq), to_pixels(hq)

    def add(method: str, values: dict[str, float], value: float | None = None) -> None:
        parameter = "" if value is None else "threshold"
        dataset = settings.data.name
        rows.append(
            Row(method, path.stem, values, NAME, dataset, settings.recipe, parameter, value)
        )

    if settings.detect_only:
        soft, calm = (_detected(settings, restorer, p) for p in (damaged, undamaged))
    else:
        (restored, soft), (clean, calm) = (
            _restored(settings, restorer, p) for p in (damaged, undamaged)
        )
        hole = reaches(soft, restorer.threshold)
        images = dict(
            zip(
                METHODS,
                (
                    to_image(damaged),
                    to_image(classical(damaged, hole.astype(np.uint8))),
                    restored,
                    _restored(settings, restorer, damaged, degraded.mask)[0],
                ),
                strict=True,
            )
        )
        for method, image in images.items():
            add(method, _figures(image, degraded.hq, hq))
        add("error left", _error_shares(restored, degraded.hq, hole, degraded.mask > 0))
        add(CLEAN, {"psnr": metrics.psnr(clean, hq)})
    for value in thresholds(settings, restorer.threshold):
        detection = counts(reaches(soft, value), degraded.mask > 0, degraded.kinds)
        detection[FLAGGED] = float(reaches(calm, value).mean())
        add(DETECTOR, detection, value)
    return rows


def thresholds(settings: Settings, default: float) -> list[float]:
    """The thresholds of the detection table, in order; the detector's own is among them."""
    return sorted({default, *(SWEEP if settings.thresholds else ())})


def _detected(settings: Settings, restorer: Restorer, pixels: Pixels) -> NDArray[np.uint8]:
    return restorer.detect(pixels, soft=True, tile=settings.tile)


def _restored(
    settings: Settings, restorer: Restorer, pixels: Pixels, mask: NDArray[np.float32] | None = None
) -> tuple[Image, NDArray[np.uint8]]:
    """The restored photo (H, W, 3) and the probabilities of damage (H, W) in 1/255."""
    with tempfile.TemporaryDirectory() as folder:
        source: str | Path = "auto"
        if mask is not None:
            source = Path(folder, "mask.png")
            write_mask(source, np.rint(mask * 255).astype(np.uint8))
        out = restorer.restore(pixels, mask=source, strength=settings.strength, tile=settings.tile)
    assert out.mask is not None, "the mask is looked for or given"
    return srgb(out.image), out.mask


def _figures(image: Image, target: Image, colour: Image) -> dict[str, float]:
    """The figures of one image against both references."""
    values: dict[str, float] = {}
    for prefix, reference in zip(TARGETS.values(), (target, colour), strict=True):
        fit = metrics.aligned(image, reference)
        figures = (
            metrics.psnr(image, reference),
            metrics.ssim(image, reference),
            metrics.psnr(fit, reference),
            metrics.ssim(fit, reference),
        )
        values |= {prefix + name: v for name, v in zip(FIGURES, figures, strict=True)}
    return values


def _error_shares(
    image: Image, target: Image, predicted: NDArray[np.bool_], true: NDArray[np.bool_]
) -> dict[str, float]:
    """The share of the aligned square error that lies in each of AREAS."""
    error = np.square(metrics.aligned(image, target) - target).mean(2)  # (H, W)
    areas = (predicted & true, ~predicted & true, predicted & ~true, ~predicted & ~true)
    whole = max(float(error.sum()), 1e-12)
    return {n: float(error[area].sum()) / whole for n, area in zip(AREAS, areas, strict=True)}


def _enlarged(
    settings: Settings, restorer: Restorer, index: int, degraded: Degraded
) -> list[tuple[str, dict[str, float], str, float]]:
    """Detection on the degraded photo with more pixels, plain and with scanner noise.

    The true mask is enlarged by nearest pixels; the tolerance of the loose F1 stays one pixel of
    the photo before it was enlarged.
    """
    rows: list[tuple[str, dict[str, float], str, float]] = []
    lq, mask = to_image(to_pixels(degraded.lq)), degraded.mask
    for factor in settings.enlarge:  # 1 leaves the photo as it is
        size = lq.shape[1] * factor, lq.shape[0] * factor
        large = np.asarray(cv2.resize(lq, size, interpolation=cv2.INTER_CUBIC), np.float32)
        true = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)) > 0
        noise = generator(settings.seed, f"scanner x{factor}", index)
        noisy = large + noise.normal(0, SCANNER_NOISE, large.shape).astype(np.float32)
        for method, image in ((DETECTOR, large), (NOISY, noisy)):
            soft = _detected(settings, restorer, to_pixels(image))
            values = counts(reaches(soft, restorer.threshold), true, {}, factor)
            rows.append((method, values, "enlarge", float(factor)))
    return rows


def _summarise(report: Report, settings: Settings, threshold: float) -> None:
    """Adds tables and notes from the rows."""
    rows = report.rows
    values = thresholds(settings, threshold)
    report.grids.append(
        detection_grid(
            rows,
            DETECTOR,
            "threshold",
            values,
            "Detection",
            digits=3,
            note=f"The detector's own threshold is {threshold:g}.",
        )
    )
    at_default = [row for row in rows if row.parameter == "threshold" and row.value == threshold]
    by_kind = kinds_grid(at_default, DETECTOR)
    report.grids += [] if by_kind is None else [by_kind]
    for method in (DETECTOR, NOISY) if settings.enlarge else ():
        title = f"Detection on enlarged photos ({method})"
        report.grids.append(
            detection_grid(rows, method, "enlarge", settings.enlarge, title, digits=0)
        )
    if settings.detect_only:
        return
    for target, prefix in TARGETS.items():
        report.grids.append(_restoration_grid(rows, target, prefix))
        report.grids.append(_gains_grid(rows, target, prefix))
    report.notes += [_clean_note(column(rows, CLEAN, "psnr")), _error_note(rows)]


def _restoration_grid(rows: Sequence[Row], target: str, prefix: str) -> Grid:
    """Mean figures of each method against one reference."""
    lines = [
        [
            Cell(method),
            *(
                number(float(column(rows, method, prefix + name).mean()), digits)
                for name, digits in FIGURES.items()
            ),
        ]
        for method in METHODS
    ]
    return Grid(f"Against {target}", ["method", *FIGURES], lines)


def _gains_grid(rows: Sequence[Row], target: str, prefix: str) -> Grid:
    """The restored photo less the input and less the classical pipeline."""
    lines: list[list[Cell]] = []
    for other in ("input", "classical"):
        gains = {
            name: column(rows, "unfade", prefix + name) - column(rows, other, prefix + name)
            for name in FIGURES
        }
        line = [
            Cell(other),
            *(signed(float(gains[name].mean()), digits) for name, digits in FIGURES.items()),
        ]
        for name in PSNRS:
            below = int(np.count_nonzero(gains[name] < -0.5))
            line.append(signed(float(gains[name].min()), 2))
            line.append(Cell(f"{below} of {len(gains[name])}", float(below), "number"))
        lines.append(line)
    columns = ["over", *FIGURES]
    columns += [c for n in PSNRS for c in (f"worst {n}", f"> 0.5 dB below ({n})")]
    return Grid(f"Gains of unfade against {target}", columns, lines)


def _clean_note(psnr: NDArray[np.float64]) -> str:
    mean = float(np.minimum(psnr, LARGEST_PSNR).mean())
    return (
        f"Clean photos to themselves: mean {mean:.2f} dB, below 38 dB: "
        f"{np.count_nonzero(psnr < 38)}, below 30 dB: {np.count_nonzero(psnr < 30)}, "
        f"worst {psnr.min():.2f} dB."
    )


def _error_note(rows: Sequence[Row]) -> str:
    shares = ", ".join(
        f"{100 * column(rows, 'error left', area).mean():.0f} % {area}" for area in AREAS
    )
    return f"Remaining aligned square error: {shares}."
