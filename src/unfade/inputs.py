"""A photo from wherever it comes, with its record, and a soft mask as yes and no."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from unfade.manifest import sha256_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from unfade.imaging import Photo
    from unfade.manifest import InputRecord

    Source = str | Path | Image.Image | NDArray[Any] | Photo

_BLOCK = 1 << 22  # pixels that are looked at together


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


def _level(threshold: float) -> int:
    """The least mask value, 1..255, that reaches a threshold in 0..1."""
    return max(1, min(255, -int(-threshold * 255 // 1)))


def harden(mask: NDArray[np.uint8], threshold: float) -> NDArray[np.uint8]:
    """A soft mask as 0 and 255."""
    import numpy as np

    found = (mask >= _level(threshold)).view(np.uint8)
    found *= 255  # in place: a mask of a large scan is large
    return found


def share_of(mask: NDArray[np.uint8], threshold: float) -> float:
    """The share of pixels that reach the threshold."""
    import numpy as np

    level, rows = _level(threshold), max(1, _BLOCK // max(1, mask.shape[1]))
    tops = range(0, len(mask), rows)
    found = sum(int(np.count_nonzero(mask[top : top + rows] >= level)) for top in tops)
    return round(found / mask.size, 6)
