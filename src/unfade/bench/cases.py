"""Defines a case (one folder of inputs that methods restore) and the cost of restoring it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unfade.eval.rows import KEYS, SHORT_KEYS, Row
from unfade.options import RestoreOptions


@dataclass(frozen=True)
class Case:
    """One folder of inputs for every method of a table.

    Attributes:
        table: the table or figure that it belongs to, as `unfade bench TABLE` names it.
        dataset: the photos that the inputs were made of, such as "DIV2K".
        degradation: name of the degradation, such as "blur1" or "sr4".
        inputs: a folder of PNG files.
        references: the clean photos under the same names; None if there are none.
        options: of our own presets; `seed` is that of every method that has one.
        parameter: the swept parameter, such as "steps"; "" without a sweep.
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
        """The unique name of this case in its table, such as "DIV2K-sr4-steps=5"."""
        swept = f"-{self.parameter}={self.value:g}" if self.value is not None else ""
        return f"{self.dataset}-{self.degradation}{swept}"

    @property
    def keys(self) -> dict[str, Any]:
        """The common values of its rows, by attribute of `Row`."""
        return {key: getattr(self, key) for key in KEYS if key not in SHORT_KEYS}

    def owns(self, row: Row) -> bool:
        """Whether a row belongs to this case."""
        return all(getattr(row, key) == value for key, value in self.keys.items())


@dataclass(frozen=True)
class Cost:
    """The cost of a method for the images of one case that it restored in this run.

    Attributes:
        images: how many.
        megapixels: of their outputs, together.
        seconds: wall time, start-up included.
        peak_mib: the largest resident set; None if it could not be measured.
        parameters: of its networks; None if they are not known.
        steps: the most sampling steps that ran for one image; None if they are not known.
    """

    images: int
    megapixels: float
    seconds: float
    peak_mib: float | None = None
    parameters: int | None = None
    steps: int | None = None

    def plus(self, other: Cost) -> Cost:
        """The sum of two costs."""

        def most(first: float | None, second: float | None) -> Any:
            return max((value for value in (first, second) if value is not None), default=None)

        return Cost(
            self.images + other.images,
            self.megapixels + other.megapixels,
            self.seconds + other.seconds,
            most(self.peak_mib, other.peak_mib),
            most(self.parameters, other.parameters),
            most(self.steps, other.steps),
        )
