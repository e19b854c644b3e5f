"""Damage masks for the page: reduced for the preview, and combined with what the visitor painted.

The page shows a photo no larger than PREVIEW pixels. The browser sends what was painted as a gray
PNG of the preview's size. It is enlarged and applied to the mask that was detected at full size;
where nothing was painted, that mask stays as it is.
"""

from __future__ import annotations

import base64
import binascii
import struct

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.errors import UsageError
from unfade.masks import harden

Mask = NDArray[np.uint8]

#: Long side of the picture on the page, pixels.
PREVIEW = 1280
#: Long side of the copy in which damage is detected first, before the whole photo.
ROUGH = 512
#: Values of a pixel of the painted layer.
KEEP, PROTECT, REMOVE, ADD = 0, 64, 128, 255
_VALUES = (KEEP, PROTECT, REMOVE, ADD)
#: Upper limit of painted colours.
MAX_COLOURS = 40

_PREFIX = "data:image/png;base64,"
_PNG = b"\x89PNG\r\n\x1a\n"


def preview_size(height: int, width: int) -> tuple[int, int]:
    """(height, width) of the picture on the page."""
    scale = min(1.0, PREVIEW / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def read_edits(layer: str, size: tuple[int, int]) -> Mask | None:
    """The painted layer: (h, w) of KEEP, PROTECT, REMOVE and ADD; None where it is all KEEP.

    Args:
        layer: a PNG as a data URL, or "".
        size: (height, width) of the preview that it was painted on.

    Raises:
        UsageError: it is no PNG, or of another size.
    """
    pixels = _read(layer, size)
    if pixels is None:
        return None
    edits = _nearest(pixels)
    return edits if edits.any() else None


def _nearest(pixels: Mask) -> Mask:
    """Each pixel as the nearest value that a layer may hold."""
    table = [min(_VALUES, key=lambda value: abs(value - level)) for level in range(256)]
    return np.array(table, np.uint8)[pixels]


def read_colour_layer(layer: str, size: tuple[int, int], colours: int) -> Mask | None:
    """The painted colour of each pixel: (h, w), 0 = none, else the number of the colour from 1.

    None where nothing was painted.

    Args:
        layer, size: as of `read_edits`.
        colours: how many there are.

    Raises:
        UsageError: it is no PNG, of another size, or has a number without a colour.
    """
    pixels = _read(layer, size)
    if pixels is None or not pixels.any():
        return None
    if int(pixels.max()) > colours:
        raise UsageError(f"region {pixels.max()}", f"{colours} colours", "paint it again")
    return pixels


def protected_mask(edits: Mask, size: tuple[int, int]) -> Mask | None:
    """The mask of protected pixels, of a size (height, width): 255 or 0; None if there are none.

    Args:
        edits: (h, w) from `read_edits`.
    """
    if not (edits == PROTECT).any():
        return None
    return ((enlarged(edits, size) == PROTECT) * 255).astype(np.uint8)


def edited_mask(soft: Mask, threshold: float, edits: Mask) -> Mask:
    """The detected mask with the painted changes: (H, W), 0 or 255.

    Args:
        soft: (H, W), probability of damage in 1/255.
        threshold: 0..1, from which a pixel is damaged.
        edits: (h, w) from `read_edits`.
    """
    mask = harden(soft, threshold)
    layer = enlarged(edits, (mask.shape[0], mask.shape[1]))
    mask[layer == ADD] = 255
    mask[(layer == REMOVE) | (layer == PROTECT)] = 0
    return mask


def enlarged(edits: Mask, size: tuple[int, int]) -> Mask:
    """A layer (h, w) at the size (height, width) of the photo, without mixing its values."""
    large = cv2.resize(edits, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(large, np.uint8)


def preview_mask(soft: Mask) -> Mask:
    """The probabilities reduced to the size of the preview, see `reduced`."""
    return reduced(soft, preview_size(soft.shape[0], soft.shape[1]))


def reduced(soft: Mask, size: tuple[int, int]) -> Mask:
    """A mask reduced to (height, width) by the maximum of each cell: thin scratches stay."""
    height, width = size
    step = -(-max(soft.shape) // max(size))
    grown = cv2.dilate(soft, np.ones((step, step), np.uint8)) if step > 1 else soft
    return cv2.resize(grown, (width, height), interpolation=cv2.INTER_NEAREST_EXACT).astype(
        np.uint8
    )


def _read(layer: str, size: tuple[int, int]) -> Mask | None:
    """The gray values (h, w) of a PNG as a data URL, None where it is empty."""
    if not layer:
        return None
    data = _png_bytes(layer, max_bytes=8 * size[0] * size[1] + (1 << 16))
    width, height = struct.unpack(">II", data[16:24])
    if (height, width) != size:
        got = f"a painted mask of {width} x {height} pixels"
        raise UsageError(got, f"{size[1]} x {size[0]}, as the photo is shown", "paint it again")
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise _no_png()
    return np.asarray(pixels, np.uint8)


def _png_bytes(layer: str, *, max_bytes: int) -> bytes:
    if not layer.startswith(_PREFIX) or len(layer) > max_bytes * 4 // 3 + len(_PREFIX):
        raise _no_png()
    try:
        data = base64.b64decode(layer[len(_PREFIX) :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise _no_png() from error
    if len(data) < 24 or not data.startswith(_PNG) or data[12:16] != b"IHDR":
        raise _no_png()
    return data


def _no_png() -> UsageError:
    return UsageError("a painted mask that is no PNG", "one from this page", "paint it again")
