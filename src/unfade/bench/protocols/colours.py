"""Protocol `colours`: how far colours are from the photo's own, and whether a prompt moves them.

First, photos with a caption, at a short side of 256 pixels: their gray versions (Rec. 709 luma),
these with one chroma (the mean of training photos), and coloured without a prompt, with the
photo's first caption, and with its own colours named by region.

Then pairs of prompts that differ in one colour word, from the same noise: captions with one
colour word, and phrases such as "green at the bottom". The word moves its region the right way
where the region's mean (a, b) of Lab goes, from one result to the other, in the direction from
the one colour to the other (within 90 degrees). Chance is 50 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from unfade.bench.aggregate import Aggregate
from unfade.bench.cases import Case
from unfade.bench.datasets import read_captions
from unfade.bench.protocols.base import Progress, Report
from unfade.bench.protocols.colour_methods import (
    METRICS,
    ColourMethods,
    colour_names,
    gray_of,
    mean_chroma,
    reduced,
)
from unfade.bench.protocols.colour_prompts import (
    Pair,
    caption_pairs,
    direction,
    draw_pairs,
    phrase_pairs,
)
from unfade.bench.protocols.comparison import compare, written_case
from unfade.bench.protocols.photos import photos_in, spread
from unfade.bench.run import Run
from unfade.bench.sections import Cell, Grid, number
from unfade.bench.tables.base import Setting, Table
from unfade.data.sources import load_photos
from unfade.errors import UsageError
from unfade.eval.colour import lab
from unfade.eval.evaluation import read_rgb
from unfade.eval.images import Image
from unfade.rng import generator

NAME = "colours"
ERRORS, PAIRS = "captions", "pairs"  # the two cases
WORDS = ("first prompt", "second prompt")  # methods of the pairs


@dataclass(frozen=True)
class Settings:
    """Settings of the protocol.

    Attributes:
        data: folder of photos, with `captions.jsonl` beside them.
        train: folder of the training photos, or of their shards.
        out: folder for results, the report and `pairs.png`.
        methods: the preset, its options, and the seed of sampling and of the drawn pairs.
        count: number of photos with a caption.
        pairs: number of pairs of prompts.
    """

    data: Path
    train: Path
    out: Path
    methods: ColourMethods
    count: int | None = 50
    pairs: int = 40


def colours(settings: Settings, progress: Progress | None = None) -> Report:
    """Runs the protocol; see `super_resolution` for what is raised.

    Raises:
        UsageError: the preset cannot colour, or no photo has a caption.
    """
    sampling = settings.methods
    restorer = sampling.load()
    captions = read_captions(settings.data / "captions.jsonl")
    photos = {path.stem: reduced(read_rgb(path)) for path in photos_in(settings.data)}
    captioned = [name for name in photos if captions.get(name)]
    count = min(settings.count or len(captioned), len(captioned))
    indices: list[int] = np.unique(np.linspace(0, len(captioned) - 1, count).astype(int)).tolist()
    captioned = [captioned[i] for i in indices]
    if not captioned:
        fix = "write captions.jsonl beside them"
        raise UsageError("no photo with a caption", "some", fix, path=settings.data)
    pairs = _pairs_of(photos, captions, settings)
    chroma = mean_chroma(load_photos(settings.train))
    firsts = {name: captions[name][0] for name in captioned}
    methods = sampling.error_methods(restorer, photos, firsts, chroma)
    for i, method in enumerate(WORDS if pairs else ()):
        prompts = {key: pair.prompts[i] for key, pair in pairs.items()}
        methods.append(sampling.prompted(method, restorer, prompts))
    gray = {name: gray_of(image) for name, image in photos.items()}

    def cases(setting: Setting) -> list[Case]:
        names = [method.name for method in methods]
        return [
            written_case(
                NAME,
                setting.work,
                (settings.data.name, ERRORS),
                ((name, gray[name], photos[name]) for name in captioned),
                methods=tuple(name for name in names if name not in WORDS),
            ),
            *(
                [
                    written_case(
                        NAME,
                        setting.work,
                        (settings.data.name, PAIRS),
                        ((key, gray[pair.photo], None) for key, pair in pairs.items()),
                        methods=WORDS,
                    )
                ]
                if pairs
                else ()
            ),
        ]

    def grids(aggregate: Aggregate) -> list[Grid]:
        return [_shift_grid(pairs, _shifts(aggregate.run, pairs))] if pairs else []

    table = Table(
        NAME,
        "Colours",
        "protocol of this project",
        "Gray photos, coloured without a prompt, by a caption, and by colours named by region.",
        cases,
        METRICS,
        grids=grids,
    )
    head: dict[str, object] = {
        "photos": len(captioned), "data": settings.data.name, "seed": sampling.seed,
        "preset": sampling.preset, "steps": sampling.steps, "guidance": sampling.guidance,
        "strength": sampling.strength, "saturation": sampling.saturation,
        "mean chroma": f"{chroma[0]:.1f} {chroma[1]:.1f}",
    }  # fmt: skip
    report, run = compare(table, methods, settings.data, settings.out, head, progress)
    if pairs:
        _draw(settings.out / "pairs.png", run, pairs, photos, gray)
    return report


def _pairs_of(
    photos: dict[str, Image], captions: dict[str, list[str]], settings: Settings
) -> dict[str, Pair]:
    """At most one pair of each kind for a photo, half of all from captions; name -> pair."""
    by_caption: list[Pair] = []
    by_phrase: list[Pair] = []
    for index, (name, image) in enumerate(photos.items()):
        names = colour_names(image)
        rng = generator(settings.methods.seed, "pairs", index)
        by_caption += caption_pairs(name, captions.get(name, []), names, rng)[:1]
        by_phrase += phrase_pairs(name, names, rng)[:1]
    chosen = by_caption[: settings.pairs // 2]
    used = {pair.photo for pair in chosen}
    rest = [pair for pair in by_phrase if pair.photo not in used]
    chosen += spread(rest, max(1, settings.pairs - len(chosen)))
    return {f"{i:02d}-{pair.photo}": pair for i, pair in enumerate(chosen[: settings.pairs])}


def _results(run: Run, key: str) -> list[Image]:
    """Both results of one pair; fewer where one failed."""
    (case,) = (case for case in run.cases if case.degradation == PAIRS)
    paths = [run.result(case, method, key) for method in WORDS]
    return [read_rgb(path) for path in paths if path.is_file()]


def _shifts(run: Run, pairs: dict[str, Pair]) -> dict[str, float]:
    """For each pair, how far its region went in the direction of the words, Lab units."""
    shifts: dict[str, float] = {}
    for key, pair in pairs.items():
        results = _results(run, key)
        if len(results) == 2:
            first, second = results
            size = first.shape[1::-1]
            inside = cv2.resize(pair.region.astype(np.uint8), size, interpolation=0) > 0
            moved = (lab(second)[inside] - lab(first)[inside]).mean(0)[1:]
            shifts[key] = float(moved @ direction(*pair.words))
    return shifts


def _shift_grid(pairs: dict[str, Pair], shifts: dict[str, float]) -> Grid:
    """How often a colour word moved its region the right way."""
    rows: list[list[Cell]] = []
    for kind in ("all", "caption", "phrase"):
        kind_shifts = np.array([s for key, s in shifts.items() if kind in ("all", pairs[key].kind)])
        cells = [Cell("–")] * 3
        if len(kind_shifts):
            shares = (float((kind_shifts > 0).mean()), float((kind_shifts > 2).mean()))
            median = float(np.median(kind_shifts))
            cells = [Cell(f"{share:.0%}", share, "number") for share in shares]
            cells.append(Cell(f"{median:+.2f}", median, "number"))
        rows.append([Cell(kind), number(len(kind_shifts), 0), *cells])
    columns = ["prompts", "pairs", "right way", "by more than 2", "median shift"]
    note = "Shifts in Lab's (a, b) along the direction from the one word's colour to the other's."
    return Grid("Pairs of prompts that differ in one colour word", columns, rows, note)


def _draw(
    path: Path, run: Run, pairs: dict[str, Pair], photos: dict[str, Image], gray: dict[str, Image]
) -> None:
    """Writes the pairs: gray, both results, the photo."""
    shifts = _shifts(run, pairs)
    draw_pairs(
        path,
        [
            (
                pairs[key],
                shift,
                [gray[pairs[key].photo], *_results(run, key), photos[pairs[key].photo]],
            )
            for key, shift in shifts.items()
        ],
    )
