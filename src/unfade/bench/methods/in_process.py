"""Restores images one after the other in this process and measures the cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np

from unfade.bench.case_files import reference_of
from unfade.bench.cases import Case, Cost
from unfade.bench.methods.resource_usage import ResourceUsage
from unfade.errors import InputError
from unfade.eval.images import Image
from unfade.imaging import Photo, read_photo, write_photo


def restore_each(
    images: Mapping[str, Path],
    outputs: Path,
    restore: Callable[[str, Path], Photo],
    parameters: int | None,
    steps: Callable[[], int | None] = lambda: None,
) -> Cost:
    """Restores images one by one and measures the cost.

    Args:
        images: name -> file.
        outputs: folder for NAME.png.
        restore: name and file -> the result.
        parameters: of the networks, as `Cost` has them.
        steps: asked afterwards for the sampling steps that ran, as `Cost` has them.
    """
    megapixels = 0.0
    with ResourceUsage() as usage:
        for name, path in images.items():
            result = restore(name, path)
            target = outputs / f"{name}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            write_photo(target, result)
            megapixels += result.width * result.height / 1e6
    return Cost(len(images), megapixels, usage.seconds, usage.peak_mib, parameters, steps())


def pixels(photo: Photo) -> Image:
    """(H, W, 3) sRGB [0, 1], gray replicated."""
    return np.ascontiguousarray(photo.srgb(slice(0, photo.height), slice(0, photo.width)))


def with_pixels(photo: Photo, image: Image) -> Photo:
    """The photo with these pixels in place of its own; its size follows theirs.

    Args:
        image: (H, W, 3) sRGB; gray photos keep the luma only.

    Raises:
        InputError: a pixel is NaN.
    """
    if np.isnan(image).any():
        raise InputError("NaN in a result", "numbers from 0 to 1", "look at the method")
    height, width = image.shape[:2]
    out = photo.blank(size=(height, width))
    out.put_srgb(slice(0, height), slice(0, width), image)
    return out


def in_colours_of_reference(case: Case, name: str, photo: Photo) -> Photo:
    """The photo, as colour where it is gray and its reference has colours."""
    reference = reference_of(case, name)
    if reference is None or not photo.gray or read_photo(reference).gray:
        return photo
    out = photo.blank(gray=False)
    out.put_srgb(slice(0, photo.height), slice(0, photo.width), pixels(photo))
    return out


def resized(image: Image, size: tuple[int, int], interpolation: int) -> Image:
    """(H, W, 3) -> (height, width, 3), clipped to [0, 1]; the same where nothing changes."""
    if image.shape[:2] == size:
        return image
    out = cv2.resize(image, (size[1], size[0]), interpolation=interpolation)
    return np.clip(out, 0, 1).astype(np.float32, copy=False)
