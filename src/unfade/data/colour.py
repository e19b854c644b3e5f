"""Makes training samples for colouring: lightness, prompt and region colours, with true chroma."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.colours import NAMES
from unfade.config import renamed_field
from unfade.data.backdrops import before_backdrop, person_mask, studio_crop
from unfade.data.captions import colour_map, phrases
from unfade.data.garments import Regions, label_regions, recolour_garments
from unfade.data.pairs import photo_index
from unfade.data.recolour import Lab, name_of, to_lab, to_rgb
from unfade.data.regions import recolour_region, sure_regions, true_colours
from unfade.data.sources import CleanPhoto, hold_out
from unfade.degrade import kernels, ops
from unfade.degrade.strokes import Stroke, draw, field, wander
from unfade.degrade.types import Image, Mask, extent
from unfade.errors import UsageError
from unfade.rng import generator

T = TypeVar("T", np.float32, np.uint8)
_PEOPLE = "ccp-"
_EVERY, _EVERY_OTHER = 20, 100  # one in so many keys is held out: of people, of other photos
_NEAR = 12.0  # of chroma: what lies under a stroke that stays on its object


@dataclass(frozen=True)
class ColourOptions:
    """Settings of samples for colouring.

    Attributes:
        size: side of the square crop in pixels, a multiple of 32.
        least: side of the smallest crop, as a share of the photo's short side; it is large,
            because the whole scene shows which object has which colour.
        aged: share of crops with the grain, blur, fading and compression of old photos.
        film: share of crops with the gray values of film of another spectral sensitivity.
        labelled: share of samples from photos with labelled regions.
        backdrops: share of the photos with labelled people that get a studio's backdrop.
        recoloured: share of crops with labelled regions of which one or two get a new colour.
        sure: the same for crops whose regions come from `data.regions`.
        captions: share of the other crops with a prompt.
        region_colours: share of the crops with painted regions.
    """

    size: int = 160
    least: float = 0.55
    aged: float = 0.7
    film: float = 0.25
    labelled: float = 0.25
    backdrops: float = 0.0
    recoloured: float = 0.75
    sure: float = 0.3
    captions: float = 0.5
    region_colours: float = renamed_field("hints", 0.35)

    def __post_init__(self) -> None:
        shares = (
            "aged",
            "film",
            "labelled",
            "backdrops",
            "recoloured",
            "sure",
            "captions",
            "region_colours",
            "least",
        )
        for name in shares:
            if not 0 <= getattr(self, name) <= 1:
                got = f"samples.{name} = {getattr(self, name):g}"
                raise UsageError(got, "0 to 1", "change it in the recipe")


@dataclass(frozen=True)
class ColourSample:
    """A sample for colouring.

    Attributes:
        seen: (H, W) in [0, 1], L / 100 as an old photo shows it.
        lab: (H, W, 3), the clean photo, with its new colours.
        region_colours: (H, W, 3): a and b of painted pixels, and 1 there.
        prompt: "" is the null text.
        region: (H, W) in [0, 1], the first region that has a new colour; else zeros.
    """

    seen: Mask
    lab: Lab
    region_colours: NDArray[np.float32]
    prompt: str
    region: Mask


def is_held_out(key: str) -> bool:
    """Whether a photo is held out from training, by the hash of its key.

    One in twenty photos of people (keys that begin with "ccp-") and one in a hundred of the others
    are held out: those whose key's SHA-256 is a multiple of that number. It depends on nothing but
    the key.
    """
    name = key.rsplit("/", 1)[-1]
    every = _EVERY if name.startswith(_PEOPLE) else _EVERY_OTHER
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % every == 0


def split_photos(
    photos: Sequence[CleanPhoto],
) -> tuple[Sequence[CleanPhoto], Sequence[CleanPhoto]]:
    """Splits photos into training and held-out photos (`is_held_out`).

    If the hash holds out none or all, as among few, they are split by `sources.hold_out`.
    """
    training = [photo for photo in photos if not is_held_out(photo.key)]
    held = [photo for photo in photos if is_held_out(photo.key)]
    return (training, held) if training and held else hold_out(photos)


def colour_sample(
    photos: Sequence[CleanPhoto],
    labelled: Sequence[int],
    seed: int,
    index: int,
    options: ColourOptions,
) -> ColourSample:
    """Sample `index` of a run with this seed.

    Args:
        labelled: the indices of the photos that have labelled regions.
    """
    rng = generator(seed, "colour", index)
    if labelled and rng.random() < options.labelled:
        photo = photos[labelled[int(rng.integers(len(labelled)))]]
    else:
        photo = photos[photo_index(seed, index, len(photos))]
    rgb, regions, person = _crop(photo, options, rng)
    lab = to_lab(rgb)
    if person is not None:
        lab = before_backdrop(lab, person, rng)
        rgb = to_rgb(lab)
    changed: list[Mask] = []
    prompt, hinted = "", rng.random() < options.region_colours
    if regions and rng.random() < options.recoloured:
        lab, prompt, changed = recolour_garments(lab, regions, photo.captions, rng)
    else:
        outlined = sure_regions(lab, photo.captions)
        if outlined and rng.random() < options.sure:
            lab, prompt, area = recolour_region(lab, outlined, rng)
            changed = [area]
        elif rng.random() < options.captions:
            prompt = _prompt(photo, rgb, lab, outlined, rng)
    region = changed[0] if changed else np.zeros(extent(lab), np.float32)
    if len(changed) == 1 and hinted and rng.random() < 0.6:
        prompt = ""  # the hint alone says which colour
    region_colours = np.zeros_like(lab)
    if hinted:
        region_colours = draw_region_colours(lab[..., 1:], rng, region if changed else None)
    light = lab[..., 0] / np.float32(100)
    if not changed and rng.random() < options.film:
        light = on_film(rgb, rng)
    if rng.random() < options.aged:
        light = aged_light(light, rng)
    return ColourSample(light, lab, region_colours, prompt, region)


def plain_sample(photo: CleanPhoto, size: int) -> ColourSample:
    """The middle square of a photo, not aged or recoloured, with a caption that names colours."""
    lab = to_lab(_resized(middle(photo.decode()), size))
    named = [text for text in photo.captions if _names_colour(text)]
    prompt = (named or list(photo.captions) or [""])[0].strip().rstrip(" .")
    seen, region = lab[..., 0] / np.float32(100), np.zeros((size, size), np.float32)
    return ColourSample(seen, lab, np.zeros_like(lab), prompt, region)


def middle(picture: NDArray[T]) -> NDArray[T]:
    """The largest square in the middle of a picture (H, W) or (H, W, C)."""
    height, width = extent(picture)
    side = min(height, width)
    y, x = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(picture[y : y + side, x : x + side])


def _names_colour(text: str) -> bool:
    return any(word in NAMES or word == "grey" for word in re.findall(r"[a-z]+", text.lower()))


def _resized(image: Image, size: int) -> Image:
    mode = cv2.INTER_AREA if size <= extent(image)[0] else cv2.INTER_CUBIC
    out = cv2.resize(np.ascontiguousarray(image), (size, size), interpolation=mode)
    return np.clip(np.asarray(out, np.float32), 0, 1)


def _crop(
    photo: CleanPhoto, options: ColourOptions, rng: np.random.Generator
) -> tuple[Image, Regions, Mask | None]:
    """A random square crop of a photo, randomly flipped, and its labelled regions.

    The last is the person who gets a studio's backdrop, (H, W) in [0, 1], or None.
    """
    image, labels = photo.decode(), photo.labels
    height, width = extent(image)
    levels = None if labels is None else labels.decode()
    square: tuple[slice, slice] | None = None
    studio = labels is not None and options.backdrops > 0 and rng.random() < options.backdrops
    if levels is not None and labels is not None and studio:
        square = studio_crop(levels, labels.names, rng)
    if square is None:
        side = max(1, round(min(height, width) * rng.uniform(options.least, 1.0)))
        y, x = int(rng.integers(0, height - side + 1)), int(rng.integers(0, width - side + 1))
        square, studio = (slice(y, y + side), slice(x, x + side)), False
    step = -1 if rng.random() < 0.5 else 1
    rgb = _resized(image[square][:, ::step], options.size)
    if levels is None or labels is None:
        return rgb, {}, None
    size = (options.size, options.size)
    cut = np.ascontiguousarray(levels[square][:, ::step])
    cut = np.asarray(cv2.resize(cut, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    person = person_mask(cut, labels.names) if studio else None
    return rgb, label_regions(cut, labels.names), person


def _prompt(
    photo: CleanPhoto, rgb: Image, lab: Lab, regions: Regions, rng: np.random.Generator
) -> str:
    """A true prompt for a crop: a caption, its colours, or the colours of its regions."""
    caption = ""
    if photo.captions:
        caption = str(rng.choice(list(photo.captions))).strip().rstrip(" .")
    colours = true_colours(lab, regions, rng) if regions else _palette(rgb, lab, rng)
    roll = rng.random()
    if not caption or roll < 0.25:
        return colours
    return caption if roll < 0.65 else f"{caption}, {colours}"


def _palette(rgb: Image, lab: Lab, rng: np.random.Generator) -> str:
    """Words for a crop's colours: where they are, or the names at some positions."""
    if rng.random() < 0.5:
        return phrases(colour_map(rgb, 12, 12), rng)
    small = np.asarray(cv2.resize(lab, (6, 6), interpolation=cv2.INTER_AREA), np.float32)
    small = small.reshape(36, 3)
    positions = rng.choice(36, int(rng.integers(1, 4)), replace=False)
    return ", ".join(dict.fromkeys(name_of(small[position]) for position in positions))


def draw_region_colours(
    chroma: NDArray[np.float32], rng: np.random.Generator, region: Mask | None = None
) -> NDArray[np.float32]:
    """Points and blobs of true chroma, as a user would paint them (arXiv 1705.02999, 3.1).

    Args:
        chroma: (H, W, 2), a and b.
        region: (H, W) in [0, 1], contains the first of them, or sometimes equals it.

    Returns:
        (H, W, 3), see `ColourSample.region_colours`.
    """
    height, width = extent(chroma)
    out = np.zeros((height, width, 3), np.float32)
    for i in range(min(8, int(rng.geometric(0.4)))):
        where = region if i == 0 else None
        if where is not None and rng.random() < 0.4:
            painted = where > 0.5
            colour = np.median(chroma[painted], 0) if painted.any() else np.zeros(2)
        else:
            y, x = _place(where, height, width, rng)
            colour = np.median(chroma[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3], (0, 1))
            painted = _blob(height, width, y, x, rng)
            if rng.random() < 0.6:
                painted &= np.hypot(*np.moveaxis(chroma - colour, 2, 0)) < _NEAR
        near = colour * math.exp(rng.normal(0, 0.12)) + rng.normal(0, 2, 2)
        out[painted] = [*near, 1.0]
    return out


def _place(
    region: Mask | None, height: int, width: int, rng: np.random.Generator
) -> tuple[int, int]:
    if region is not None:
        inside = np.flatnonzero(region > 0.5)
        if inside.size:
            y, x = divmod(int(inside[rng.integers(inside.size)]), width)
            return y, x
    return int(rng.integers(height)), int(rng.integers(width))


def _blob(height: int, width: int, y: int, x: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """An ellipse or a stroke through a pixel, a hundredth to a sixth of the crop wide."""
    side = min(height, width)
    radius = side * float(np.exp(rng.uniform(math.log(0.01), math.log(0.15))))
    if rng.random() < 0.3:
        angle, length = float(rng.uniform(0, 2 * math.pi)), float(rng.uniform(0.1, 0.6)) * side
        points = wander(rng, (float(x), float(y)), angle, length, 3.0, 0.2)
        wide = np.full(len(points), max(1.0, 0.4 * radius))
        return np.asarray(draw([Stroke(points, wide)], height, width) > 0.5)
    axes = np.maximum(0.7, radius * np.exp(rng.normal(0, 0.3, 2)))
    dy, dx = np.ogrid[-y : height - y, -x : width - x]
    return np.asarray(np.square(dy / axes[0]) + np.square(dx / axes[1]) <= 1)


def on_film(rgb: Image, rng: np.random.Generator) -> Mask:
    """Converts a photo (H, W, 3) to gray (H, W) with the spectral sensitivity of a random film.

    Early films were blind to red, later ones less so: lips are dark, skies white.
    """
    weights = rng.dirichlet([2.0, 4.0, 3.0]).astype(np.float32)
    return np.asarray(rgb @ weights, np.float32)


def aged_light(light: Mask, rng: np.random.Generator) -> Mask:
    """Ages lightness like a restored old photo's: grain, blur, fading, traces of scratches, JPEG.

    Args:
        light: (H, W) in [0, 1].
    """
    height, width = extent(light)
    image = np.repeat(light[..., None], 3, 2)
    if rng.random() < 0.45:
        sigma = float(rng.uniform(0.3, 1.3))
        image = kernels.apply(image, kernels.gaussian(kernels.size_for(sigma), sigma, sigma))
    if rng.random() < 0.25:
        share = float(rng.uniform(0.4, 0.9))
        size = max(1, round(share * height)), max(1, round(share * width))
        small = ops.resize(image, *size, "area")
        image = ops.resize(small, height, width, "bicubic")
    if rng.random() < 0.6:
        low, high = float(rng.uniform(0, 0.2)), float(rng.uniform(0.75, 1.0))
        curve = np.maximum(image, 0) ** np.float32(math.exp(rng.normal(0, 0.25)))
        image = np.asarray(low + (high - low) * curve, np.float32)
    if rng.random() < 0.35:
        image = _mended(image, rng)
    roll, sigma = rng.random(), float(rng.uniform(0.005, 0.05))
    if roll < 0.35:
        image = ops.film_grain(image, sigma, float(rng.uniform(0.2, 1.2)), rng)
    elif roll < 0.6:
        image = ops.gaussian_noise(image, 0.7 * sigma, True, rng)
    if rng.random() < 0.4:
        image = ops.jpeg(np.clip(image, 0, 1), int(rng.integers(40, 96)))
    return np.ascontiguousarray(np.clip(image[..., 0], 0, 1), np.float32)


def _mended(image: Image, rng: np.random.Generator) -> Image:
    """Adds smooth seams, slightly too light or dark, like those of inpainted scratches."""
    height, width = extent(image)
    side = min(height, width)
    strokes: list[Stroke] = []
    for _ in range(int(rng.integers(1, 5))):
        start = (float(rng.uniform(0, width)), float(rng.uniform(0, height)))
        length = side * float(rng.uniform(0.03, 0.9))
        points = wander(rng, start, float(rng.uniform(0, 2 * math.pi)), length, 4.0, 0.08)
        strokes.append(Stroke(points, np.full(len(points), side * float(rng.uniform(0.005, 0.03)))))
    cover = np.asarray(cv2.GaussianBlur(draw(strokes, height, width), (0, 0), 0.7), np.float32)
    filled = np.asarray(cv2.GaussianBlur(image, (0, 0), side * 0.03), np.float32)
    filled = filled + np.float32(0.03) * field(rng, height, width, side / 8)[..., None]
    return np.asarray(image + cover[..., None] * (filled - image), np.float32)
