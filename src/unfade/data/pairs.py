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
from unfade.rng import generator


@dataclass(frozen=True)
class PairOptions:
    """How training pairs are drawn.

    Attributes:
        size: side of the square crop in pixels, a multiple of 16.
        light, heavy: shares of the two severities; the rest is moderate.
        clean: share of pairs with nothing to mend, half of them with a change of tone.
        distractors: draw text, twigs and frames that are no damage.
    """

    size: int = 256
    light: float = 0.2
    heavy: float = 0.2
    clean: float = 0.22
    distractors: bool = True


def photo_index(seed: int, number: int, count: int) -> int:
    """Which photo sample `number` shows: a fresh permutation of all photos every epoch."""
    epoch, place = divmod(number, count)
    order = generator(seed, "order", epoch).permutation(count)
    return int(order[place])


def crop(image: Image, rng: np.random.Generator, size: int) -> Image:
    """A random square, flipped at random, of a photo rescaled by 0.6 to 1.25.

    Args:
        image: (H, W, 3) float32.

    Returns:
        (size, size, 3) float32.
    """
    h, w = extent(image)
    factor = max(float(rng.uniform(0.6, 1.25)), (size + 1) / min(h, w))
    mode = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    scaled = np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=mode))
    height, width = extent(scaled)
    y = int(rng.integers(0, height - size + 1))
    x = int(rng.integers(0, width - size + 1))
    out = scaled[y : y + size, x : x + size]
    if rng.random() < 0.5:
        out = out[:, ::-1]
    return np.clip(np.ascontiguousarray(out, np.float32), 0, 1)


def old_photo_pair(
    photos: Sequence[CleanPhoto], seed: int, number: int, options: PairOptions
) -> Degraded:
    """Sample `number` of the run with this seed."""
    rng = generator(seed, "pair", number)
    photo = photos[photo_index(seed, number, len(photos))]
    hq = crop(photo.decode(), rng, options.size)
    if options.distractors:
        hq = distract(hq, rng)
    roll = rng.random()
    if roll < options.clean:
        empty = np.zeros((options.size, options.size), np.float32)
        toned = draw_tone(rng, MODERATE.fade).apply(hq) if rng.random() < 0.5 else hq
        return Degraded(toned, hq, toned, empty, empty)
    unit = float(np.exp(rng.uniform(math.log(0.6), math.log(3.0))))
    share = (roll - options.clean) / (1 - options.clean)
    severity = MODERATE
    if share < options.light:
        severity = LIGHT
    elif share > 1 - options.heavy:
        severity = HEAVY
    return old_photo(hq, rng, severity, unit=unit)
