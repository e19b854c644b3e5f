"""Methods of the protocols about colour: gray, one chroma, and colours with and without words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from unfade.api import Restorer
from unfade.bench.methods.base import Method
from unfade.bench.protocols.comparison import FunctionMethod
from unfade.bench.protocols.photos import srgb, to_image, to_pixels
from unfade.data.captions import colour_map, phrases
from unfade.data.sources import CleanPhoto
from unfade.degrade.ops import luma
from unfade.errors import UsageError
from unfade.eval.colour import lab
from unfade.eval.evaluation import read_rgb
from unfade.eval.images import Image
from unfade.manifest import Value
from unfade.models.tensors import from_array
from unfade.options import Auto
from unfade.pipeline.colour import from_lab, with_luminance
from unfade.rng import generator

METRICS = ("colourfulness", "ciede2000", "chroma", "patch-fd")
SIDE = 256  # pixels, the short side of photos
_CELL = 8  # pixels to a cell of colour names
_CHROMA_PHOTOS = 400  # training photos that the mean chroma is taken from


@dataclass(frozen=True)
class ColourMethods:
    """Makes methods that colour with one preset and one set of options.

    Attributes:
        preset: name or folder of a preset.
        seed: of sampling.
        steps: of sampling.
        guidance: with a prompt; None is the network's default.
        strength: of the diffusion model; "auto" is the preset's.
        saturation: factor on the chroma.
        device: as `Restorer.from_pretrained` has it.
    """

    preset: str
    seed: int
    steps: int | Auto = "auto"
    guidance: float | None = None
    strength: float | Auto = "auto"
    saturation: float = 1.0
    device: str = "auto"

    def load(self) -> Restorer:
        """Loads the preset. UsageError if it cannot colour."""
        restorer = Restorer.from_pretrained(self.preset, device=self.device)
        if "colorize" not in restorer.tasks:
            got, expected = "a preset without a diffusion model", "one that colours"
            raise UsageError(got, expected, "name another with --preset")
        return restorer

    def prompted(self, name: str, restorer: Restorer, prompts: Mapping[str, str]) -> Method:
        """A method that colours each image by a prompt of its own; "" is none."""
        identity: dict[str, Value] = {
            "preset": self.preset, "seed": self.seed, "steps": self.steps,
            "guidance": self.guidance, "strength": self.strength, "saturation": self.saturation,
            **prompts,
        }  # fmt: skip

        def coloured(image: str, path: Path) -> Image:
            out = restorer.restore(
                path,
                task="colorize",
                mask="none",
                prompt=prompts[image],
                seed=self.seed,
                steps=self.steps,
                guidance=self.guidance if prompts[image] else None,
                strength=self.strength,
                saturation=self.saturation,
            )
            return srgb(out.image)

        return FunctionMethod(name, identity, coloured)

    def error_methods(
        self, restorer: Restorer, photos: Mapping[str, Image], captions: Mapping[str, str],
        chroma: tuple[float, float],
    ) -> list[Method]:  # fmt: skip
        """The methods of a table of colour errors.

        Args:
            photos: name -> (H, W, 3), the photo in its own colours.
            captions: name -> its caption; these photos are coloured.
            chroma: the mean a and b of other photos.
        """
        named = {
            name: phrases(colour_names(photos[name]), generator(self.seed, "named", index))
            for index, name in enumerate(captions)
        }
        return [
            FunctionMethod("gray", {}, lambda _, path: read_rgb(path)),
            FunctionMethod(
                "mean colour",
                {"a": chroma[0], "b": chroma[1]},
                lambda _, path: _with_chroma(read_rgb(path), chroma),
            ),
            self.prompted("no prompt", restorer, dict.fromkeys(captions, "")),
            self.prompted("caption", restorer, captions),
            self.prompted("colours named", restorer, named),
            FunctionMethod("the photo", {}, lambda name, _: photos[name]),
        ]


def reduced(image: Image) -> Image:
    """A photo (H, W, 3) in 8 bits, its short side at most SIDE pixels."""
    factor = min(1.0, SIDE / min(image.shape[:2]))
    size = (round(factor * image.shape[1]), round(factor * image.shape[0]))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)
    return to_image(to_pixels(small))


def gray_of(image: Image) -> Image:
    """(H, W, 3) -> its luma, three times."""
    return luma(image)[..., None].repeat(3, 2)


def colour_names(image: Image) -> NDArray[np.uint8]:
    """(h, w): the name of each cell's colour."""
    return colour_map(image, image.shape[0] // _CELL, image.shape[1] // _CELL)


def mean_chroma(photos: Sequence[CleanPhoto]) -> tuple[float, float]:
    """The mean of Lab's a and b over photos spread evenly over all."""
    step = max(1, len(photos) // _CHROMA_PHOTOS)
    means = [lab(photo.decode()).mean((0, 1))[1:] for photo in photos[::step]]
    a, b = np.mean(means, 0)
    return float(a), float(b)


def _with_chroma(gray: Image, chroma: tuple[float, float]) -> Image:
    """One chroma on the luminance of a gray picture (H, W, 3)."""
    light = from_array(gray).permute(2, 0, 1)[None]  # (1, 3, H, W)
    colour = from_lab(torch.tensor([60.0, *chroma]).view(1, 3, 1, 1)).expand_as(light)
    return with_luminance(colour, light)[0].permute(1, 2, 0).numpy()
