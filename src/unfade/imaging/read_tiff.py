"""TIFF with one page, strip by strip, so that no second copy of the photo is held."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL.TiffImagePlugin import TiffImageFile

import unfade.imaging.exif as exif
import unfade.imaging.formats as formats
import unfade.imaging.ifd as ifd
from unfade.errors import InputError
from unfade.imaging.canvas import Canvas, rows_per_block
from unfade.imaging.photo import Metadata, Photo
from unfade.imaging.tiff_samples import Samples, samples_of

_ICC, _XMP, _IPTC, _DNG_VERSION = 34675, 700, 33723, 50706
_COMPRESSIONS = {1: "none", 5: "lzw", 7: "jpeg", 8: "deflate", 32773: "packbits", 32946: "deflate"}
_ZSTD = (34926, 50000)
_PILLOWS = (32809,)  # ThunderScan, which tifffile does not decode
_READ_BYTES = 4 << 20  # read ahead

# (first row, first column, first channel, block of (h, w, c))
Block = tuple[int, int, int, NDArray[Any]]


def read_tiff(path: Path, file: BinaryIO, max_pixels: int) -> Photo:
    """The one page of a TIFF; small copies and masks beside it are left out."""
    start = file.read(16)
    order, big, _ = ifd.header(start)
    file.seek(0)
    with tifffile.TiffFile(file) as tif:
        page = _only_page(path, tif)
        height, width = int(page.imagelength), int(page.imagewidth)
        formats.check_size(path, height, width, max_pixels)
        samples = samples_of(path, page)
        _complete_byte_counts(file, page)
        _check_data(path, file, page)
        tags = ifd.parse(_reader(file), int(page.offset), order, big=big)
        metadata = _metadata(page, tags, order, samples)
        canvas = Canvas(
            height,
            width,
            samples.channels,
            samples.dtype,
            alpha=samples.alpha,
            orientation=metadata.orientation,
        )
        by_pillow = int(page.compression) in _PILLOWS
        blocks = _pillow_block(file) if by_pillow else _blocks(path, file, page)
        for row, col, channel, block in blocks:
            pixels = block if by_pillow else samples.convert(block)
            if _planar(page):
                canvas.put_plane(row, col, channel, pixels[..., 0])
            else:
                canvas.put(row, col, pixels)
        samples.check_range(path)
    return canvas.photo(metadata)


def _only_page(path: Path, tif: tifffile.TiffFile) -> Any:
    """The page that is the photo; typed loosely, as tifffile's pages and frames differ."""
    pages = list(cast(Any, tif.pages))
    full = [p for p in pages if not int(getattr(p, "subfiletype", 0)) & 0b101]
    if len(full) > 1:
        raise formats.several_pictures(path, len(full), "pages")
    if not pages:
        raise formats.broken(path, formats.TIFF, "it has no page")
    page = (full or pages)[0]
    if _DNG_VERSION in page.tags or (not full and page.subifds):
        fix = "develop it to a TIFF or JPEG first"
        raise InputError("a camera's raw file", "a developed photo", fix, path=path)
    return page


def _planar(page: Any) -> bool:
    return int(page.planarconfig) == 2 and int(page.samplesperpixel) > 1


def _complete_byte_counts(file: BinaryIO, page: Any) -> None:
    """Fills in byte counts of 0, which some scanners' programs write.

    A strip that is not compressed has the size of its rows; another reaches, at most, to whatever
    follows it in the file.
    """
    counts = list(page.databytecounts)
    if 0 not in counts or len(counts) != len(page.dataoffsets) or page.is_tiled:
        return
    plain = int(page.compression) == 1
    row_bits = int(page.imagewidth) * int(page.bitspersample)
    row_bits *= 1 if _planar(page) else int(page.samplesperpixel)
    height, step = int(page.imagelength), int(page.rowsperstrip)
    per_plane = -(-height // step)
    ends = sorted({*page.dataoffsets, int(page.offset), file.seek(0, 2)})
    for i, (offset, count) in enumerate(zip(page.dataoffsets, counts, strict=True)):
        if count or not offset:
            continue
        rows = min(step, height - i % per_plane * step)
        following = next((end for end in ends if end > offset), offset)
        counts[i] = rows * -(-row_bits // 8) if plain else following - offset
    page.databytecounts = tuple(counts)


def _pillow_block(file: BinaryIO) -> Iterator[Block]:
    """The pixels as Pillow, through libtiff, decodes them: one block of 8-bit gray."""
    file.seek(0)
    with TiffImageFile(file) as image:
        yield 0, 0, 0, np.asarray(image.convert("L"))[..., None]


def _check_data(path: Path, file: BinaryIO, page: Any) -> None:
    """InputError where strips or tiles are missing, or lie past the end of the file."""
    end = file.seek(0, 2)
    spans = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    if not spans or any(count == 0 for _, count in spans):
        raise formats.broken(path, formats.TIFF, "strips or tiles are missing")
    if any(offset + count > end for offset, count in spans):
        raise formats.broken(path, formats.TIFF, "its data ends before the last row")


def _reader(file: BinaryIO) -> ifd.ReadAt:
    def read_at(offset: int, count: int) -> bytes:
        file.seek(offset)
        data = file.read(count)
        if len(data) != count:
            raise ValueError("a directory points past the end of its data")
        return data

    return read_at


def _blocks(path: Path, file: BinaryIO, page: Any) -> Iterator[Block]:
    if page.is_final and page.dtype is not None:
        yield from _raw_blocks(path, file, page)
        return
    for data, index, _ in page.segments(maxworkers=1, buffersize=_READ_BYTES):
        if data is None:
            raise formats.broken(path, formats.TIFF, "strips or tiles are missing")
        channel, _, row, col, _ = index
        yield row, col, channel, data[0]


def _raw_blocks(path: Path, file: BinaryIO, page: Any) -> Iterator[Block]:
    """Blocks of rows of pixels that lie in the file as they are."""
    planes, _, height, width, channels = page.shaped
    dtype = np.dtype(page.dtype).newbyteorder(page.parent.byteorder)
    row_bytes = width * channels * dtype.itemsize
    step = rows_per_block(width)
    for plane in range(planes):
        for top in range(0, height, step):
            rows = min(step, height - top)
            file.seek(page.dataoffsets[0] + (plane * height + top) * row_bytes)
            data = file.read(rows * row_bytes)
            if len(data) != rows * row_bytes:
                raise formats.broken(path, formats.TIFF, "its data ends before the last row")
            block = np.frombuffer(data, dtype).reshape(rows, width, channels)
            yield top, 0, plane, block


def _metadata(page: Any, tags: ifd.Directory, order: str, samples: Samples) -> Metadata:
    def raw(tag: int) -> bytes | None:
        return tags.entries[tag].data if tag in tags.entries else None

    compression = int(page.compression)
    known = "zstd" if compression in _ZSTD else _COMPRESSIONS.get(compression, "other")
    return Metadata(
        exif=exif.from_tiff(tags, order),
        icc=raw(_ICC),
        xmp=raw(_XMP),
        dpi=exif.dpi(tags, order),
        format=formats.TIFF,
        mode=samples.name,
        orientation=exif.first_orientation(tags, order),
        iptc=raw(_IPTC),
        compression=known,
        alpha_kind=samples.alpha_kind,
    )
