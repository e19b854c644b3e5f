"""Reads a file of any supported format as an upright photo in its own colours."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from PIL.GifImagePlugin import GifImageFile

import unfade.imaging.formats as formats
import unfade.imaging.icc as icc
from unfade.errors import InputError, UnfadeError
from unfade.imaging.photo import Photo
from unfade.imaging.read_pillow import read_bmp, read_jpeg, read_webp
from unfade.imaging.read_png import read_png
from unfade.imaging.read_tiff import read_tiff

_READERS: dict[str, Callable[[Path, BinaryIO, int], Photo]] = {
    formats.JPEG: read_jpeg,
    formats.PNG: read_png,
    formats.TIFF: read_tiff,
    formats.WEBP: read_webp,
    formats.BMP: read_bmp,
}


def read_photo(
    path: Path,
    *,
    max_pixels: int = formats.MAX_PIXELS,
    max_bytes: int = formats.MAX_FILE_BYTES,
) -> Photo:
    """Reads a photo by its content, whatever its name says.

    Raises InputError, naming the file and the remedy, for anything that is not one whole photo
    within the limits. The limits are checked before any pixel is decoded.
    """
    path = Path(path)
    with formats.open_input(path, max_bytes) as file:
        start = file.read(256)
        _refuse_animation(path, file, start)
        kind = formats.sniff(path, start)
        file.seek(0)
        photo = _decode(path, file, kind, max_pixels)
    metadata = photo.metadata
    photo.metadata = metadata.upright(photo.height, photo.width)
    icc.warn_of(metadata.icc, photo.native.shape[2])
    return photo


def _decode(path: Path, file: BinaryIO, kind: str, max_pixels: int) -> Photo:
    quiet = _Quiet()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.getLogger("tifffile").addFilter(quiet)
            return _READERS[kind](path, file, max_pixels)
    except UnfadeError:
        raise
    except MemoryError as error:
        got = "a photo that does not fit into memory"
        raise InputError(got, "a smaller one", "close other programs", path=path) from error
    except Exception as error:  # decoders raise various errors on bad data
        raise formats.broken(path, kind, error) from error
    finally:
        logging.getLogger("tifffile").removeFilter(quiet)


class _Quiet(logging.Filter):
    """Suppresses log messages of a library, as an error with the reason follows."""

    def filter(self, record: logging.LogRecord) -> bool:
        return False


def _refuse_animation(path: Path, file: BinaryIO, start: bytes) -> None:
    """A GIF is never read; one that moves gets the better message."""
    if not start.startswith(b"GIF8"):
        return
    file.seek(0)
    try:
        frames = GifImageFile(io.BytesIO(file.read())).n_frames
    except Exception:  # a broken GIF is refused as a GIF
        return
    if frames > 1:
        raise formats.several_pictures(path, frames, "frames")
