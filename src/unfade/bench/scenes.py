"""Selects the photos that a report shows: the best and worst results of a table's main method."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from unfade.bench.aggregate import Aggregate, label_of
from unfade.bench.case_files import inputs_of, reference_of
from unfade.bench.cases import Case
from unfade.bench.sections import Scene, SceneImage

GROUPS = 3  # of a table that are shown, spread evenly
_RANKED_BY = ("psnr", "ssim", "chroma")


def scenes_of(aggregate: Aggregate, out: Path) -> list[Scene]:
    """The subject's best and worst photo in some cases; cases of the same inputs count as one.

    A photo is ranked by what the subject gains over the input, by the first of PSNR, SSIM and
    chroma error that there is.

    Args:
        out: the folder of the run; pictures are named from there.
    """
    subject = aggregate.subject
    metric = next((name for name in _RANKED_BY if name in aggregate.measures), None)
    if subject is None or metric is None:
        return []
    bundles = [cases for cases in _bundles(aggregate) if aggregate.values(cases, subject, metric)]
    limit = min(GROUPS, len(bundles))
    shown = [bundles[(2 * i + 1) * len(bundles) // (2 * limit)] for i in range(limit)]
    scenes: list[Scene] = []
    for cases in shown:
        gains = _gains(aggregate, cases, subject, metric)
        ranked = sorted(gains, key=lambda image: gains[image])
        chosen = {ranked[-1]: "best", ranked[0]: "worst"}
        for image, word in reversed(chosen.items()):
            image_cases = [case for case in cases if image in inputs_of(case)]
            scenes.append(_scene(aggregate, image_cases, image, (subject, word), metric, out))
    return scenes


def _bundles(aggregate: Aggregate) -> list[list[Case]]:
    """Cases that are shown together: lines of the table, and those of the same inputs."""
    bundles: dict[object, list[Case]] = {}
    for group in aggregate.groups:
        key = group.cases[0].inputs if len(group.cases) == 1 else group.label
        bundles.setdefault(key, []).extend(group.cases)
    return [*bundles.values()]


def _gains(
    aggregate: Aggregate, cases: Sequence[Case], subject: str, metric: str
) -> dict[str, float]:
    """What the subject gains over the input, by image, on average over cases; more is better."""
    sign = 1.0 if aggregate.measures[metric].better == "higher" else -1.0
    before: dict[str, float] = {}
    if subject != "input":
        before = {image: v for (_, image), v in aggregate.values(cases, "input", metric).items()}
    values: dict[str, list[float]] = {}
    for (_, image), value in aggregate.values(cases, subject, metric).items():
        gain = sign * (value - before.get(image, 0.0))
        values.setdefault(image, []).append(gain if math.isfinite(gain) else 0.0)
    return {image: sum(gains) / len(gains) for image, gains in values.items()}


def _scene(
    aggregate: Aggregate,
    cases: Sequence[Case],
    image: str,
    named: tuple[str, str],
    metric: str,
    out: Path,
) -> Scene:
    """The results of all methods for one photo in these cases, which have the same inputs."""
    subject, word = named
    pictures = [SceneImage("damaged", _below(inputs_of(cases[0])[image], out))]
    values: list[str] = []
    focus, measure = subject, aggregate.measures[metric]
    for case in cases:
        for method in aggregate.methods([case]):
            path = aggregate.run.result(case, method, image)
            value = aggregate.values([case], method, metric).get((case.name, image))
            label = f"{method}{_apart(case, cases)}"
            if path.is_file() and method != "input":
                pictures.append(SceneImage(label, _below(path, out)))
                focus = label if method == subject else focus
            if value is not None:
                values.append(f"{label} {value:.{measure.digits}f}")
    clean = reference_of(cases[0], image)
    if clean is not None:
        pictures.append(SceneImage("clean", _below(clean, out)))
    caption = f"{measure.title}: {', '.join(values)}"
    title = f"{_title(cases)}: {subject}'s {word}, {image}"
    return Scene(title, caption, pictures, focus)


def _apart(case: Case, cases: Sequence[Case]) -> str:
    """A label that distinguishes a case from the others of its bundle: ", steps 5"."""
    if len(cases) == 1:
        return ""
    if case.value is not None:
        return f", {case.parameter} {case.value:g}"
    kinds = {other.degradation for other in cases}
    return f", {case.degradation}" if len(kinds) > 1 else ""


def _title(cases: Sequence[Case]) -> str:
    """ "DIV2K, moderate"; of several cases, what they have in common."""
    if len(cases) == 1:
        return label_of(cases[0])
    kinds = {case.degradation for case in cases}
    common = kinds if len(kinds) == 1 else {kind.partition("-")[0] for kind in kinds}
    return ", ".join([cases[0].dataset, *(common if len(common) == 1 else ())])


def _below(path: Path, out: Path) -> str:
    return Path(os.path.relpath(path, out)).as_posix()
