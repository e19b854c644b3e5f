"""What needs no training: nothing at all, interpolation, OpenCV's mending."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unfade.bench.cases import Case, Cost
from unfade.bench.methods.pictures import (
    in_colours_of_reference,
    pixels,
    resized,
    restore_each,
    with_pixels,
)
from unfade.bench.results import target_size
from unfade.eval.classical import classical
from unfade.eval.images import Image
from unfade.imaging import Photo, read_photo
from unfade.manifest import Value

if TYPE_CHECKING:
    from unfade.api import Restorer

#: name -> OpenCV's interpolation. "input" does nothing; a smaller one is enlarged to be compared.
INTERPOLATIONS = {
    "input": cv2.INTER_CUBIC,
    "bicubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}
OPENCV = "opencv"


@dataclass(frozen=True)
class Interpolation:
    """Enlarges where the case asks for it, and else gives back the input."""

    name: str
    interpolation: int
    at_once: bool = False

    def check(self, cases: Sequence[Case]) -> None:
        """It can restore everything."""

    def identity(self, case: Case) -> Mapping[str, Value]:
        """The scale."""
        return {"kind": "interpolation", "code": self.interpolation, **_scale(case)}

    def restore_folder(
        self, case: Case, images: Mapping[str, Path], outputs: Path, log: Path
    ) -> Cost:
        """Restores images of one case (`Method.restore_folder`)."""
        return _apply(case, images, outputs, self._restored)

    def _restored(self, case: Case, photo: Photo) -> Image:
        return resized(pixels(photo), target_size(case, photo), self.interpolation)


class Classical:
    """OpenCV's inpainting, denoising and contrast (`unfade.eval.classical`).

    The damage is what the compact preset's detector finds, where the case asks for a mask.
    """

    at_once = False

    def __init__(self, name: str = OPENCV) -> None:
        self.name = name
        self._restorer: Restorer | None = None

    def check(self, cases: Sequence[Case]) -> None:
        """Loads the detector. WeightsError where it is damaged."""
        from unfade.api import Restorer

        if self._restorer is None:
            self._restorer = Restorer.from_pretrained("compact", device="cpu")

    def identity(self, case: Case) -> Mapping[str, Value]:
        """The scale, and the detector where it is asked."""
        assert self._restorer is not None, "a method is checked before it runs"
        own: dict[str, Value] = {"kind": OPENCV, "mask": str(case.options.search), **_scale(case)}
        if case.options.search == "auto":
            own["detector"] = self._restorer.weights["scratch.safetensors"]
        return own

    def restore_folder(
        self, case: Case, images: Mapping[str, Path], outputs: Path, log: Path
    ) -> Cost:
        """Restores images of one case (`Method.restore_folder`)."""
        return _apply(case, images, outputs, self._restored)

    def _restored(self, case: Case, photo: Photo) -> Image:
        image = resized(pixels(photo), target_size(case, photo), cv2.INTER_CUBIC)
        mask = np.zeros(image.shape[:2], np.uint8)
        if case.options.search == "auto":
            assert self._restorer is not None, "a method is checked before it runs"
            mask = self._restorer.detect(photo)
        elif isinstance(case.options.search, Path):
            from unfade.imaging import read_mask

            mask = read_mask(case.options.search, size=image.shape[:2])
        out = classical(np.rint(image * 255).astype(np.uint8), mask)
        return out.astype(np.float32) / np.float32(255)


def _apply(
    case: Case, images: Mapping[str, Path], outputs: Path, restored: Callable[[Case, Photo], Image]
) -> Cost:
    def restore(name: str, path: Path) -> Photo:
        photo = read_photo(path)
        return with_pixels(in_colours_of_reference(case, name, photo), restored(case, photo))

    return restore_each(images, outputs, restore, 0)


def _scale(case: Case) -> dict[str, Value]:
    return {"task": case.options.task, "scale": case.options.scale}
