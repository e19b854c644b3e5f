"""Scores the results of methods against their references, image by image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from unfade.errors import InputError, UnfadeError
from unfade.eval.distances import Features, standardised
from unfade.eval.folders import Match
from unfade.eval.images import Image, Protocol, require_same_size
from unfade.eval.measures import SET_MEASURES, Measure
from unfade.eval.patches import patch_statistics
from unfade.imaging import read_photo

LQ = "lq"  # the method that does nothing


@dataclass(frozen=True)
class Row:
    """One image of one method. A value that could not be measured is missing."""

    method: str
    image: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class Distances:
    """How far all patches of a method are from those of the same clean photos."""

    images: int  # that were large enough
    values: Mapping[str, float]  # by the name of the set measure


@dataclass
class Evaluation:
    """Collects rows, what went wrong, and the features of all patches.

    Attributes:
        measures: of one image, by name.
        set_measures: names from SET_MEASURES.
        protocol: border and space; in RGB, gray is not compared with colour.
    """

    measures: Mapping[str, Measure]
    set_measures: tuple[str, ...]
    protocol: Protocol
    rows: list[Row] = field(default_factory=list[Row])
    problems: list[UnfadeError] = field(default_factory=list[UnfadeError])
    _gaps: dict[str, list[InputError]] = field(default_factory=dict[str, list[InputError]])
    _features: dict[str, dict[str, Features]] = field(
        default_factory=dict[str, dict[str, Features]]
    )
    _clean: dict[str, Features] = field(default_factory=dict[str, Features])

    def add(self, match: Match) -> None:
        """Scores every result of one reference; what fails is added to `problems`."""
        try:
            target, gray = _read(match.reference)
            cut = self.protocol.cropped(target)
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
                self._score(method, match.name, path, self.protocol.cropped(image), cut)
            except UnfadeError as error:
                self.problems.append(_located(error, path))

    def _score(self, method: str, name: str, path: Path, image: Image, target: Image) -> None:
        values: dict[str, float] = {}
        for key, measure in self.measures.items():
            try:
                value = float(measure.score(image, target))
                if math.isnan(value):
                    raise InputError("not a number", "a value", "leave this metric out")
                values[key] = value
            except InputError as error:
                self._gap(key, error, path)
        if self.set_measures:
            self._describe(method, name, path, image, target)
        self.rows.append(Row(method, name, values))

    def _describe(self, method: str, name: str, path: Path, image: Image, target: Image) -> None:
        try:
            features = patch_statistics(image)
            if name not in self._clean:
                self._clean[name] = patch_statistics(target)
            self._features.setdefault(method, {})[name] = features
        except InputError as error:
            self._gap(" and ".join(self.set_measures), error, path)

    def _gap(self, measure: str, error: InputError, path: Path) -> None:
        """Notes that one image could not be measured so."""
        located = InputError(error.got, error.expected, error.fix, path=path)
        self._gaps.setdefault(measure, []).append(located)

    def failures(self) -> list[UnfadeError]:
        """`problems`, and an error for each measure that some images have no value of."""
        gaps: list[UnfadeError] = []
        for measure, errors in self._gaps.items():
            first, more = errors[0], len(errors) - 1
            others = f", and {more} more images without it" if more else ""
            got = f"{first.got} ({measure}{others})"
            gaps.append(InputError(got, first.expected, first.fix, path=first.path))
        return [*self.problems, *gaps]

    def distances(self) -> dict[str, Distances]:
        """Of each method, where there are set measures.

        Features are in standard deviations of all clean photos' patches. A method with fewer than
        two patches is added to `problems`.
        """
        if not self.set_measures or not self._features:
            return {}
        scale = np.concatenate(list(self._clean.values()))
        out: dict[str, Distances] = {}
        for method, found in self._features.items():
            own = standardised(np.concatenate(list(found.values())), scale)
            clean = standardised(np.concatenate([self._clean[name] for name in found]), scale)
            try:
                values = {n: SET_MEASURES[n].distance(own, clean) for n in self.set_measures}
                out[method] = Distances(len(found), values)
            except InputError as error:
                got = f"{error.got} (method {method})"
                self.problems.append(InputError(got, error.expected, error.fix))
        return out


def read_rgb(path: Path) -> Image:
    """A photo as (H, W, 3) sRGB [0, 1], gray replicated. InputError where it cannot be read."""
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
