"""The first stage for colours on a photo of any size: words, painted regions -> a chroma map.

The network sees a small copy: what has which colour is told by the whole, not by a tile. Its chroma
is brought to the full size along the edges of the luminance (`pipeline.chroma`), and memory is
bounded whatever the photo's size.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from unfade.errors import UsageError
from unfade.imaging import Photo
from unfade.models.checkpoint import load_model
from unfade.models.colouriser import (
    CELL,
    STRIDE,
    Colouriser,
    annealed_mean,
    certainty,
    chroma_spread,
    padded,
)
from unfade.models.inference import inference, to_device
from unfade.models.tensors import from_array
from unfade.models.words import Encoded
from unfade.options import RestoreOptions
from unfade.pipeline.chroma import ChromaMap
from unfade.pipeline.colour import to_lab
from unfade.pipeline.enlarge import shrunk
from unfade.pipeline.region_colours import RegionColour
from unfade.rng import generator

logger = logging.getLogger(__name__)

_LONGEST = 4  # times the short side, of what the network sees: a panorama is seen narrower
_RADIUS = 3  # cells, of the chroma map
_LEAST = 0.02  # of the certainty, so that every cell counts
_PAINTED = 0.25  # share of a pixel from which it is painted
_SHADOW = 16.0  # chroma goes with L + 16 (`data.recolour`)
_STRENGTH = (0.4, 1.3)  # limits of that for painted colours
_DRAWN = 4  # colours that a variant draws
_POINT = 1 / 40  # radius of the point that gets one, of the short side
_APART = 1 / 6  # distance between two of them, of the short side


@dataclass(frozen=True)
class ColourSettings:
    """How chroma is taken from the network's distribution. UsageError where a value makes no sense.

    Attributes:
        saturation: what the chroma is multiplied by, 0..2.
        liveliness: 0 takes the colours as likely as they are; 1 as if all colours were as frequent
            as each other (logit adjustment, arXiv 2007.07314): livelier, and further off in the
            mean.
        temperature: of the annealed mean, above 0: 1 is the mean of what is likely, towards 0 the
            likeliest. The mean is paler the less sure the network is.
        guidance: 1 follows the words as far as was learnt, more goes further from what the network
            finds without them (arXiv 2207.12598); 0 ignores them.
        seed: of the variants.
    """

    saturation: float = 1.0
    liveliness: float = 0.0
    temperature: float = 1.0
    guidance: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        limits = {
            "saturation": (0.0, 2.0), "liveliness": (0.0, 1.0), "temperature": (0.01, 10.0),
            "guidance": (0.0, 20.0),
        }  # fmt: skip
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise UsageError(f"{name} {value:g}", f"{low:g} to {high:g}", "change it")


@dataclass(frozen=True)
class _Seen:
    """What the network sees of a photo.

    Attributes:
        light: (1, 1, h, w), L / 100.
        hints: (1, 3, h, w), a and b of painted pixels, and 1 there.
        tokens: (1, T), of the prompt.
    """

    light: Tensor
    hints: Tensor
    tokens: Tensor


class PhotoColouriser:
    """The network of a preset, ready to colour photos."""

    def __init__(self, network: Colouriser, device: torch.device) -> None:
        """Takes a trained network in evaluation mode."""
        self._network = to_device(network, device)
        self._device = device
        self._checked: set[str] = set()

    @classmethod
    def load(cls, path: Path, device: torch.device) -> PhotoColouriser:
        """Reads the weights. WeightsError where they are missing, damaged or of another network."""
        return cls(load_model(path, Colouriser), device)

    def settings(self, options: RestoreOptions) -> ColourSettings:
        """The settings that options ask for, over those that the network was trained to have."""
        own = self._network.config
        return ColourSettings(
            saturation=min(2.0, own.saturation * options.saturation),
            liveliness=own.liveliness,
            temperature=own.temperature,
            guidance=own.guidance if options.guidance is None else min(20.0, options.guidance),
            seed=options.seed,
        )

    def warn_of_lost_words(self, prompt: str) -> None:
        """Logs the words of a prompt that the network does not know, and those it has no room for.

        Each prompt is warned of once.
        """
        if prompt in self._checked:
            return
        self._checked.add(prompt)
        encoded = self.encode(prompt)
        if encoded.unknown:
            words = ", ".join(encoded.unknown)
            logger.warning("words that the colours do not know, and ignore: %s", words)
        if encoded.lost:
            length = self._network.config.length - 1
            lost = " ".join(encoded.lost)
            logger.warning("a prompt of more than %d words: left out: %s", length, lost)

    def encode(self, prompt: str) -> Encoded:
        """What the network takes of a prompt, and the words that it does not know."""
        return self._network.encode(prompt)

    def chroma_map(
        self,
        photo: Photo,
        prompt: str = "",
        hints: Sequence[RegionColour] = (),
        settings: ColourSettings | None = None,
        *,
        variant: int = 0,
    ) -> ChromaMap:
        """The colours of a photo, of which the luminance alone is looked at.

        Args:
            prompt: "" leaves the colours to the network; unknown words are ignored (`encode`).
            hints: painted regions; where two overlap, the later one counts.
            variant: 0 is what is likely in the mean; each of the others has colours of its own at
                the places that the network is least sure of, drawn from what it finds likely there
                and spread from there over the object by the network itself.
        """
        settings = settings or ColourSettings()
        height, width = network_size(photo, self._network.config.side)
        light = small_light(photo, (height, width))
        seen = self._seen(light, hints, prompt)
        rng = generator(settings.seed, "colour variant", variant)
        for _ in range(_DRAWN if variant else 0):
            seen = self._drawn(seen, settings, rng)
        logits = self._logits(seen, settings)
        chroma = settings.saturation * annealed_mean(logits, self._centres, settings.temperature)
        weight = certainty(logits, self._centres).square().clamp(min=_LEAST)
        cells = F.avg_pool2d(100 * seen.light, CELL)  # (1, 1, h / 4, w / 4)
        chroma, weight, cells = (x.cpu() for x in (chroma, weight, cells))
        return ChromaMap(chroma[0], cells[0, 0], weight[0, 0], _RADIUS)

    @property
    def _centres(self) -> Tensor:
        return cast(Tensor, self._network.centres)

    def _seen(
        self, light: NDArray[np.float32], hints: Sequence[RegionColour], prompt: str
    ) -> _Seen:
        encoded = self.encode(prompt)
        tokens = padded(encoded, self._network.config.length)[None]
        painted = from_array(painted_chroma(light, hints))[None]
        plane = from_array(light)[None, None] / 100
        return _Seen(*(x.to(self._device) for x in (plane, painted, tokens)))

    def _logits(self, seen: _Seen, settings: ColourSettings) -> Tensor:
        """(1, Q, h / 4, w / 4), with guidance and liveliness."""
        with inference(self._device):
            logits = self._network(seen.light, seen.hints, seen.tokens).float()
            if settings.guidance != 1 and bool((seen.tokens[:, 1:] != 0).any()):
                without = seen.tokens.clone()
                without[:, 1:] = 0
                null = self._network(seen.light, seen.hints, without).float()
                logits = null + settings.guidance * (logits - null)
            weights = self._network.bin_weights(settings.liveliness)
            return logits + weights.log()[None, :, None, None]

    def _drawn(self, seen: _Seen, settings: ColourSettings, rng: np.random.Generator) -> _Seen:
        """What is seen with one point more: a likely colour, at the least sure place."""
        logits = self._logits(seen, settings)
        spread = F.avg_pool2d(chroma_spread(logits, self._centres), 5, 1, 2)
        height, width = seen.light.shape[-2:]
        side = min(height, width)
        reach = 2 * (round(_APART * side / CELL) // 2) + 1
        taken = F.max_pool2d(F.max_pool2d(seen.hints[:, 2:], CELL), reach, 1, reach // 2)
        place = int((spread * (1 - taken)).argmax())
        row, column = divmod(place, spread.shape[-1])
        p = F.avg_pool2d(logits.softmax(1), 3, 1, 1, count_include_pad=False)
        shares = p[0, :, row, column].double().cpu().numpy()
        chosen = int(rng.choice(len(shares), p=shares / shares.sum()))
        y, x = CELL * row + CELL // 2, CELL * column + CELL // 2
        point = np.zeros((height, width), np.uint8)
        cv2.circle(point, (x, y), max(1, round(_POINT * side)), 1, -1)
        inside = from_array(point).to(self._device)[None, None].bool()  # (1, 1, h, w)
        colour = torch.cat([self._centres[chosen], self._centres.new_ones(1)])
        hints = torch.where(inside, colour[None, :, None, None], seen.hints)
        return _Seen(seen.light, hints, seen.tokens)


def network_size(photo: Photo, side: int) -> tuple[int, int]:
    """Height and width of what the network sees: multiples of its stride, the short one `side`.

    A photo more than four times as long as wide is seen shortened.
    """
    short = max(STRIDE, round(side / STRIDE) * STRIDE)
    factor = short / min(photo.height, photo.width)

    def fitted(length: int) -> int:
        return min(_LONGEST * short, max(STRIDE, round(factor * length / STRIDE) * STRIDE))

    return fitted(photo.height), fitted(photo.width)


def small_light(photo: Photo, size: tuple[int, int]) -> NDArray[np.float32]:
    """Lab's L of a photo at a size, (h, w), 0..100."""
    smaller = (min(size[0], photo.height), min(size[1], photo.width))
    small = shrunk(photo, smaller)
    rgb = small.srgb(slice(0, smaller[0]), slice(0, smaller[1]))
    tensor = from_array(np.ascontiguousarray(rgb.transpose(2, 0, 1)))[None]
    light = to_lab(tensor)[0, 0].numpy()
    if smaller != size:
        light = cv2.resize(light, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(light, np.float32)


def painted_chroma(
    light: NDArray[np.float32], hints: Sequence[RegionColour]
) -> NDArray[np.float32]:
    """Painted regions as the network takes them: a, b and 1 where it is painted, (3, h, w).

    A colour is as chromatic as it would be at the region's lightness: chroma goes with L + 16.

    Args:
        light: (h, w), 0..100.
        hints: of any size; where two overlap, the later one counts.
    """
    height, width = light.shape
    out = np.zeros((3, height, width), np.float32)
    for hint in hints:
        share = cv2.resize(hint.mask, (width, height), interpolation=cv2.INTER_AREA)
        share = np.asarray(share, np.float32)
        inside = share >= min(_PAINTED, float(share.max()))
        if share.max() <= 0:
            continue
        ink = to_lab(torch.tensor(hint.rgb).reshape(1, 3, 1, 1) / 255)[0, :, 0, 0].numpy()
        factor = (light[inside].mean() + _SHADOW) / (ink[0] + _SHADOW)
        factor = float(np.clip(factor, *_STRENGTH))
        out[:2, inside] = (factor * ink[1:])[:, None]
        out[2, inside] = 1
    return out
