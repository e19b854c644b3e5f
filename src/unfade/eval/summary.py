"""Means over images, their intervals, and the differences between methods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from unfade.eval.evaluation import Distances, Row
from unfade.eval.statistics import Difference, Estimate, bootstrap_mean, paired_difference


@dataclass(frozen=True)
class Comparison:
    """Two methods by one measure, over the images that both have."""

    first: str
    second: str
    measure: str
    difference: Difference


@dataclass(frozen=True)
class Summary:
    """What an evaluation came to."""

    images: Mapping[str, int]  # method -> how many it was scored on
    means: Mapping[str, Mapping[str, Estimate]]  # method -> measure
    distances: Mapping[str, Distances]  # of the methods that have them
    given: Mapping[str, Distances]  # of features from elsewhere, in GIVEN_MEASURES
    comparisons: Sequence[Comparison]


def summarise(
    methods: Sequence[str], rows: Sequence[Row], measures: Sequence[str],
    distances: Mapping[str, Distances], given: Mapping[str, Distances] | None = None, *,
    seed: int = 0,
) -> Summary:  # fmt: skip
    """Means and intervals of each method, and the difference of each pair of methods.

    Args:
        methods: names, in the order of tables.
        rows: of all methods; images may be missing.
        measures: names, as in the rows' values.
        distances: of whole sets, passed on.
        given: of features from elsewhere, passed on.
        seed: of the bootstrap.
    """
    counted = Counter(row.method for row in rows)
    images = {method: counted[method] for method in methods}
    columns = {
        method: {
            name: {r.image: r.values[name] for r in rows if r.method == method and name in r.values}
            for name in measures
        }
        for method in images
    }
    means = {
        method: {name: bootstrap_mean(np.array([*v.values()]), seed=seed) for name, v in of.items()}
        for method, of in columns.items()
    }
    comparisons: list[Comparison] = []
    for first, second in combinations(columns, 2):
        for name in measures:
            one, two = columns[first][name], columns[second][name]
            shared = [image for image in one if image in two]
            values = (np.array([column[image] for image in shared]) for column in (one, two))
            difference = paired_difference(*values, seed=seed)
            comparisons.append(Comparison(first, second, name, difference))
    return Summary(images, means, distances, given or {}, comparisons)
