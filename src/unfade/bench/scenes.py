"""The photos that a report shows: where the subject of a table did best, and where worst."""

from __future__ import annotations

import math
import os
from pathlib import Path

from unfade.bench.cases import Case
from unfade.bench.folders import inputs_of, reference_of
from unfade.bench.sections import Picture, Scene
from unfade.bench.tally import Group, Tally, label_of

GROUPS = 3  # of a table that are shown, spread evenly
_RANKED_BY = ("psnr", "ssim", "chroma")


def scenes_of(tally: Tally, out: Path) -> list[Scene]:
    """The best and the worst photo of the subject in some cases.

    A photo is ranked by what the subject gains over the input, by the first of PSNR, SSIM and
    chroma error that there is.

    Args:
        out: the folder of the run; pictures are named from there.
    """
    subject = tally.subject
    metric = next((name for name in _RANKED_BY if name in tally.measures), None)
    if subject is None or metric is None:
        return []
    groups = [group for group in tally.groups if tally.values(group.cases, subject, metric)]
    limit = min(GROUPS, len(groups))
    shown = [groups[(2 * i + 1) * len(groups) // (2 * limit)] for i in range(limit)]
    scenes: list[Scene] = []
    for group in shown:
        gains = _gains(tally, group, subject, metric)
        ranked = sorted(gains, key=lambda key: gains[key])
        chosen = {ranked[-1]: "best", ranked[0]: "worst"}
        for (name, image), word in reversed(chosen.items()):
            case = next(case for case in group.cases if case.name == name)
            scenes.append(_scene(tally, case, image, (subject, word), metric, out))
    return scenes


def _gains(tally: Tally, group: Group, subject: str, metric: str) -> dict[tuple[str, str], float]:
    """What the subject gains over the input, more is better."""
    sign = 1.0 if tally.measures[metric].better == "higher" else -1.0
    own = tally.values(group.cases, subject, metric)
    before = {} if subject == "input" else tally.values(group.cases, "input", metric)
    gains = {key: sign * (value - before.get(key, 0.0)) for key, value in own.items()}
    return {key: value if math.isfinite(value) else 0.0 for key, value in gains.items()}


def _scene(
    tally: Tally, case: Case, image: str, named: tuple[str, str], metric: str, out: Path
) -> Scene:
    subject, word = named
    pictures = [Picture("damaged", _below(inputs_of(case)[image], out))]
    values: list[str] = []
    measure = tally.measures[metric]
    for method in tally.methods([case]):
        path = tally.run.result(case, method, image)
        value = tally.values([case], method, metric).get((case.name, image))
        if path.is_file() and method != "input":
            pictures.append(Picture(method, _below(path, out)))
        if value is not None:
            values.append(f"{method} {value:.{measure.digits}f}")
    clean = reference_of(case, image)
    if clean is not None:
        pictures.append(Picture("clean", _below(clean, out)))
    caption = f"{measure.title}: {', '.join(values)}"
    title = f"{label_of(case)}: {subject}'s {word}, {image}"
    return Scene(title, caption, pictures, subject)


def _below(path: Path, out: Path) -> str:
    return Path(os.path.relpath(path, out)).as_posix()
