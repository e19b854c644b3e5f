"""Protocol `garments`: colours of photos that training held out, and garments that words rename.

Training photos of which one in twenty or a hundred is held out (`data.colour.is_held_out`), at a
short side of 256 pixels: errors as in protocol `colours`, for people and for other photos apart,
and the share of pixels of skin, hair, sky and the like with a colour that no such thing has in
the training photos.

Then prompts that give a garment another colour. The caption of a held-out photo names garments
with their colours ("navy coat, black shoes"), and labels tell where each is. One gets a colour of
quite another hue: in a prompt that names nothing else, compared with no prompt, and in the whole
caption, compared with the caption as it was. The word is obeyed where the garment's mean chroma
has the hue of the new word within 30 degrees; the rest stays where the mean CIEDE2000 between the
two results outside of the garment is below 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.bench.aggregate import Aggregate
from unfade.bench.cases import Case
from unfade.bench.protocols.base import Progress, Report
from unfade.bench.protocols.colour_methods import (
    METRICS,
    ColourMethods,
    gray_of,
    mean_chroma,
    reduced,
)
from unfade.bench.protocols.colour_prompts import Pair, draw_pairs
from unfade.bench.protocols.comparison import compare, written_case
from unfade.bench.protocols.photos import spread
from unfade.bench.protocols.plausible import Pixels, PlausibleColours, kinds_of
from unfade.bench.run import Run
from unfade.bench.sections import Cell, Grid, number
from unfade.bench.tables.base import Setting, Table
from unfade.data.colour import is_held_out
from unfade.data.garments import label_regions, named_parts
from unfade.data.recolour import HUES, colour_of, draw_name
from unfade.data.sources import CleanPhoto, load_photos
from unfade.errors import UsageError
from unfade.eval.colour import ciede2000, lab
from unfade.eval.evaluation import read_rgb
from unfade.eval.images import Image, Plane
from unfade.rng import generator

NAME = "garments"
PEOPLE, OTHERS, RENAMED = "people", "other photos", "renamed"  # the cases
OWN, NEW = "before", "renamed"  # methods of the renamed garments
ALONE, CAPTION = "the garment alone", "the whole caption"  # kinds of prompts
COLOURED = ("no prompt", "caption", "colours named", "the photo")  # whose colours are judged
_HUE, _REST = 30.0, 4.0  # degrees; CIEDE2000
_CHROMATIC = 20.0  # chroma of a colour word, at least
_APART = 60.0  # degrees between the two words
_LEARNT = 1500  # training photos that plausible colours are learnt from
_SHEET = 40  # pairs that are drawn


@dataclass(frozen=True)
class Settings:
    """Settings of the protocol.

    Attributes:
        data: training photos of `unfade train colour`, or their shards, with captions and labels.
        out: folder for results, the report and `garments.png`.
        methods: the preset and its options.
        count: number of held-out photos of each kind; None for all.
        prompts: number of garments that get another colour, in two prompts each.
    """

    data: Path
    out: Path
    methods: ColourMethods
    count: int | None = 100
    prompts: int = 200


def garments(settings: Settings, progress: Progress | None = None) -> Report:
    """Runs the protocol; see `super_resolution` for what is raised.

    Raises:
        UsageError: the preset cannot colour, or no photo with a caption is held out.
    """
    restorer = settings.methods.load()
    photos = load_photos(settings.data)
    training = [photo for photo in photos if not is_held_out(photo.key)]
    held = {_stem(photo): photo for photo in photos if is_held_out(photo.key) and photo.captions}
    people = [name for name, photo in held.items() if named_parts(photo.captions[0])]
    others = [name for name in held if name not in people]
    if not held:
        got, fix = "no held-out photo with a caption", "name the photos of `unfade train colour`"
        raise UsageError(got, "some", fix, path=settings.data)
    groups = {
        PEOPLE: spread(people, settings.count),
        OTHERS: spread(others, settings.count),
    }
    images = {name: reduced(held[name].decode()) for names in groups.values() for name in names}
    captions = {name: held[name].captions[0] for name in images}
    chroma = mean_chroma(training or photos)
    methods = settings.methods.error_methods(restorer, images, captions, chroma)
    errors = tuple(method.name for method in methods)
    labelled = [held[name] for name in groups[PEOPLE] if held[name].labels is not None]
    pairs = _renamings(labelled, images, settings)
    for i, method in enumerate((OWN, NEW) if pairs else ()):
        prompts = {key: pair.prompts[i] for key, pair in pairs.items()}
        methods.append(settings.methods.prompted(method, restorer, prompts))

    def cases(setting: Setting) -> list[Case]:
        found = [
            written_case(
                NAME,
                setting.work,
                ("held-out", group),
                ((name, gray_of(images[name]), images[name]) for name in names),
                methods=errors,
            )
            for group, names in groups.items()
            if names
        ]
        if pairs:
            inputs = ((key, gray_of(images[pair.photo]), None) for key, pair in pairs.items())
            names = ("held-out", RENAMED)
            found.append(written_case(NAME, setting.work, names, inputs, methods=(OWN, NEW)))
        return found

    plausible = PlausibleColours(_learnt_from(training))

    def grids(aggregate: Aggregate) -> list[Grid]:
        shown = [_plausible_grid(plausible, held, images, groups, aggregate.run)]
        return [*shown, _renamed_grid(pairs, aggregate.run)] if pairs else shown

    table = Table(
        NAME,
        "Garments and other held-out photos",
        "protocol of this project",
        "Gray photos, coloured without a prompt, by a caption, and by colours named by region; "
        "garments that a prompt gives another colour.",
        cases,
        METRICS,
        grids=grids,
    )
    head: dict[str, object] = {
        "people": len(groups[PEOPLE]), "other photos": len(groups[OTHERS]), "prompts": len(pairs),
        "data": settings.data.name, "preset": settings.methods.preset,
        "seed": settings.methods.seed, "saturation": settings.methods.saturation,
    }  # fmt: skip
    report, run = compare(table, methods, settings.data, settings.out, head, progress)
    shown = [
        (pair, turn, [gray_of(images[pair.photo]), *results, images[pair.photo]])
        for key, pair in spread(list(pairs.items()), _SHEET)
        if len(results := _results(run, key)) == 2
        for turn in [_turn(results[1], pair)]
    ]
    draw_pairs(settings.out / "garments.png", shown)
    return report


def _stem(photo: CleanPhoto) -> str:
    return photo.key.rsplit("/", 1)[-1]


def _renamings(
    photos: Sequence[CleanPhoto], images: dict[str, Image], settings: Settings
) -> dict[str, Pair]:
    """Prompts that rename one garment; name -> pair, spread evenly over photos and garments."""
    renamed: list[tuple[Pair, Pair]] = []
    rounds = 1 + settings.prompts // max(1, len(photos))
    for turn in range(rounds):
        for index, photo in enumerate(photos):
            rng = generator(settings.methods.seed, NAME, turn * len(photos) + index)
            both = _renaming(photo, images[_stem(photo)], rng)
            renamed += [both] if both is not None else []
    chosen = enumerate(spread(renamed, settings.prompts))
    return {f"{i:03d}{'ab'[j]}-{both[j].photo}": both[j] for i, both in chosen for j in range(2)}


def _renaming(
    photo: CleanPhoto, image: Image, rng: np.random.Generator
) -> tuple[Pair, Pair] | None:
    """Both pairs of prompts for a garment of a photo; None where none is named and labelled."""
    assert photo.labels is not None, "only labelled photos are asked for"
    size = image.shape[1::-1]
    levels = cv2.resize(photo.labels.decode(), size, interpolation=cv2.INTER_NEAREST)
    regions = label_regions(np.asarray(levels, np.uint8), photo.labels.names)
    parts = named_parts(photo.captions[0])
    names = sorted(noun for noun in parts if noun in regions and noun != "hair")
    if not names:
        return None
    noun = str(rng.choice(names))
    region = regions[noun] > 0.5
    own = lab(image)[region].mean(0)
    for _ in range(100):
        word = draw_name(float(own[0]), rng)
        chroma = np.array(colour_of(word)[1:])
        far = _angle(chroma, own[1:]) >= _APART or float(np.hypot(*own[1:])) < _CHROMATIC / 2
        if float(np.hypot(*chroma)) >= _CHROMATIC and far:
            words, name = (parts[noun], word), _stem(photo)
            whole = _sentence(parts), _sentence({**parts, noun: word})
            alone = "", _sentence({noun: word})
            return (
                Pair(name, ALONE, words, alone, region),
                Pair(name, CAPTION, words, whole, region),
            )
    return None


def _sentence(parts: dict[str, str]) -> str:
    return "a person with " + ", ".join(f"{colour} {noun}" for noun, colour in parts.items())


def _angle(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Degrees between the hues of two chromas (2,)."""
    (a, b), (c, d) = first, second
    return abs(float(np.degrees(np.arctan2(a * d - b * c, a * c + b * d))))


def _turn(result: Image, pair: Pair) -> float:
    """Degrees between the hue of a result's garment and that of the new word."""
    return _angle(lab(result)[pair.region].mean(0)[1:], np.array(colour_of(pair.words[1])[1:]))


def _rest(results: Sequence[Image], pair: Pair) -> float:
    """Mean CIEDE2000 between both results outside of the garment and its edge."""
    edge = np.ones((5, 5), np.uint8)
    outside = cv2.dilate(pair.region.astype(np.uint8), edge) == 0
    first, second = (lab(result)[outside] for result in results)
    return float(ciede2000(first, second).mean())


def _results(run: Run, key: str) -> list[Image]:
    """Both results of one pair; fewer where one failed."""
    (case,) = (case for case in run.cases if case.degradation == RENAMED)
    paths = [run.result(case, method, key) for method in (OWN, NEW)]
    return [read_rgb(path) for path in paths if path.is_file()]


def _renamed_grid(pairs: dict[str, Pair], run: Run) -> Grid:
    """How often a garment takes the colour that a prompt gives it, and the rest stays."""
    figures: list[tuple[str, str, float, float]] = []
    for key, pair in pairs.items():
        results = _results(run, key)
        if len(results) == 2:
            word = "a hue" if pair.words[1] in HUES else "a shade"
            figures.append((pair.kind, word, _turn(results[1], pair), _rest(results, pair)))
    rows: list[list[Cell]] = []
    for kind in (ALONE, CAPTION):
        for word in ("any", "a hue", "a shade"):
            chosen = [f[2:] for f in figures if f[0] == kind and word in ("any", f[1])]
            if chosen:
                turns, rests = np.array(chosen).T
                right, still = turns <= _HUE, rests < _REST
                shares = [float(x.mean()) for x in (right, still, right & still)]
                rows.append(
                    [
                        Cell(kind),
                        Cell(word),
                        number(len(chosen), 0),
                        *(Cell(f"{share:.0%}", share, "number") for share in shares),
                        number(float(np.median(turns)), 1),
                        number(float(np.median(rests)), 2),
                    ]
                )
    columns = [
        "prompt names", "word", "pairs", "hue within 30°", "rest below 4", "both",
        "median turn (°)", "median rest",
    ]  # fmt: skip
    note = "A hue is one of " + ", ".join(HUES) + "; other words are shades of one (`crimson`)."
    return Grid("Garments that a prompt gives another colour", columns, rows, note)


def _learnt_from(photos: Sequence[CleanPhoto]) -> Iterator[tuple[Plane, dict[str, Pixels]]]:
    """Lab and kinds of training photos, half of them labelled where there are enough."""
    labelled = [photo for photo in photos if photo.labels is not None]
    others = [photo for photo in photos if photo.labels is None and photo.captions]
    for photo in spread(labelled, _LEARNT // 2) + spread(others, _LEARNT // 2):
        image = reduced(photo.decode())
        colours = lab(image)
        yield colours, kinds_of(photo, image, colours)


def _plausible_grid(
    plausible: PlausibleColours, held: dict[str, CleanPhoto], images: dict[str, Image],
    groups: dict[str, list[str]], run: Run,
) -> Grid:  # fmt: skip
    """The share of pixels with an implausible colour, by kind of thing."""
    shares: dict[str, dict[str, list[float]]] = {}
    for case in run.cases:
        for name in groups.get(case.degradation, []):
            regions = kinds_of(held[name], images[name], lab(images[name]))
            for method in COLOURED:
                path = run.result(case, method, name)
                if regions and path.is_file():
                    for kind, share in plausible.outside(lab(read_rgb(path)), regions).items():
                        shares.setdefault(kind, {}).setdefault(method, []).append(share)
    rows = [
        [
            Cell(kind),
            number(max(len(values) for values in methods.values()), 0),
            *(
                number(100 * float(np.mean(methods.get(method, [np.nan]))), 2)
                for method in COLOURED
            ),
        ]
        for kind, methods in sorted(shares.items())
    ]
    title = "Pixels with a colour that the thing has in no training photo, %"
    return Grid(title, ["thing", "photos", *COLOURED], rows)
