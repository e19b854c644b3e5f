"""Runs the colouriser on a photo of any size: prompt and painted regions -> a chroma map.

The network gets a small copy of the whole photo, since colours depend on the whole picture and not
on a tile. Its chroma is enlarged along the edges of the luminance (`pipeline.chroma`); memory does
not grow with the photo.
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
    prompt_share,
    restraint,
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

_MAX_ASPECT = 4  # aspect ratio, at most, of the network's input; a longer photo is shortened
_RADIUS = 3  # cells, of the chroma map
_MIN_WEIGHT = 0.02  # lower bound of the certainty of a cell
_PAINTED = 0.25  # share of a pixel from which it is painted
_CHROMA_OFFSET = 16.0  # chroma is proportional to L + 16 (`data.recolour`)
_CHROMA_FACTOR = (0.4, 1.3)  # limits of this factor for painted colours
_VARIANT_POINTS = 4  # points of a variant that get a drawn colour
_POINT_RADIUS = 1 / 40  # radius of such a point, share of the short side
_POINT_DISTANCE = 1 / 6  # distance between two of them, share of the short side


@dataclass(frozen=True)
class ColourSettings:
    """How chroma is computed from the network's distribution. UsageError for values out of range.

    Attributes:
        saturation: what the chroma is multiplied by, 0..2.
        liveliness: 0 uses the predicted probabilities; 1 corrects them as if all colours were
            equally frequent (logit adjustment, arXiv 2007.07314): more colourful, with a larger
            mean error.
        temperature: of the annealed mean, above 0: 1 is the mean of the distribution, towards 0 its
            mode. The mean is paler the less certain the network is.
        guidance: scale of classifier-free guidance by the prompt (arXiv 2207.12598): 1 is the
            conditional prediction, 0 ignores the prompt.
        focus: share, 0..1, of the largest change by the prompt from which a cell follows the prompt
            in full (`models.colouriser.prompt_share`); 0 lets all cells follow it.
        doubtful, certain: 0..1, the certainty up to which a cell gets no chroma, and from which it
            gets all of it (`models.colouriser.restraint`); twice 0 gives it to all cells.
        seed: of the variants.
    """

    saturation: float = 1.0
    liveliness: float = 0.0
    temperature: float = 1.0
    guidance: float = 1.0
    focus: float = 0.0
    doubtful: float = 0.0
    certain: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        limits = {
            "saturation": (0.0, 2.0), "liveliness": (0.0, 1.0), "temperature": (0.01, 10.0),
            "guidance": (0.0, 20.0), "focus": (0.0, 1.0), "doubtful": (0.0, 1.0),
            "certain": (0.0, 1.0),
        }  # fmt: skip
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise UsageError(f"{name} {value:g}", f"{low:g} to {high:g}", "change it")
        if self.certain <= self.doubtful and self.certain > 0:
            got = f"certain {self.certain:g}"
            raise UsageError(got, f"more than doubtful, {self.doubtful:g}", "change one of them")


@dataclass(frozen=True)
class _NetworkInput:
    """The inputs of the network.

    Attributes:
        light: (1, 1, h, w), L / 100.
        region_colours: (1, 3, h, w), a and b of painted pixels, and 1 there.
        tokens: (1, T), of the prompt.
    """

    light: Tensor
    region_colours: Tensor
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
        """The settings of the options, and for the others the defaults in the network's config."""
        defaults = self._network.config
        return ColourSettings(
            saturation=min(2.0, defaults.saturation * options.saturation),
            liveliness=defaults.liveliness,
            temperature=defaults.temperature,
            guidance=defaults.guidance if options.guidance is None else min(20.0, options.guidance),
            focus=defaults.focus,
            doubtful=defaults.doubtful,
            certain=defaults.certain,
            seed=options.seed,
        )

    def warn_of_lost_words(self, prompt: str) -> None:
        """Warns of words of a prompt that are unknown, or beyond the longest prompt.

        Warns once for each prompt.
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
        """The tokens of a prompt, and the words that are unknown or too many."""
        return self._network.encode(prompt)

    def chroma_map(
        self,
        photo: Photo,
        prompt: str = "",
        region_colours: Sequence[RegionColour] = (),
        settings: ColourSettings | None = None,
        *,
        variant: int = 0,
    ) -> ChromaMap:
        """Predicts the chroma of a photo from its luminance.

        Args:
            prompt: "" leaves the colours to the network; unknown words are ignored (`encode`).
            region_colours: painted regions; where two overlap, the later one counts.
            variant: 0 is the mean prediction. Each other one draws colours from the predicted
                distribution at the least certain points, and gives them to the network as painted
                regions, which spreads them over the objects.
        """
        settings = settings or ColourSettings()
        height, width = network_size(photo, self._network.config.side)
        light = small_light(photo, (height, width))
        inputs = self._network_input(light, region_colours, prompt)
        rng = generator(settings.seed, "colour variant", variant)
        for _ in range(_VARIANT_POINTS if variant else 0):
            inputs = self._add_point(inputs, settings, rng)
        logits = self._logits(inputs, settings)
        chroma = settings.saturation * annealed_mean(logits, self._centres, settings.temperature)
        if settings.certain > 0:
            chroma = chroma * restraint(logits, self._centres, settings.doubtful, settings.certain)
        weight = certainty(logits, self._centres).square().clamp(min=_MIN_WEIGHT)
        cells = F.avg_pool2d(100 * inputs.light, CELL)  # (1, 1, h / 4, w / 4)
        chroma, weight, cells = (x.cpu() for x in (chroma, weight, cells))
        return ChromaMap(chroma[0], cells[0, 0], weight[0, 0], _RADIUS)

    @property
    def _centres(self) -> Tensor:
        return cast(Tensor, self._network.centres)

    def _network_input(
        self, light: NDArray[np.float32], region_colours: Sequence[RegionColour], prompt: str
    ) -> _NetworkInput:
        encoded = self.encode(prompt)
        tokens = padded(encoded, self._network.config.length)[None]
        painted = from_array(painted_chroma(light, region_colours))[None]
        plane = from_array(light)[None, None] / 100
        return _NetworkInput(*(x.to(self._device) for x in (plane, painted, tokens)))

    def _logits(self, inputs: _NetworkInput, settings: ColourSettings) -> Tensor:
        """(1, Q, h / 4, w / 4), with guidance and liveliness."""
        with inference(self._device):
            logits = self._network(inputs.light, inputs.region_colours, inputs.tokens).float()
            steered = settings.guidance != 1 or settings.focus > 0
            if steered and bool((inputs.tokens[:, 1:] != 0).any()):
                null_tokens = inputs.tokens.clone()
                null_tokens[:, 1:] = 0
                null = self._network(inputs.light, inputs.region_colours, null_tokens).float()
                share = prompt_share(logits, null, settings.focus) if settings.focus > 0 else 1.0
                logits = null + settings.guidance * share * (logits - null)
            weights = self._network.bin_weights(settings.liveliness)
            return logits + weights.log()[None, :, None, None]

    def _add_point(
        self, inputs: _NetworkInput, settings: ColourSettings, rng: np.random.Generator
    ) -> _NetworkInput:
        """Adds a point with a drawn colour, at the least certain cell, to the painted regions."""
        logits = self._logits(inputs, settings)
        spread = F.avg_pool2d(chroma_spread(logits, self._centres), 5, 1, 2)
        height, width = inputs.light.shape[-2:]
        side = min(height, width)
        reach = 2 * (round(_POINT_DISTANCE * side / CELL) // 2) + 1
        occupied = F.max_pool2d(
            F.max_pool2d(inputs.region_colours[:, 2:], CELL), reach, 1, reach // 2
        )
        index = int((spread * (1 - occupied)).argmax())
        row, column = divmod(index, spread.shape[-1])
        p = F.avg_pool2d(logits.softmax(1), 3, 1, 1, count_include_pad=False)
        shares = p[0, :, row, column].double().cpu().numpy()
        chosen = int(rng.choice(len(shares), p=shares / shares.sum()))
        y, x = CELL * row + CELL // 2, CELL * column + CELL // 2
        point = np.zeros((height, width), np.uint8)
        cv2.circle(point, (x, y), max(1, round(_POINT_RADIUS * side)), 1, -1)
        inside = from_array(point).to(self._device)[None, None].bool()  # (1, 1, h, w)
        colour = torch.cat([self._centres[chosen], self._centres.new_ones(1)])
        region_colours = torch.where(inside, colour[None, :, None, None], inputs.region_colours)
        return _NetworkInput(inputs.light, region_colours, inputs.tokens)


def network_size(photo: Photo, side: int) -> tuple[int, int]:
    """Height and width of the network's input: multiples of its stride, the short side `side`.

    A photo more than four times as long as wide is shortened.
    """
    short = max(STRIDE, round(side / STRIDE) * STRIDE)
    factor = short / min(photo.height, photo.width)

    def rounded(length: int) -> int:
        return min(_MAX_ASPECT * short, max(STRIDE, round(factor * length / STRIDE) * STRIDE))

    return rounded(photo.height), rounded(photo.width)


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
    light: NDArray[np.float32], region_colours: Sequence[RegionColour]
) -> NDArray[np.float32]:
    """Painted regions as input of the network: a, b and 1 where it is painted, (3, h, w).

    The chroma of a colour is scaled to the region's lightness: it is proportional to L + 16.

    Args:
        light: (h, w), 0..100.
        region_colours: of any size; where two overlap, the later one counts.
    """
    height, width = light.shape
    out = np.zeros((3, height, width), np.float32)
    for region in region_colours:
        share = cv2.resize(region.mask, (width, height), interpolation=cv2.INTER_AREA)
        share = np.asarray(share, np.float32)
        inside = share >= min(_PAINTED, float(share.max()))
        if share.max() <= 0:
            continue
        colour = to_lab(torch.tensor(region.rgb).reshape(1, 3, 1, 1) / 255)[0, :, 0, 0].numpy()
        factor = (light[inside].mean() + _CHROMA_OFFSET) / (colour[0] + _CHROMA_OFFSET)
        factor = float(np.clip(factor, *_CHROMA_FACTOR))
        out[:2, inside] = (factor * colour[1:])[:, None]
        out[2, inside] = 1
    return out
