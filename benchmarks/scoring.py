"""What the benchmarks of the diffusion model share: folders of results, tables, sheets.

Every result is a PNG with the name of its photo. A start that finds it goes on behind it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import torch

from unfade.eval.evaluation import Evaluation, read_rgb
from unfade.eval.folders import match_folders
from unfade.eval.images import Image, Protocol
from unfade.eval.measures import SET_MEASURES, chosen, measures
from unfade.eval.summary import Summary, summarise
from unfade.eval.tables import markdown
from unfade.imaging.atomic import atomic_file
from unfade.manifest import sha256_file
from unfade.models.presets import find_preset
from unfade.train.sheets import write_sheet

#: What is compared pair by pair of results.
COMPARED = ("psnr", "niqe", "ciede2000", "chroma")


def middle(path: Path, size: int) -> Image:
    """(h, w, 3): the middle of a photo, `size` pixels a side or what there is."""
    image = read_rgb(path)
    y, x = (max(0, n - size) // 2 for n in image.shape[:2])
    return image[y : y + size, x : x + size]


def begin(out: Path, settings: Mapping[str, Any], preset: str | Path) -> None:
    """Makes the folder of results, or makes sure that it is of these settings and weights."""
    weights = sha256_file(find_preset(preset).folder / "preset.json")
    told = json.dumps({**settings, "preset": weights}, default=str, indent=2)
    path = out / "settings.json"
    if path.exists() and path.read_text() != told:
        raise click.ClickException(f"{out} holds results of other settings: name another --out")
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(told)


def keep(path: Path, make: Callable[[], Image]) -> Path:
    """Writes a picture (H, W, 3) [0, 1] with 8 bits, unless it is there already."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        levels = np.rint(np.clip(make(), 0, 1) * 255).astype(np.uint8)
        code = cv2.imencode(".png", np.ascontiguousarray(levels[..., ::-1]))[1]
        with atomic_file(path) as file:
            file.write(code.tobytes())
        click.echo(f"\r{f'{path.parent.name}/{path.name}':70s}", err=True, nl=False)
    return path


def summary_of(
    methods: Mapping[str, Path], clean: Path, metrics: Sequence[str], *, against: str | None = None
) -> tuple[Summary, str]:
    """The figures of folders of results, and their tables.

    Args:
        methods: name -> folder.
        against: the method that the others are compared with, pair by pair of results.
    """
    names = chosen(metrics)
    protocol = Protocol()
    sets = tuple(name for name in names if name in SET_MEASURES)
    evaluation = Evaluation(measures(names, protocol), sets, protocol)
    matches, problems = match_folders(methods, clean)
    for match in matches:
        evaluation.add(match)
    distances = evaluation.distances()
    for problem in [*problems, *evaluation.failures(), *evaluation.notes()]:
        click.echo(str(problem), err=True)
    order = [*([against] if against else []), *(m for m in methods if m != against)]
    found = summarise(order, evaluation.rows, list(evaluation.measures), distances)
    kept = [c for c in found.comparisons if c.first == against and c.measure in COMPARED]
    found = replace(found, comparisons=kept)
    return found, markdown(found, evaluation.measures, protocol)


def boxed(image: Image, side: int) -> torch.Tensor:
    """(H, W, 3) -> (3, side, side), as large as it fits, on black."""
    factor = side / max(image.shape[:2])
    size = (round(factor * image.shape[1]), round(factor * image.shape[0]))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    out = np.zeros((side, side, 3), np.float32)
    out[: small.shape[0], : small.shape[1]] = small
    return torch.from_numpy(out).permute(2, 0, 1)


def sheet(path: Path, folders: Sequence[Path], names: Sequence[str], side: int = 256) -> None:
    """A line for each photo, a column for each folder."""
    write_sheet(path, [[boxed(read_rgb(f / f"{n}.png"), side) for f in folders] for n in names])
