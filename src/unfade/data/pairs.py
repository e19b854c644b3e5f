"""Clean photo -> training pair, the same for a given (seed, number) whatever the batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from unfade.data.distractors import distract
from unfade.data.sources import CleanPhoto
from unfade.degrade.old_photo import draw_tone, old_photo
from unfade.degrade.severity import HEAVY, LIGHT, MODERATE
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
        clean: share of pairs with nothing to mend, half of them with a change of tone.
        distractors: draw text, twigs and frames that are no damage.
        hard: share of pairs that show a place which was taken for damage, half of them clean.
        large: share of pairs from photos of at least `LARGE` times the crop, which need not be
            enlarged: what is enlarged is soft, and teaches that fine texture is damage.
    """

    size: int = 256
    light: float = 0.2
    heavy: float = 0.2
    clean: float = 0.22
    distractors: bool = True
    hard: float = 0.0
    large: float = 0.0


@dataclass(frozen=True)
class Spot:
    """A place in a photo: its number and, as shares of height and width, where."""

    photo: int
    y: float
    x: float


def check_size(size: int, stride: int) -> None:
    """UsageError where crops are no multiple of what a network asks for, in pixels."""
    if size < stride or size % stride:
        fix = f"choose a multiple of {stride}"
        raise UsageError(f"crops of {size} pixels", "crops that the network can fold", fix)


def photo_index(seed: int, number: int, count: int) -> int:
    """Which photo sample `number` shows: a fresh permutation of all photos every epoch."""
    epoch, place = divmod(number, count)
    order = generator(seed, "order", epoch).permutation(count)
    return int(order[place])


def large_photos(photos: Sequence[CleanPhoto], size: int) -> list[int]:
    """The numbers of the photos that crops of this size need not enlarge."""
    return [i for i, photo in enumerate(photos) if photo.short_side() >= LARGE * size]


def pick_photo(seed: int, number: int, count: int, large: Sequence[int], share: float) -> int:
    """Which photo sample `number` shows: a large one at this share, else `photo_index`."""
    rng = generator(seed, "large", number)
    if large and rng.random() < share:
        return large[int(rng.integers(len(large)))]
    return photo_index(seed, number, count)


def _first(rng: np.random.Generator, extra: int, size: int, middle: float | None) -> int:
    """Where a crop begins, 0..extra: anywhere, or so that it holds a pixel."""
    if middle is None:
        return int(rng.integers(0, extra + 1))
    return int(np.clip(middle - size * rng.uniform(0.2, 0.8), 0, extra))


def crop(image: Image, rng: np.random.Generator, size: int, spot: Spot | None = None) -> Image:
    """A random square, flipped at random, of a photo rescaled by 0.6 to 1.25.

    Args:
        image: (H, W, 3) float32.
        spot: what the square holds; None is anything.

    Returns:
        (size, size, 3) float32.
    """
    h, w = extent(image)
    factor = max(float(rng.uniform(0.6, 1.25)), (size + 1) / min(h, w))
    mode = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    scaled = np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=mode))
    height, width = extent(scaled)
    y = _first(rng, height - size, size, spot and spot.y * height)
    x = _first(rng, width - size, size, spot and spot.x * width)
    out = scaled[y : y + size, x : x + size]
    if rng.random() < 0.5:
        out = out[:, ::-1]
    return np.clip(np.ascontiguousarray(out, np.float32), 0, 1)


def old_photo_pair(
    photos: Sequence[CleanPhoto], seed: int, number: int, options: PairOptions,
    spots: Sequence[Spot] = (), large: Sequence[int] = (),
) -> Degraded:  # fmt: skip
    """Sample `number` of the run with this seed; `spots` and `large` photos are for their share."""
    rng = generator(seed, "pair", number)
    spot, clean = None, options.clean
    place = pick_photo(seed, number, len(photos), large, options.large)
    if spots and rng.random() < options.hard:
        spot, clean = spots[int(rng.integers(len(spots)))], 0.5
        place = spot.photo
    hq = crop(photos[place].decode(), rng, options.size, spot)
    if options.distractors:
        hq = distract(hq, rng)
    roll = rng.random()
    if roll < clean:
        empty = np.zeros((options.size, options.size), np.float32)
        toned = draw_tone(rng, MODERATE.fade).apply(hq) if rng.random() < 0.5 else hq
        return Degraded(toned, hq, toned, empty, empty)
    unit = float(np.exp(rng.uniform(math.log(0.6), math.log(3.0))))
    share = (roll - clean) / (1 - clean)
    severity = MODERATE
    if share < options.light:
        severity = LIGHT
    elif share > 1 - options.heavy:
        severity = HEAVY
    return old_photo(hq, rng, severity, unit=unit)
