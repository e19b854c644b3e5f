"""Reads values that papers print: `paper_values.csv`, and files of the same form.

None of them was measured with unfade. Values that no paper prints are missing.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from unfade.errors import InputError

IIDE = "arXiv 2505.18674"
STUDY = "arXiv 2412.09324"
#: Columns of a file; `dataset` and `damage` may be left out.
COLUMNS = ("table", "dataset", "damage", "system", "metric", "value", "source")
NEEDED = ("table", "system", "metric", "value", "source")
_FORM = f"CSV with the columns {', '.join(COLUMNS)} (dataset and damage may be left out)"
_SHIPPED = Path(__file__).with_name("paper_values.csv")

Line = dict[str, str]


@dataclass(frozen=True)
class PaperValue:
    """One printed value and its source."""

    value: float
    source: str


@dataclass(frozen=True)
class PaperTable:
    """The rows of a paper's table that belong to one set of photos and one damage.

    Attributes:
        dataset: how the name of the set begins; "" for any.
        degradation: as in `Case.degradation`; "" for any.
        values: (system, metric) -> printed values.
    """

    dataset: str
    degradation: str
    values: Mapping[tuple[str, str], tuple[PaperValue, ...]] = field(
        default_factory=dict[tuple[str, str], tuple[PaperValue, ...]]
    )

    @property
    def systems(self) -> list[str]:
        """Names as printed, in order; the paper's own last."""
        return list(dict.fromkeys(system for system, _ in self.values))

    @property
    def metrics(self) -> list[str]:
        """Names of the columns, in order."""
        return list(dict.fromkeys(metric for _, metric in self.values))

    @property
    def source(self) -> str:
        """The most frequent source of the values."""
        sources = [value.source for values in self.values.values() for value in values]
        return max(dict.fromkeys(sources), key=sources.count, default="")

    def with_value(self, system: str, metric: str, value: PaperValue) -> PaperTable:
        """The table with one more figure; it replaces one of the same system, metric, source."""
        known = self.values.get((system, metric), ())
        others = tuple(other for other in known if other.source != value.source)
        return replace(self, values={**self.values, (system, metric): (*others, value)})


def papers_of(table: str) -> tuple[PaperTable, ...]:
    """The shipped figures of a table of `unfade bench`, one entry for each set and damage."""
    return with_values((), (line for line in _shipped() if line["table"] == table))


def with_values(papers: Sequence[PaperTable], lines: Iterable[Line]) -> tuple[PaperTable, ...]:
    """Adds values to the tables of a paper; a new set or damage gets a new table."""
    tables = list(papers)
    for line in lines:
        index = next((i for i, paper in enumerate(tables) if _belongs(paper, line)), None)
        if index is None:
            tables.append(PaperTable(line["dataset"], line["damage"]))
            index = len(tables) - 1
        value = PaperValue(float(line["value"]), line["source"])
        tables[index] = tables[index].with_value(line["system"], line["metric"], value)
    return tuple(tables)


def _belongs(paper: PaperTable, line: Line) -> bool:
    """Whether a value belongs to this part of a table."""
    return line["dataset"] in ("", paper.dataset) and line["damage"] in ("", paper.degradation)


@functools.cache
def _shipped() -> list[Line]:
    return read_lines(_SHIPPED)


def read_lines(path: Path) -> list[Line]:
    """The lines of a CSV file of figures. InputError if it is none of COLUMNS' form."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            lines = [{str(k): (v or "").strip() for k, v in row.items()} for row in reader]
            columns = [str(name) for name in reader.fieldnames or ()]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        got = "a file of printed figures that cannot be read"
        raise InputError(got, _FORM, "check the name and the file", path=path) from error
    missing = [name for name in NEEDED if name not in columns]
    unknown = [name for name in columns if name not in COLUMNS]
    if missing or unknown:
        got = f"no column {missing[0]!r}" if missing else f"the column {unknown[0]!r}"
        raise InputError(got, _FORM, "write the columns in the first line", path=path)
    return [{"dataset": "", "damage": "", **line} for line in lines]
