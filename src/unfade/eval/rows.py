"""The row that every comparison measures: one image of one method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One image of one method. A value that could not be measured is missing.

    Attributes:
        method: name of the method.
        image: name of the image, without suffix.
        values: metric -> value.
        table: table, figure or protocol that the row belongs to; "" for a plain evaluation.
        dataset: the photos, such as "DIV2K".
        degradation: what was done to the photos, such as "blur1".
        parameter: what is swept, such as "steps"; "" where nothing is.
        value: value of the swept parameter.
    """

    method: str
    image: str
    values: Mapping[str, float]
    table: str = ""
    dataset: str = ""
    degradation: str = ""
    parameter: str = ""
    value: float | None = None
