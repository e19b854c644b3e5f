"""Scores the results of methods against references, image by image."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from unfade.errors import InputError, UnfadeError
from unfade.eval.distances import Features, standardised
from unfade.eval.extractors import extractors
from unfade.eval.images import Image, NotApplicable, Protocol, require_same_size
from unfade.eval.matching import Match
from unfade.eval.measures import SET_MEASURES, Measure
from unfade.eval.rows import Row
from unfade.imaging import read_photo

_CLEAN = ""  # stands for the references among the methods
LQ = "lq"  # the method that does nothing


@dataclass(frozen=True)
class Distances:
    """Distances between the features of a method's images and of the same clean photos."""

    images: int  # that all of the measures could look at
    values: Mapping[str, float]  # by the name of the set measure


@dataclass(frozen=True)
class Redegraded:
    """Comparisons of results, degraded in the same way as the inputs, with the inputs.

    Attributes:
        degrade: degrades (H, W, 3) sRGB [0, 1] in the same way.
        measures: of such a picture and the input, by name.
    """

    degrade: Callable[[Image], Image]
    measures: Mapping[str, Measure]


@dataclass(frozen=True)
class Gap:
    """A measure that is undefined for one image."""

    measure: str
    path: Path
    error: InputError


@dataclass
class Evaluation:
    """Collects rows, errors, and the features of sets.

    Attributes:
        measures: of one image, by name.
        set_measures: names from SET_MEASURES.
        protocol: border and space; in RGB, gray is not compared with colour.
        redegraded: comparisons with the inputs, at the inputs' size, no border cropped.
    """

    measures: Mapping[str, Measure]
    set_measures: tuple[str, ...]
    protocol: Protocol
    rows: list[Row] = field(default_factory=list[Row])
    problems: list[UnfadeError] = field(default_factory=list[UnfadeError])
    redegraded: Redegraded | None = None
    _gaps: list[Gap] = field(default_factory=list[Gap])
    _not_applicable: list[Gap] = field(default_factory=list[Gap])
    _features: dict[tuple[str, str], dict[str, Features]] = field(
        default_factory=dict[tuple[str, str], dict[str, Features]]
    )  # (source, method) -> image

    def __post_init__(self) -> None:
        """Loads the extractors of the set measures. WeightsError if their weights are missing."""
        self._extractors = extractors(
            (SET_MEASURES[name].source for name in self.set_measures), self.protocol.device
        )

    @property
    def columns(self) -> dict[str, Measure]:
        """All measures of one image."""
        return {**self.measures, **(self.redegraded.measures if self.redegraded else {})}

    def add(self, match: Match) -> None:
        """Scores every result of one reference; errors are added to `problems`."""
        try:
            target, gray = _read(match.reference)
            cropped = self.protocol.cropped(target)
        except UnfadeError as error:
            self.problems.append(_located(error, match.reference))
            return
        for method, path in match.results.items():
            try:
                image, is_gray = _read(path)
                if method == LQ:
                    image = _enlarged(image, target)
                elif is_gray != gray and self.protocol.space == "rgb":
                    raise _other_colours(is_gray)
                require_same_size(image, target)
                self._score(method, match, image, cropped)
            except UnfadeError as error:
                self.problems.append(_located(error, path))

    def _score(self, method: str, match: Match, image: Image, target: Image) -> None:
        """Adds a row. The result is not cropped yet, the target is."""
        gaps: list[Gap] = []
        path = match.results[method]
        cropped = self.protocol.cropped(image)
        values = _values(self.measures, cropped, target, path, gaps)
        lq = match.results.get(LQ)
        if self.redegraded is not None and lq is not None:
            redegraded = self.redegraded.degrade(image)
            values |= _values(self.redegraded.measures, redegraded, read_rgb(lq), path, gaps)
        has_features = self._describe(method, match, cropped, target, gaps)
        for gap in gaps:
            not_applicable = isinstance(gap.error, NotApplicable) and (has_features or bool(values))
            (self._not_applicable if not_applicable else self._gaps).append(gap)
        self.rows.append(Row(method, match.name, values))

    def _describe(
        self, method: str, match: Match, image: Image, target: Image, gaps: list[Gap]
    ) -> bool:
        """Stores the features of a result and its clean photo; returns whether there are any."""
        has_features = False
        for source, extractor in self._extractors.items():
            try:
                clean = self._features.setdefault((source, _CLEAN), {})
                if match.name not in clean:
                    clean[match.name] = extractor.features(target)
                features = self._features.setdefault((source, method), {})
                features[match.name] = extractor.features(image)
                has_features = True
            except InputError as error:
                names = [n for n in self.set_measures if SET_MEASURES[n].source == source]
                gaps.append(Gap(" and ".join(names), match.results[method], error))
        return has_features

    def failures(self) -> list[UnfadeError]:
        """`problems`, and an error for each measure that failed on some images."""
        return [*self.problems, *_summarised(self._gaps)]

    def notes(self) -> list[UnfadeError]:
        """An error for each measure that does not apply to some images."""
        return _summarised(self._not_applicable)

    def distances(self) -> dict[str, Distances]:
        """The distances of each method; empty without set measures.

        Features of patches are in standard deviations of all clean photos' patches. A method with
        fewer than two rows of features is added to `problems`.
        """
        out: dict[str, Distances] = {}
        for method in dict.fromkeys(m for _, m in self._features if m != _CLEAN):
            values: dict[str, float] = {}
            counts: list[int] = []
            for name in self.set_measures:
                features = self._features.get((SET_MEASURES[name].source, method), {})
                try:
                    values[name] = self._distance(name, features)
                    counts.append(len(features))
                except InputError as error:
                    got = f"{error.got} (method {method})"
                    self.problems.append(InputError(got, error.expected, error.fix))
            if values:
                out[method] = Distances(min(counts), values)
        return out

    def _distance(self, name: str, features: Mapping[str, Features]) -> float:
        measure = SET_MEASURES[name]
        clean = self._features.get((measure.source, _CLEAN), {})
        if not features:
            raise InputError("no features", "two images at least", "leave this metric out")
        sets = (
            np.concatenate([*features.values()]),
            np.concatenate([clean[image] for image in features]),
        )
        if self._extractors[measure.source].standardise:
            scale = np.concatenate([*clean.values()])
            sets = standardised(sets[0], scale), standardised(sets[1], scale)
        return measure.distance(*sets)


def _values(
    measures: Mapping[str, Measure], image: Image, target: Image, path: Path, gaps: list[Gap]
) -> dict[str, float]:
    """The values of measures; undefined ones are added to `gaps`."""
    values: dict[str, float] = {}
    for key, measure in measures.items():
        try:
            value = float(measure.score(image, target))
            if math.isnan(value):
                raise InputError("not a number", "a value", "leave this metric out")
            values[key] = value
        except InputError as error:
            gaps.append(Gap(key, path, error))
    return values


def _summarised(gaps: Iterable[Gap]) -> list[UnfadeError]:
    """An error for each measure, with the first image and the number of others."""
    by_measure: dict[str, list[Gap]] = {}
    for gap in gaps:
        by_measure.setdefault(gap.measure, []).append(gap)
    out: list[UnfadeError] = []
    for measure, (first, *further) in by_measure.items():
        suffix = f", and {len(further)} more images without it" if further else ""
        got = f"{first.error.got} ({measure}{suffix})"
        out.append(InputError(got, first.error.expected, first.error.fix, path=first.path))
    return out


def read_rgb(path: Path) -> Image:
    """A photo as (H, W, 3) sRGB [0, 1], gray replicated. InputError if it cannot be read."""
    return _read(path)[0]


def _read(path: Path) -> tuple[Image, bool]:
    """The photo, and whether it has one channel only."""
    photo = read_photo(path)
    rgb = photo.srgb(slice(0, photo.height), slice(0, photo.width))
    return np.ascontiguousarray(rgb), photo.gray


def _enlarged(image: Image, target: Image) -> Image:
    """A smaller input at its reference's size, by bicubic interpolation."""
    height, width = target.shape[:2]
    if image.shape[0] >= height or image.shape[1] >= width:
        return image
    large = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(large, 0, 1).astype(np.float32, copy=False)


def _other_colours(gray: bool) -> InputError:
    got, expected = ("gray", "colour") if gray else ("colour", "gray")
    fix = "write it as RGB, or compare luma alone with --space y"
    return InputError(got, f"{expected} as its reference has", fix)


def _located(error: UnfadeError, path: Path) -> UnfadeError:
    """The error with the file that it belongs to."""
    return type(error)(error.got, error.expected, error.fix, path=error.path or path)
