"""PNG of any depth: pixels by libpng (strict about check sums), metadata from the chunks."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO, cast

import imagecodecs
import numpy as np
from numpy.typing import NDArray

import unfade.imaging.exif as exif
import unfade.imaging.formats as formats
import unfade.imaging.png_chunks as png_chunks
from unfade.imaging.canvas import Canvas, rows_per_block
from unfade.imaging.photo import Metadata, Photo

_MODES = {0: "L", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}
_PALETTE = 3
_MAX_KEPT_BYTES = 16 << 20


def read_png(path: Path, file: BinaryIO, max_pixels: int) -> Photo:
    """A PNG file with one picture."""
    data = file.read()
    width, height, depth, colour = struct.unpack(">IIBB", data[16:26])
    formats.check_size(path, height, width, max_pixels)
    chunks = list(png_chunks.chunks(data))
    del data
    contents = {name: value for name, value in reversed(chunks)}  # the first of each name
    if b"acTL" in contents:
        frames = int.from_bytes(contents[b"acTL"][:4], "big")
        if frames > 1:
            raise formats.several_pictures(path, frames, "frames", coder="apng")
    metadata = _metadata(chunks, contents, f"{_MODES.get(colour, '')};{depth}")
    del contents
    pixels = _decode(chunks)
    gray_palette = colour == _PALETTE and _gray_palette(chunks)
    del chunks
    return _photo(pixels, metadata, gray=gray_palette)


def _decode(chunks: list[png_chunks.Chunk]) -> NDArray[Any]:
    """Pixels (H, W) or (H, W, 2..4) from the chunks that carry them."""
    critical = [
        png_chunks.pack(name, value)
        for name, value in chunks
        if name == b"tRNS" or not name[0] & 0x20  # an upper-case first letter: critical
    ]
    stream = png_chunks.SIGNATURE + b"".join(critical) + png_chunks.pack(b"IEND", b"")
    return cast(NDArray[Any], cast(Any, imagecodecs).png_decode(stream))


def _gray_palette(chunks: list[png_chunks.Chunk]) -> bool:
    table = next((value for name, value in chunks if name == b"PLTE"), b"")
    colours = np.frombuffer(table, np.uint8).reshape(-1, 3)
    return bool((colours == colours[:, :1]).all())


def _photo(pixels: NDArray[Any], metadata: Metadata, *, gray: bool) -> Photo:
    """The decoded pixels as a photo; `gray` takes one of three equal channels."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    height, width, samples = pixels.shape
    alpha = samples in (2, 4)
    channels = 1 if gray else samples - alpha
    turn = metadata.orientation
    canvas = Canvas(height, width, channels, pixels.dtype, alpha=alpha, orientation=turn)
    step = rows_per_block(width)
    for top in range(0, height, step):
        block = pixels[top : top + step]
        if gray and samples > 2:
            block = block[..., [0, 3]] if alpha else block[..., :1]
        canvas.put(top, 0, block)
    return canvas.photo(metadata)


def _metadata(chunks: list[png_chunks.Chunk], contents: dict[bytes, bytes], mode: str) -> Metadata:
    packet: bytes | None = None
    block = exif.strip_prefix(contents.get(b"eXIf"))
    other_chunks: list[png_chunks.Chunk] = []
    for name, value in chunks:
        if name not in png_chunks.COPIED:
            continue
        is_xmp = name == b"iTXt" and value.startswith(png_chunks.XMP_KEYWORD + b"\0")
        old_exif = png_chunks.raw_exif(name, value)
        if is_xmp:
            packet = packet or png_chunks.xmp(value)
        elif old_exif is not None:
            block = block or exif.strip_prefix(old_exif)
        else:
            other_chunks.append((name, value))
    if sum(len(value) for _, value in other_chunks) > _MAX_KEPT_BYTES:
        other_chunks = [(name, value) for name, value in other_chunks if name in png_chunks.COLOUR]
    return Metadata(
        exif=block,
        icc=png_chunks.profile(contents[b"iCCP"]) if b"iCCP" in contents else None,
        xmp=packet,
        dpi=png_chunks.dpi(contents[b"pHYs"]) if b"pHYs" in contents else None,
        format=formats.PNG,
        mode=mode,
        orientation=exif.orientation(block),
        png_chunks=tuple(other_chunks),
    )
