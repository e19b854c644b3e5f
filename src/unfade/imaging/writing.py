"""Writes a photo to a file; the suffix names the format."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import unfade.imaging.exif as exif
import unfade.imaging.formats as formats
import unfade.imaging.xmp as xmp_packet
from unfade.errors import OutputError, UsageError
from unfade.files import atomic_file
from unfade.imaging.photo import Photo
from unfade.imaging.sheet import Sheet, fit
from unfade.imaging.write_pillow import Extras, write_bmp, write_jpeg, write_webp
from unfade.imaging.write_png import write_png
from unfade.imaging.write_tiff import write_tiff

QUALITY = 95  # where the input is no JPEG
LEAST_QUALITY = 92  # where it follows the input's
_WRITERS: dict[str, Callable[[BinaryIO, Sheet, Extras], None]] = {
    formats.JPEG: write_jpeg,
    formats.PNG: write_png,
    formats.TIFF: write_tiff,
    formats.WEBP: write_webp,
    formats.BMP: write_bmp,
}
#: Of the formats that can be written.
WRITABLE_SUFFIXES = frozenset(s for s, kind in formats.FORMATS.items() if kind in _WRITERS)


def write_photo(
    path: Path, photo: Photo, *, xmp: str | None = None, quality: int | None = None
) -> None:
    """Writes a photo with its metadata, whole or not at all.

    Args:
        path: its suffix names the format.
        xmp: an rdf:Description element with its namespaces, merged into the photo's packet.
        quality: of a JPEG or lossy WebP, 1..100. None: that of the JPEG that the photo comes
            from, but at least LEAST_QUALITY; QUALITY where it comes from another format.

    Raises:
        OutputError: a suffix of no format that can be written, or the file cannot be written.
        UsageError: another quality.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in WRITABLE_SUFFIXES:
        got = repr(path.suffix) if suffix else "no suffix"
        expected = f"one of {' '.join(sorted(WRITABLE_SUFFIXES))}"
        raise OutputError(got, expected, "choose another name", path=path)
    kind = formats.FORMATS[suffix]
    if quality is None:
        quality = max(LEAST_QUALITY, photo.metadata.quality or QUALITY)
    if not 1 <= quality <= 100:
        raise UsageError(f"quality {quality}", "1 to 100", "leave it out, or try 95", path=path)
    height, width = photo.height, photo.width
    extras = Extras(
        exif=exif.refresh(photo.metadata.exif, height=height, width=width),
        xmp=xmp_packet.merge(photo.metadata.xmp, xmp, height=height, width=width),
        quality=quality,
    )
    sheet = fit(photo, kind, path)
    try:
        with atomic_file(path) as file:
            _WRITERS[kind](file, sheet, extras)
    except OutputError as error:
        error.path = path
        raise
    except (ValueError, RuntimeError, struct.error) as error:  # an encoder's own complaint
        raise OutputError(
            f"refused by the {kind} encoder ({error})",
            "a photo that the format can hold",
            "write PNG or TIFF instead",
            path=path,
        ) from error
