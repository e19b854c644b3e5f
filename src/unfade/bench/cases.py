"""What a table is made of: cases, and a row for each image of each method in each case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from unfade.options import RestoreOptions


@dataclass(frozen=True)
class Case:
    """One folder of inputs for every method of a table.

    Attributes:
        table: the table or figure that it belongs to, as `unfade bench TABLE` names it.
        dataset: the photos that the inputs were made of, such as "DIV2K".
        degradation: what was done to them, such as "blur1" or "sr4".
        inputs: a folder of PNG files.
        references: the clean photos under the same names; None where there are none.
        options: of our own presets; `seed` is that of every method that has one.
        parameter: what is swept, such as "steps"; empty where nothing is.
        value: of the swept parameter.
        methods: names of the methods that take part; empty for all.
    """

    table: str
    dataset: str
    degradation: str
    inputs: Path
    references: Path | None
    options: RestoreOptions = field(default_factory=RestoreOptions)
    parameter: str = ""
    value: float | None = None
    methods: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Tells this case from the others of its table, such as "DIV2K-sr4-steps=5"."""
        swept = f"-{self.parameter}={self.value:g}" if self.value is not None else ""
        return f"{self.dataset}-{self.degradation}{swept}"


@dataclass(frozen=True)
class BenchRow:
    """One image of one method in one case. A value that could not be measured is missing."""

    table: str
    dataset: str
    degradation: str
    parameter: str
    value: float | None
    method: str
    image: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class Cost:
    """What a method needed for the images of one case that it restored in this run.

    Attributes:
        images: how many.
        megapixels: of their outputs, together.
        seconds: wall time, start-up included.
        peak_mib: the largest resident set; None where it could not be measured.
        parameters: of its networks; None where they are not known.
    """

    images: int
    megapixels: float
    seconds: float
    peak_mib: float | None = None
    parameters: int | None = None
