"""Makes training pairs from clean photos: a random crop and the same crop aged.

A pair depends on the seed and its index alone, not on the batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from unfade.data.distractors import distract
from unfade.data.sources import CleanPhoto
from unfade.degrade import ops
from unfade.degrade.old_photo import old_photo
from unfade.degrade.severity import HEAVY, LIGHT, MODERATE
from unfade.degrade.stencils import Stencil
from unfade.degrade.tone import draw_tone
from unfade.degrade.types import Degraded, Image, extent
from unfade.errors import UsageError
from unfade.rng import generator

LARGE = 1.5


@dataclass(frozen=True)
class PairOptions:
    """How training pairs are drawn.

    Attributes:
        size: side of the square crop in pixels, a multiple of the network's stride.
        light, heavy: shares of the two severities; the rest is moderate.
        clean: share of pairs without structured damage; a third of them is not aged at all, a
            third only in tone.
        distractors: draw text, twigs and frames, which are no damage.
        hard: share of pairs that show a hard negative; half of them are clean.
        large: share of pairs from photos of at least `LARGE` times the crop, which are not
            enlarged: enlarged photos are soft, and a network learns from them that fine texture
            is damage.
        soft: share of pairs that are aged at a smaller size and then enlarged, like a scan with
            more pixels than the print has detail.
    """

    size: int = 256
    light: float = 0.2
    heavy: float = 0.2
    clean: float = 0.22
    distractors: bool = True
    hard: float = 0.0
    large: float = 0.0
    soft: float = 0.0


@dataclass(frozen=True)
class HardNegative:
    """A clean place in a photo that a detector takes for damage.

    Attributes:
        photo: index of the photo.
        y, x: the place, as shares of the height and width, 0..1.
    """

    photo: int
    y: float
    x: float


def check_size(size: int, stride: int) -> None:
    """UsageError if crops of `size` pixels are no multiple of a network's stride."""
    if size < stride or size % stride:
        fix = f"choose a multiple of {stride}"
        raise UsageError(f"crops of {size} pixels", "crops that the network can fold", fix)


def photo_index(seed: int, index: int, count: int) -> int:
    """The photo of sample `index`: each epoch is a new permutation of the `count` photos."""
    epoch, position = divmod(index, count)
    order = generator(seed, "order", epoch).permutation(count)
    return int(order[position])


def large_photos(photos: Sequence[CleanPhoto], size: int) -> list[int]:
    """The indices of the photos from which crops of this size are taken without enlarging."""
    return [i for i, photo in enumerate(photos) if photo.short_side() >= LARGE * size]


def pick_photo(seed: int, index: int, count: int, large: Sequence[int], share: float) -> int:
    """The photo of sample `index`: a large one with probability `share`, else `photo_index`."""
    rng = generator(seed, "large", index)
    if large and rng.random() < share:
        return large[int(rng.integers(len(large)))]
    return photo_index(seed, index, count)


def _crop_start(rng: np.random.Generator, extra: int, size: int, middle: float | None) -> int:
    """The first row or column of a crop, 0..extra; a crop with `middle` contains that pixel."""
    if middle is None:
        return int(rng.integers(0, extra + 1))
    return int(np.clip(middle - size * rng.uniform(0.2, 0.8), 0, extra))


def crop(
    image: Image, rng: np.random.Generator, size: int, place: HardNegative | None = None
) -> Image:
    """A random square crop, randomly flipped, of a photo rescaled by 0.6 to 1.25.

    Args:
        image: (H, W, 3) float32.
        place: a place that lies in the crop; None is any crop.

    Returns:
        (size, size, 3) float32.
    """
    h, w = extent(image)
    factor = max(float(rng.uniform(0.6, 1.25)), (size + 1) / min(h, w))
    mode = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    scaled = np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=mode))
    height, width = extent(scaled)
    y = _crop_start(rng, height - size, size, place and place.y * height)
    x = _crop_start(rng, width - size, size, place and place.x * width)
    out = scaled[y : y + size, x : x + size]
    if rng.random() < 0.5:
        out = out[:, ::-1]
    return np.clip(np.ascontiguousarray(out, np.float32), 0, 1)


def old_photo_pair(
    photos: Sequence[CleanPhoto],
    seed: int,
    index: int,
    options: PairOptions,
    hard_negatives: Sequence[HardNegative] = (),
    large: Sequence[int] = (),
    stencils: Sequence[Stencil] = (),
) -> Degraded:
    """Pair `index` of a run: a crop of a clean photo, aged at random.

    Args:
        hard_negatives: places that the share `options.hard` of the pairs shows.
        large: indices of the photos that the share `options.large` of the pairs shows.
        stencils: shapes of real damage.
    """
    rng = generator(seed, "pair", index)
    place, clean = None, options.clean
    photo = pick_photo(seed, index, len(photos), large, options.large)
    if hard_negatives and rng.random() < options.hard:
        place, clean = hard_negatives[int(rng.integers(len(hard_negatives)))], 0.5
        photo = place.photo
    size = options.size
    if rng.random() < options.soft:
        size = max(32, round(size * math.exp(rng.uniform(-math.log(4.0), -math.log(1.2)))))
    hq = crop(photos[photo].decode(), rng, size, place)
    if options.distractors:
        hq = distract(hq, rng)
    pair = _aged(hq, rng, clean, options, stencils, size / options.size)
    return pair if size == options.size else _enlarged(pair, options.size, rng)


def _aged(
    hq: Image,
    rng: np.random.Generator,
    clean: float,
    options: PairOptions,
    stencils: Sequence[Stencil],
    share: float,
) -> Degraded:
    """Ages a crop, or leaves it undamaged; `share` is its size divided by the pair's."""
    unit = math.exp(rng.uniform(math.log(0.6), math.log(3.5))) * max(share, 0.5)
    roll = rng.random()
    if roll < clean:
        if roll > clean / 3 * 2:
            return old_photo(hq, rng, replace(MODERATE, clean=1.0), unit=unit)
        empty = np.zeros(extent(hq), np.float32)
        toned = draw_tone(rng, MODERATE.fade).apply(hq) if roll > clean / 3 else hq
        return Degraded(toned, hq, toned, empty, empty)
    level = (roll - clean) / (1 - clean)
    severity = MODERATE
    if level < options.light:
        severity = LIGHT
    elif level > 1 - options.heavy:
        severity = HEAVY
    return old_photo(hq, rng, severity, unit=unit, stencils=stencils)


def _enlarged(pair: Degraded, size: int, rng: np.random.Generator) -> Degraded:
    """Enlarges a pair to (size, size); some get scanner noise or JPEG artefacts."""
    lq, hq, toned = (ops.resize(x, size, size, "bicubic") for x in (pair.lq, pair.hq, pair.toned))
    mask, lost = (
        (ops.resize(x, size, size, "bilinear") > 0.5).astype(np.float32)
        for x in (pair.mask, pair.lost)
    )
    if rng.random() < 0.4:
        lq = ops.gaussian_noise(lq, float(rng.uniform(0.002, 0.03)), False, rng)
    if rng.random() < 0.3:
        lq = ops.jpeg(lq, int(rng.integers(60, 98)))
    return Degraded(lq, hq, toned, mask, lost, pair.params)
