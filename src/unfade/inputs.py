"""Loads a photo from a path, an array or a Pillow image, and records where it came from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from unfade.manifest import sha256_file

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from unfade.imaging import Photo
    from unfade.manifest import InputRecord

    Source = str | Path | Image.Image | NDArray[Any] | Photo


def load(photo: Source, max_pixels: int) -> tuple[Path | None, Photo, InputRecord]:
    """The file it came from, the photo, and its record. InputError where it cannot be read."""
    from unfade.imaging import Photo, read_photo

    if isinstance(photo, (str, Path)):
        path = Path(photo)
        loaded = read_photo(path, max_pixels=max_pixels)
        digest, size = sha256_file(path), path.stat().st_size
        name = path.name
    else:
        import numpy as np

        from unfade import convert

        if isinstance(photo, Photo):
            loaded = photo
        elif isinstance(photo, np.ndarray):
            loaded = convert.from_array(photo, max_pixels=max_pixels)
        else:
            loaded = convert.from_pillow(photo, max_pixels=max_pixels)
        digest, size = convert.fingerprint(loaded)
        path, name = None, None
    return (
        path,
        loaded,
        {
            "name": name,
            "sha256": digest,
            "bytes": size,
            "width": loaded.width,
            "height": loaded.height,
        },
    )
