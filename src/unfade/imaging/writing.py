"""write_photo: any photo to the format that the name asks for, whole or not at all."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import unfade.imaging.exif as exif
import unfade.imaging.formats as formats
import unfade.imaging.xmp as xmp_packet
from unfade.errors import OutputError, UsageError
from unfade.imaging.atomic import atomic_file
from unfade.imaging.photo import Photo
from unfade.imaging.sheet import Sheet, fit
from unfade.imaging.write_pillow import Extras, write_bmp, write_jpeg, write_webp
from unfade.imaging.write_png import write_png
from unfade.imaging.write_tiff import write_tiff

MIN_QUALITY = 95
_WRITERS: dict[str, Callable[[BinaryIO, Sheet, Extras], None]] = {
    formats.JPEG: write_jpeg,
    formats.PNG: write_png,
    formats.TIFF: write_tiff,
    formats.WEBP: write_webp,
    formats.BMP: write_bmp,
}


def write_photo(
    path: Path, photo: Photo, *, xmp: str | None = None, quality: int = MIN_QUALITY
) -> None:
    """Writes a photo with its metadata; the suffix of `path` names the format.

    `xmp` is an rdf:Description element with its namespaces, merged into the photo's packet.
    `quality` (95 to 100) is for JPEG and lossy WebP. Raises OutputError, and leaves nothing
    behind, where the file cannot be written.
    """
    path = Path(path)
    kind = formats.format_for(path)
    if not MIN_QUALITY <= quality <= 100:
        raise UsageError(f"quality {quality}", f"{MIN_QUALITY} to 100", "leave it at 95", path=path)
    size = {"height": photo.height, "width": photo.width}
    extras = Extras(
        exif=exif.refresh(photo.metadata.exif, **size),
        xmp=xmp_packet.merge(photo.metadata.xmp, xmp, **size),
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
            f"an error of the {kind} encoder ({error})",
            "a photo that the format can hold",
            "write PNG or TIFF instead",
            path=path,
        ) from error
