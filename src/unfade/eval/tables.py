"""An evaluation as markdown, CSV and Parquet."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from unfade._version import __version__
from unfade.errors import UsageError
from unfade.eval.evaluation import Distances, Evaluation, Row
from unfade.eval.images import Protocol
from unfade.eval.measures import GIVEN_MEASURES, SET_MEASURES, Measure, SetMeasure, titled
from unfade.eval.statistics import RESAMPLES, Difference, Estimate
from unfade.eval.summary import Comparison, Summary
from unfade.imaging.atomic import atomic_file


def markdown(
    summary: Summary, measures: Mapping[str, Measure], protocol: Protocol, *, seed: int = 0
) -> str:
    """The table of methods, and the table of their differences where there are several."""
    known: dict[str, Measure | SetMeasure] = {**measures, **SET_MEASURES, **GIVEN_MEASURES}
    sets = _set_names(summary.distances)
    given = _set_names(summary.given)
    lines = [
        f"Space {protocol.space}, crop border {protocol.crop_border}, data range 1. Means over "
        f"images with 95 % intervals ({RESAMPLES} bootstrap resamples, seed {seed}).",
        "",
        *_head(
            "method",
            "images",
            *(titled(known[n].title, known[n].better) for n in (*measures, *sets, *given)),
        ),
    ]
    for method, means in summary.means.items():
        count = summary.images[method]
        cells = [estimate_text(means[name], measures[name].digits, count) for name in measures]
        cells += [_distance(summary.distances.get(method), n, known[n].digits, count) for n in sets]
        cells += [_distance(summary.given.get(method), n, known[n].digits, count) for n in given]
        lines.append(table_line(method, str(count), *cells))
    if summary.comparisons:
        lines += [
            "", "Paired differences over the images that both have; p of Wilcoxon's signed-rank "
            "test, two-sided, not corrected for the number of tests.", "",
            *_head("first", "second", "metric", "images", "first - second", "p"),
            *(_comparison(c, measures[c.measure]) for c in summary.comparisons),
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


def csv_text(rows: Sequence[Row], names: Sequence[str]) -> str:
    """A line for each image of each method; a value that could not be measured is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["method", "image", *names])
    for row in rows:
        values = [repr(row.values[n]) if n in row.values else "" for n in names]
        writer.writerow([row.method, row.image, *values])
    return text.getvalue()


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text, whole or not at all. OutputError where it cannot be written."""
    with atomic_file(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


def json_text(summary: Summary, evaluation: Evaluation, *, seed: int = 0) -> str:
    """All of an evaluation as one JSON object on one line, ASCII; what is not finite is null."""
    protocol = asdict(evaluation.protocol)
    content = {
        "unfade": __version__,
        "command": "evaluate",
        "protocol": {**protocol, "data_range": 1, "seed": seed, "resamples": RESAMPLES},
        "methods": {
            method: {
                "images": summary.images[method],
                "means": {name: asdict(e) for name, e in means.items()},
                "distances": _distances(summary.distances.get(method)),
                "features": _distances(summary.given.get(method)),
            }
            for method, means in summary.means.items()
        },
        "comparisons": [asdict(comparison) for comparison in summary.comparisons],
        "rows": [asdict(row) for row in evaluation.rows],
        "failed": [str(problem) for problem in evaluation.failures()],
        "notes": [str(note) for note in evaluation.notes()],
    }
    return json.dumps(finite(content), allow_nan=False)


def _set_names(of: Mapping[str, Distances]) -> list[str]:
    return list(dict.fromkeys(name for distances in of.values() for name in distances.values))


def _distances(distances: Distances | None) -> dict[str, object] | None:
    return None if distances is None else asdict(distances)


def finite(value: object) -> Any:
    """The same with None for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: finite(v) for key, v in cast(dict[str, object], value).items()}
    if isinstance(value, list):
        return [finite(v) for v in cast(list[object], value)]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def has_parquet() -> bool:
    """Whether Parquet can be written here."""
    return importlib.util.find_spec("pyarrow") is not None


def require_parquet(path: Path) -> None:
    """UsageError where `path` cannot be written for want of pyarrow."""
    if not has_parquet():
        fix = "pip install 'unfade[tables]', or name a .csv"
        raise UsageError("no pyarrow", "pyarrow to write Parquet", fix, path=path)


def write_parquet(path: Path, rows: Sequence[Row], names: Sequence[str]) -> None:
    """Writes the table of `csv_text` as Parquet; a missing value is null.

    Raises:
        UsageError: pyarrow is not installed.
        OutputError: the file cannot be written.
    """
    require_parquet(path)
    arrow: Any = importlib.import_module("pyarrow")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    columns: dict[str, list[str] | list[float | None]] = {
        "method": [row.method for row in rows],
        "image": [row.image for row in rows],
        **{name: [row.values.get(name) for row in rows] for name in names},
    }
    kinds = {name: arrow.float64() for name in names}
    fields = [(name, kinds.get(name, arrow.string())) for name in columns]
    with atomic_file(path) as file:
        parquet.write_table(arrow.table(columns, schema=arrow.schema(fields)), file)


def estimate_text(estimate: Estimate, digits: int, count: int) -> str:
    """ "27.31 [26.90, 27.72]", with the number of images where it is not the row's."""
    if estimate.count == 0 or math.isnan(estimate.mean):
        return "–"
    text = f"{estimate.mean:.{digits}f}"
    if not math.isnan(estimate.low):
        text += f" [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]"
    return _counted(text, estimate.count, count)


def _distance(distances: Distances | None, name: str, digits: int, count: int) -> str:
    if distances is None or name not in distances.values:
        return "–"
    return _counted(f"{distances.values[name]:.{digits}f}", distances.images, count)


def _counted(text: str, images: int, count: int) -> str:
    return text if images == count else f"{text} ({images} of {count} images)"


def _comparison(comparison: Comparison, measure: Measure) -> str:
    difference: Difference = comparison.difference
    count = difference.estimate.count
    p = difference.p
    shown = "needs scipy" if p is None else "–" if math.isnan(p) else f"{p:.3g}"
    interval = estimate_text(difference.estimate, measure.digits, count)
    names = comparison.first, comparison.second, measure.title
    return table_line(*names, str(count), interval, shown)


def _head(*cells: str) -> tuple[str, str]:
    return table_line(*cells), table_line(*("---" for _ in cells))


def table_line(*cells: str) -> str:
    """A line of a markdown table."""
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
