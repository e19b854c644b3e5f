"""Checks the size and colours of results, and converts those of other programs."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from unfade.bench.case_files import reference_of
from unfade.bench.cases import Case
from unfade.errors import InputError, UnfadeError
from unfade.imaging import Photo, read_photo, write_photo
from unfade.options import SCALE


def target_size(case: Case, photo: Photo) -> tuple[int, int]:
    """(height, width) that the result of an input has by the task of its case."""
    if case.options.task != "super-resolution":
        return photo.height, photo.width
    scale = SCALE if case.options.scale is None else case.options.scale
    return round(scale * photo.height), round(scale * photo.width)


def check_result(case: Case, name: str, path: Path) -> Photo:
    """Reads and checks the result of one input.

    Raises:
        InputError: it cannot be read, is not as large as its reference, or is gray where the
            reference is colour, or the reverse.
    """
    photo = read_photo(path)
    _check_against_reference(case, name, photo, path)
    return photo


def read_foreign(case: Case, name: str, path: Path) -> Photo:
    """Reads the result of an external program, which may have written a gray photo as RGB.

    Raises:
        InputError: as `check_result`.
    """
    photo = read_photo(path)
    reference = reference_of(case, name)
    if reference is not None and not photo.gray and read_photo(reference).gray:
        photo = _gray_if_all_alike(photo)
    _check_against_reference(case, name, photo, path)
    return photo


def place_foreign(case: Case, name: str, path: Path, target: Path) -> int:
    """Copies the result of an external program to its path, as PNG.

    One that cannot be used is copied as it is, for `check_result` to refuse.

    Returns:
        How many pixels it has; 0 where it cannot be used.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        photo = read_foreign(case, name, path)
    except UnfadeError:
        shutil.copyfile(path, target)
        return 0
    write_photo(target, photo)
    return photo.width * photo.height


def size_text(photo: Photo) -> str:
    """ "640 x 480 pixels"."""
    return f"{photo.width} x {photo.height} pixels"


def _check_against_reference(case: Case, name: str, photo: Photo, path: Path) -> None:
    reference = reference_of(case, name)
    if reference is None:
        return
    target = read_photo(reference)
    if (photo.height, photo.width) != (target.height, target.width):
        raise InputError(
            size_text(photo),
            f"{size_text(target)} as its reference has",
            "write the result at the reference's size",
            path=path,
        )
    if photo.gray != target.gray:
        kinds = {True: "gray", False: "colour"}
        fix = "write it as RGB" if photo.gray else "write it as gray"
        expected = f"{kinds[target.gray]} as its reference is"
        raise InputError(kinds[photo.gray], expected, fix, path=path)


def _gray_if_all_alike(photo: Photo) -> Photo:
    native = photo.native
    if native.shape[2] != 3 or not bool((native == native[..., :1]).all()):
        return photo
    out = photo.blank(gray=True)
    out.native[...] = np.ascontiguousarray(native[..., :1])
    return out
