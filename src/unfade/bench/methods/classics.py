"""Implements methods without training: the input itself, interpolation, OpenCV's filters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unfade.bench.cases import Case, Cost
from unfade.bench.methods.in_process import (
    in_colours_of_reference,
    pixels,
    resized,
    restore_each,
    with_pixels,
)
from unfade.bench.result_checks import target_size
from unfade.eval.classical import (
    Pixels,
    classical,
    denoised,
    inpainted,
    noise_level,
    sharpened,
    stretched,
)
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
#: name -> OpenCV's mending of photo and mask: all of it, or for one task, with denoising as strong
#: as there is noise.
MENDING: dict[str, Callable[[Pixels, Pixels], Pixels]] = {
    OPENCV: classical,
    "opencv-inpaint": inpainted,
    "opencv-denoise": lambda lq, _: denoised(lq, max(3.0, noise_level(lq))),
    "opencv-sharpen": lambda lq, _: sharpened(lq),
    "opencv-contrast": lambda lq, _: stretched(lq),
}
_MASKED = (OPENCV, "opencv-inpaint")


@dataclass(frozen=True)
class Interpolation:
    """Enlarges the input if the case is super-resolution; else returns it unchanged."""

    name: str
    interpolation: int
    takes_whole_case: bool = False

    def check(self, cases: Sequence[Case]) -> None:
        """Checks nothing: it can restore every case."""

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
    """OpenCV's restoration (`unfade.eval.classical`).

    What inpaints, fills what the compact preset's detector finds, where the case asks for a mask.

    Args:
        name: of the method.
        what: a key of MENDING.
    """

    takes_whole_case = False

    def __init__(self, name: str = OPENCV, what: str = OPENCV) -> None:
        self.name = name
        self._what = what
        self._restorer: Restorer | None = None

    def check(self, cases: Sequence[Case]) -> None:
        """Loads the detector if a case needs it. WeightsError if it is damaged."""
        if self._restorer is None and any(self._searches(case) for case in cases):
            from unfade.api import Restorer

            self._restorer = Restorer.from_pretrained("compact", device="cpu")

    def identity(self, case: Case) -> Mapping[str, Value]:
        """The scale, and the detector if the case needs it."""
        settings: dict[str, Value] = {"kind": self._what, **_scale(case)}
        if self._what in _MASKED:
            settings["mask"] = str(case.options.search)
        if self._searches(case):
            assert self._restorer is not None, "a method is checked before it runs"
            settings["detector"] = self._restorer.weights["scratch.safetensors"]
        return settings

    def restore_folder(
        self, case: Case, images: Mapping[str, Path], outputs: Path, log: Path
    ) -> Cost:
        """Restores images of one case (`Method.restore_folder`)."""
        return _apply(case, images, outputs, self._restored)

    def _restored(self, case: Case, photo: Photo) -> Image:
        image = resized(pixels(photo), target_size(case, photo), cv2.INTER_CUBIC)
        mask = np.zeros(image.shape[:2], np.uint8)
        if self._searches(case):
            assert self._restorer is not None, "a method is checked before it runs"
            mask = self._restorer.detect(photo)
        elif self._what in _MASKED and isinstance(case.options.search, Path):
            from unfade.imaging import read_mask

            mask = read_mask(case.options.search, size=image.shape[:2])
        out = MENDING[self._what](np.rint(image * 255).astype(np.uint8), mask)
        return out.astype(np.float32) / np.float32(255)

    def _searches(self, case: Case) -> bool:
        """Whether the case needs the detector."""
        return self._what in _MASKED and case.options.search == "auto"


def _apply(
    case: Case, images: Mapping[str, Path], outputs: Path, restored: Callable[[Case, Photo], Image]
) -> Cost:
    def restore(name: str, path: Path) -> Photo:
        photo = read_photo(path)
        return with_pixels(in_colours_of_reference(case, name, photo), restored(case, photo))

    return restore_each(images, outputs, restore, 0)


def _scale(case: Case) -> dict[str, Value]:
    return {"task": case.options.task, "scale": case.options.scale}
