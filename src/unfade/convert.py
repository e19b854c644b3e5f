"""Converts Pillow images and arrays to photos, and photos to them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

import unfade.imaging.exif as exif_block
import unfade.imaging.icc as icc_profiles
from unfade.errors import InputError
from unfade.imaging.canvas import rows_per_block
from unfade.imaging.photo import Metadata, Native, Photo, quantise

if TYPE_CHECKING:
    from PIL import Image

_DIRECT = ("L", "LA", "RGB", "RGBA", "CMYK")


def from_pillow(image: Image.Image, *, max_pixels: int) -> Photo:
    """A Pillow image as a photo: upright, with its profile, EXIF, XMP and resolution.

    Raises:
        InputError: it has more than max_pixels pixels, or none.
    """
    from PIL import ImageOps

    _check_size(image.height, image.width, max_pixels)
    icc, dpi, xmp = (image.info.get(name) for name in ("icc_profile", "dpi", "xmp"))
    exif = exif_block.strip_prefix(image.getexif().tobytes())
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        native: Native = np.asarray(image).astype(np.uint16)[..., None]
        alpha: Native | None = None
    else:
        native, alpha = _split(np.asarray(_to_supported_mode(image)), image.mode == "CMYK")
    metadata = Metadata(
        exif=exif,
        icc=icc if isinstance(icc, bytes) else None,
        xmp=xmp if isinstance(xmp, bytes) else None,
        dpi=(float(dpi[0]), float(dpi[1])) if dpi else None,
        format=image.format or "PNG",
        mode=image.mode,
        orientation=exif_block.orientation(exif),
    ).upright(image.height, image.width)
    icc_profiles.warn_of(metadata.icc, native.shape[2])
    return Photo(native, alpha, metadata)


def _to_supported_mode(image: Image.Image) -> Image.Image:
    """The image in one of the modes that map to a photo."""
    if image.mode in _DIRECT:
        return image
    if image.mode == "1":
        return image.convert("L")
    transparent = image.mode in ("PA", "RGBa", "La") or "transparency" in image.info
    if image.mode in ("I", "F"):
        raise InputError(f"a Pillow image of mode {image.mode}", "8 or 16 bit", "convert it")
    return image.convert("RGBA" if transparent else "RGB")


def from_array(array: NDArray[Any], *, max_pixels: int) -> Photo:
    """An array as a photo in sRGB.

    Args:
        array: uint8 or uint16, (H, W), (H, W, 1) gray, (H, W, 2) gray and alpha, (H, W, 3) RGB,
            or (H, W, 4) RGBA.
        max_pixels: more are refused.

    Raises:
        InputError: another type or shape, or more pixels than allowed.
    """
    if array.dtype.kind != "u" or array.itemsize > 2:
        fix = "scale it, as in (255 * array).round().astype(np.uint8)"
        raise InputError(f"an array of {array.dtype}", "uint8 or uint16", fix)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 2, 3, 4)):
        got = f"an array of shape {array.shape}"
        raise InputError(got, "(H, W) or (H, W, 1 to 4)", "give one photo, channels last")
    _check_size(array.shape[0], array.shape[1], max_pixels)
    native, alpha = _split(cast(Native, array), False)
    mode = {1: "L", 3: "RGB"}[native.shape[2]] + ("A" if alpha is not None else "")
    return Photo(
        native, alpha, Metadata(exif=None, icc=None, xmp=None, dpi=None, format="PNG", mode=mode)
    )


def _split(pixels: Native, cmyk: bool) -> tuple[Native, Native | None]:
    """Colours (H, W, C) and alpha (H, W) of pixels (H, W) or (H, W, C)."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    kind: Any = np.uint8 if pixels.itemsize == 1 else np.uint16  # in this machine's byte order
    if pixels.shape[2] in (2, 4) and not cmyk:
        return np.array(pixels[..., :-1], kind), np.array(pixels[..., -1], kind)
    return np.array(pixels, kind), None


def _check_size(height: int, width: int, max_pixels: int) -> None:
    if height < 1 or width < 1:
        raise InputError(f"a photo of {width} x {height} pixels", "some pixels", "check it")
    if height * width > max_pixels:
        got = f"{width} x {height} pixels"
        raise InputError(got, f"at most {max_pixels}", "raise max_pixels, or make it smaller")


def to_array(photo: Photo) -> NDArray[Any]:
    """The photo as an array in sRGB.

    Returns:
        uint8 or uint16, the photo's depth; (H, W) gray or (H, W, 3) RGB, and with transparency
        (H, W, 2) or (H, W, 4).
    """
    channels = 1 if photo.gray else 3
    alpha = photo.alpha is not None
    pixels = np.empty((photo.height, photo.width, channels + alpha), photo.native.dtype)
    step = rows_per_block(photo.width)
    for top in range(0, photo.height, step):
        rows = slice(top, top + step)
        colours = photo.srgb(rows, slice(None))[..., :channels]
        pixels[rows, :, :channels] = quantise(colours, photo.native.dtype)
    if photo.alpha is not None:
        pixels[..., channels] = photo.alpha
    return pixels if pixels.shape[2] > 1 else pixels[..., 0]


def to_pillow(photo: Photo) -> Image.Image:
    """The photo as a Pillow image in sRGB with 8 bits (L, LA, RGB or RGBA).

    EXIF and resolution are in `info`, where Pillow looks for them when it saves.
    """
    from PIL import Image

    pixels = to_array(photo)
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    image = Image.fromarray(pixels)
    if photo.metadata.exif is not None:
        image.info["exif"] = b"Exif\0\0" + photo.metadata.exif
    if photo.metadata.dpi is not None:
        image.info["dpi"] = photo.metadata.dpi
    return image


def fingerprint(photo: Photo) -> tuple[str, int]:
    """SHA-256 (hexadecimal) and size in bytes of the pixels of a photo without a file."""
    digest = hashlib.sha256(f"{photo.native.shape} {photo.native.dtype}".encode())
    size = 0
    for plane in (photo.native, photo.alpha):
        if plane is not None:
            data = np.ascontiguousarray(plane)
            digest.update(data.data)
            size += data.nbytes
    return digest.hexdigest(), size
