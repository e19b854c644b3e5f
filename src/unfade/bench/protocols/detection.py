"""Counts a detector's hits on one photo, and computes pooled precision, recall and F1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from unfade.bench.protocols.base import column, total
from unfade.bench.sections import Cell, Grid, number
from unfade.eval.metrics import f1, pooled_f1
from unfade.eval.rows import Row

STRICT = ("found right", "found", "true found", "true")
LOOSE = tuple(f"{name} (1 px)" for name in STRICT)
FLAGGED = "flagged on undamaged"


def reaches(soft: NDArray[np.uint8], threshold: float) -> NDArray[np.bool_]:
    """(H, W): pixels whose probability of damage, in 1/255, reaches the threshold."""
    return soft >= threshold * 255


def counts(
    predicted: NDArray[np.bool_],
    true: NDArray[np.bool_],
    kinds: Mapping[str, NDArray[np.float32]],
    pixel: int = 1,
) -> dict[str, float]:
    """Pixel counts of one photo.

    Args:
        predicted, true: (H, W).
        kinds: kind of damage -> (H, W) mask, 1 = visible damage.
        pixel: tolerance of the loose counts, in pixels.

    Returns:
        The counts of `eval.metrics.f1`, without and with tolerance, and for each kind its true
        pixels and those that were found.
    """
    strict, loose = f1(predicted, true).tolist(), f1(predicted, true, pixel).tolist()
    values: dict[str, float] = dict(zip((*STRICT, *LOOSE), [*strict, *loose], strict=True))
    for kind, mask in kinds.items():
        values[f"{kind} true"] = float(np.count_nonzero(mask > 0))
        values[f"{kind} found"] = float(np.count_nonzero(predicted & (mask > 0)))
    return values


def detection_grid(
    rows: Sequence[Row],
    method: str,
    parameter: str,
    values: Sequence[float],
    title: str,
    note: str = "",
    digits: int = 2,
) -> Grid:
    """Pooled figures, one line for each value of a parameter."""
    lines: list[list[Cell]] = []
    for value in values:
        matching = [row for row in rows if row.parameter == parameter and row.value == value]
        scores = [v for names in (STRICT, LOOSE) for v in pooled_f1(total(matching, method, names))]
        line = [number(value, digits), *(number(score, 3) for score in scores)]
        flagged = 100 * column(matching, method, FLAGGED)
        if len(flagged):
            line += [percent(flagged.mean(), 2), percent(flagged.max(), 1)]
        lines.append(line)
    scores = ("precision", "recall", "F1")
    columns = [parameter, *scores, *(f"{name} (1 px)" for name in scores)]
    if lines and len(lines[0]) > len(columns):
        columns += [FLAGGED, "worst"]
    return Grid(title, columns, lines, note)


def kinds_grid(rows: Iterable[Row], method: str) -> Grid | None:
    """Recall by kind of damage; None if the recipe has no kinds."""
    rows = list(rows)
    names = {
        name.removesuffix(" true") for row in rows for name in row.values if name.endswith(" true")
    }
    lines: list[list[Cell]] = []
    for kind in sorted(names):
        detected, true = total(rows, method, (f"{kind} found", f"{kind} true")).tolist()
        photos = int(np.count_nonzero(column(rows, method, f"{kind} true")))
        recall = detected / true if true else None
        lines.append([Cell(kind), number(photos, 0), number(true, 0), number(recall, 3)])
    if not lines:
        return None
    return Grid("Recall by kind of damage", ["kind", "photos", "true pixels", "recall"], lines)


def percent(share: float, digits: int) -> Cell:
    """A percentage, given in percent."""
    return Cell(f"{share:.{digits}f} %", float(share), "number")
