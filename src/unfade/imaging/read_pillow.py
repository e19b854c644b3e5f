"""JPEG, WebP and BMP, through Pillow's own decoders (opened by class: no global pixel limit)."""

from __future__ import annotations

import io
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from PIL import ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.WebPImagePlugin import WebPImageFile

import unfade.imaging.exif as exif
import unfade.imaging.formats as formats
import unfade.imaging.iptc as iptc
import unfade.imaging.jpeg_data as jpeg_data
import unfade.imaging.jpeg_xmp as jpeg_xmp
import unfade.imaging.left_out as left_out
from unfade.errors import InputError, printable
from unfade.imaging.canvas import Canvas, rows_per_block
from unfade.imaging.photo import Metadata, Photo

logger = logging.getLogger(__name__)

_CHANNELS = {"L": (1, False), "RGB": (3, False), "CMYK": (4, False), "RGBA": (3, True)}


def read_jpeg(path: Path, file: BinaryIO, max_pixels: int) -> Photo:
    """The first picture of a JPEG file; what else it holds is left out, with a warning."""
    data = file.read()
    unsupported = jpeg_data.unsupported(data)
    if unsupported:
        fix = "convert it to a TIFF or PNG, which keeps its bits, or to an 8-bit JPEG"
        raise InputError(unsupported, "a JPEG with 8 bits per sample, not lossless", fix, path=path)
    image = JpegImageFile(io.BytesIO(data))
    formats.check_size(path, image.height, image.width, max_pixels)
    picture, ended = jpeg_data.body(data)
    if not jpeg_data.is_complete(picture, exact=not ended):
        raise formats.broken(path, formats.JPEG, "its data ends before the last row")
    if not ended:
        logger.warning("%s has no end marker; its picture is whole", printable(path))
    image = JpegImageFile(io.BytesIO(picture + jpeg_data.END))
    if ended:
        behind = data[len(picture) :].lstrip(b"\xff").removeprefix(jpeg_data.END[1:])
        left_out.warn(path, image.applist, behind)
    metadata = replace(
        _metadata(image, formats.JPEG),
        xmp=jpeg_xmp.read(image.applist),
        quality=jpeg_data.quality_of(image.quantization),
    )
    return _photo(image, metadata)


def read_webp(path: Path, file: BinaryIO, max_pixels: int) -> Photo:
    """A WebP file with one frame."""
    data = file.read()
    height, width, lossless = _webp_header(data)
    formats.check_size(path, height, width, max_pixels)
    image = WebPImageFile(io.BytesIO(data))
    formats.check_size(path, image.height, image.width, max_pixels)
    frames = int(getattr(image, "n_frames", 1))
    if frames > 1:
        raise formats.several_pictures(path, frames, "frames")
    metadata = _metadata(image, formats.WEBP)
    return _photo(image, replace(metadata, lossless=lossless))


def read_bmp(path: Path, file: BinaryIO, max_pixels: int) -> Photo:
    """A BMP file of any depth."""
    image = BmpImageFile(file)
    formats.check_size(path, image.height, image.width, max_pixels)
    return _photo(image, _metadata(image, formats.BMP))


def _webp_header(data: bytes) -> tuple[int, int, bool]:
    """(height, width, lossless) from the chunks of a WebP file."""
    at, size, lossless = 12, (1, 1), False
    while at + 8 <= len(data):
        kind, count = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        start = data[at + 8 : at + 18]
        if kind == b"VP8X" and len(start) >= 10:
            size = (
                1 + int.from_bytes(start[7:10], "little"),
                1 + int.from_bytes(start[4:7], "little"),
            )
        elif kind == b"VP8L":
            lossless = True
        at += 8 + count + count % 2
    return (*size, lossless)


def _metadata(image: ImageFile.ImageFile, kind: str) -> Metadata:
    info = cast(dict[str, Any], image.info)
    resources = cast(dict[Any, Any], info.get("photoshop") or {})
    captions = resources.get(iptc.RESOURCE)
    block = exif.strip_prefix(_bytes(info.get("exif")))
    dpi = info.get("dpi") or exif.block_dpi(block)
    return Metadata(
        exif=block,
        icc=_bytes(info.get("icc_profile")),
        xmp=_bytes(info.get("xmp")),
        dpi=(float(dpi[0]), float(dpi[1])) if dpi and dpi[0] > 0 and dpi[1] > 0 else None,
        format=kind,
        mode=image.mode,
        orientation=exif.orientation(block),
        iptc=_bytes(captions),
        comment=_bytes(info.get("comment")),
    )


def _bytes(value: object) -> bytes | None:
    return bytes(value) if isinstance(value, (bytes, bytearray)) and value else None


def _photo(image: ImageFile.ImageFile, metadata: Metadata) -> Photo:
    image.load()
    picture = image
    if picture.mode == "1":
        picture = picture.convert("L")
    elif picture.mode == "P":
        picture = picture.convert("L" if _gray_palette(image) else "RGB")
    elif picture.mode not in _CHANNELS:
        picture = picture.convert("RGB")
    channels, alpha = _CHANNELS[picture.mode]
    height, width = picture.height, picture.width
    canvas = Canvas(
        height, width, channels, np.uint8, alpha=alpha, orientation=metadata.orientation
    )
    step = rows_per_block(width)
    for top in range(0, height, step):
        block = picture.crop((0, top, width, min(top + step, height)))
        canvas.put(top, 0, np.asarray(block))
    return canvas.photo(metadata)


def _gray_palette(image: ImageFile.ImageFile) -> bool:
    colours = np.array(image.getpalette("RGB") or [0, 0, 0], np.uint8).reshape(-1, 3)
    return bool((colours == colours[:, :1]).all())
