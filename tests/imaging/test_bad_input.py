from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from unfade.errors import InputError
from unfade.imaging import png_chunks, read_photo

Array = NDArray[Any]
Encode = Callable[..., bytes]


def refused(path: Path, pattern: str, **options: Any) -> None:
    """Asserts an InputError that names the file, matches, and says what to do."""
    with pytest.raises(InputError) as caught:
        read_photo(path, **options)
    text = str(caught.value)
    assert path.name in text and caught.value.path == path
    assert re.search(pattern, text), text
    assert caught.value.fix and "\n" not in text and "Traceback" not in text


def made(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_an_empty_file_and_a_text_file(tmp_path: Path):
    refused(made(tmp_path / "a.jpg", b""), r"empty file \(0 bytes\)")
    refused(made(tmp_path / "a.jpg", "Größe: keine\n".encode()), "a text file")
    refused(made(tmp_path / "b.jpg", bytes(range(256)) * 9), "unknown kind of file")


@pytest.mark.parametrize(
    ("start", "name"), [(b"%PDF-1.7\n", "PDF"), (b"\0\0\0\x18ftypheic\0\0", "HEIC")]
)
def test_other_formats_are_named(start: bytes, name: str, tmp_path: Path):
    refused(made(tmp_path / "a.jpg", start + bytes(100)), f"{name} file.*convert it")


def test_missing_folder_and_pipe(tmp_path: Path):
    refused(tmp_path / "none.png", "no such file.*check the name")
    refused(tmp_path, "a folder")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        refused(tmp_path / "pipe.png", "no plain file")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions are others there")
def test_a_file_without_permission(ordinary_folder: Path):
    path = made(ordinary_folder / "a.png", b"x")
    path.chmod(0)
    refused(path, "permission denied")


@pytest.mark.parametrize("part", [0.02, 0.3, 0.7, 0.95, 0.999])
@pytest.mark.parametrize("kind", ["JPEG", "PROGRESSIVE", "PNG", "TIFF", "LZW", "WEBP", "BMP"])
def test_a_truncated_file(kind: str, part: float, picture: Array, encoded: Encode, tmp_path: Path):
    image = Image.fromarray(np.tile(picture, (2, 2, 1)))
    options: dict[str, dict[str, Any]] = {
        "PROGRESSIVE": {"kind": "JPEG", "progressive": True, "quality": 90},
        "LZW": {"kind": "TIFF", "compression": "tiff_lzw"},
    }
    data = encoded(image, **options.get(kind, {"kind": kind}))
    refused(made(tmp_path / "a", data[: int(len(data) * part)]), "damaged|cut short|unknown|text")


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("restarts", [0, 1])
def test_a_truncated_jpeg_with_an_end_put_to_it(
    progressive: bool, restarts: int, picture: Array, encoded: Encode, tmp_path: Path
):
    image = Image.fromarray(np.tile(picture, (2, 2, 1)))
    options = {"progressive": progressive, "restart_marker_rows": restarts}
    data = encoded(image, "JPEG", quality=90, **options)
    read_photo(made(tmp_path / "whole.jpg", data))
    for part in (0.5, 0.7, 0.9) if not progressive else (0.95, 0.98):
        cut = data[: int(len(data) * part)]
        refused(made(tmp_path / "a.jpg", cut + b"\xff\xd9"), "ends before the last row")
        refused(made(tmp_path / "b.jpg", cut + bytes(len(data) - len(cut))), "ends before")


def test_a_jpeg_that_lacks_only_its_end_marker_is_read(
    picture: Array, encoded: Encode, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    data = encoded(Image.fromarray(picture), "JPEG", quality=90)
    is_complete = read_photo(made(tmp_path / "a.jpg", data))
    np.testing.assert_array_equal(
        read_photo(made(tmp_path / "b.jpg", data[:-2])).native, is_complete.native
    )
    assert "no end marker" in caplog.text
    np.testing.assert_array_equal(
        read_photo(made(tmp_path / "c.jpg", data + b"trailing junk" * 50)).native,
        is_complete.native,
    )


def test_a_damaged_png_and_one_too_large(picture: Array, encoded: Encode, tmp_path: Path):
    data = bytearray(encoded(Image.fromarray(picture), "PNG"))
    data[len(data) // 2] ^= 0xFF
    refused(made(tmp_path / "a.png", bytes(data)), "damaged")
    path = made(tmp_path / "a.png", encoded(Image.fromarray(picture), "PNG"))
    refused(path, "at most", max_bytes=100)


def test_random_damage_never_gives_a_foreign_error(picture: Array, encoded: Encode, tmp_path: Path):
    rng = np.random.default_rng(0)
    for kind in ("JPEG", "PNG", "TIFF", "WEBP", "BMP"):
        data = encoded(Image.fromarray(picture), kind)
        for _ in range(25):
            copy = bytearray(data)
            for at in rng.integers(0, min(len(data), 300), 4):
                copy[at] = rng.integers(0, 256)
            try:
                read_photo(made(tmp_path / "a", bytes(copy)), max_pixels=10**6)
            except InputError as error:
                assert error.fix


def png_header(width: int, height: int) -> bytes:
    start = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = png_chunks.pack(b"IHDR", start) + png_chunks.pack(b"IDAT", zlib.compress(bytes(99)))
    return png_chunks.SIGNATURE + body + png_chunks.pack(b"IEND", b"")


def test_a_decompression_bomb_is_refused_by_its_header(
    picture: Array, encoded: Encode, tmp_path: Path
):
    refused(made(tmp_path / "a.png", png_header(50000, 50000)), "2500.0 megapixels.*at most 300")
    jpeg = encoded(Image.fromarray(picture), "JPEG")
    at = jpeg.index(b"\xff\xc0") + 5
    bomb = jpeg[:at] + struct.pack(">HH", 60000, 60000) + jpeg[at + 4 :]
    refused(made(tmp_path / "a.jpg", bomb), "3600.0 megapixels")
    bmp = bytearray(encoded(Image.fromarray(picture), "BMP"))
    bmp[18:26] = struct.pack("<ii", 40000, 40000)
    refused(made(tmp_path / "a.bmp", bytes(bmp)), "1600.0 megapixels")
    for kind in ("JPEG", "PNG", "TIFF", "WEBP", "BMP"):
        path = made(tmp_path / "b", encoded(Image.fromarray(picture), kind))
        refused(path, "64 x 48.*raise the limit .max_pixels=N", max_pixels=64 * 48 - 1)
        assert read_photo(path, max_pixels=64 * 48).width == 64


def test_a_gif(picture: Array, encoded: Encode, tmp_path: Path):
    refused(
        made(tmp_path / "b.gif", encoded(Image.fromarray(picture), "GIF")), "a GIF file.*convert it"
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_float_tiff_with_nan(value: float, tmp_path: Path):
    values = np.full((40, 30), 0.5, np.float32)
    values[20, 7] = value
    for options in ({}, {"compression": "zlib", "rowsperstrip": 4}):
        tifffile.imwrite(tmp_path / "a.tif", values, **options)
        refused(tmp_path / "a.tif", "NaN or infinite.*replace")


def test_a_float_tiff_out_of_range(tmp_path: Path):
    values = np.linspace(-2, 255, 1200, dtype=np.float32).reshape(40, 30)
    tifffile.imwrite(tmp_path / "a.tif", values, rowsperstrip=4, compression="zlib")
    refused(tmp_path / "a.tif", r"from -2 to 255, expected values in \[0, 1\]; scale it")


@pytest.mark.parametrize("dtype", [np.int16, np.uint32, np.complex64])
def test_a_tiff_of_other_numbers(dtype: Any, tmp_path: Path):
    tifffile.imwrite(tmp_path / "a.tif", np.ones((20, 30), dtype))
    refused(tmp_path / "a.tif", "samples.*convert it")


def test_a_tiff_in_lab_and_one_with_too_many_channels(picture: Array, tmp_path: Path):
    Image.fromarray(picture).convert("LAB").save(tmp_path / "a.tif")
    refused(tmp_path / "a.tif", "CIELAB.*convert it")
    pixels = np.zeros((20, 30, 6), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", planarconfig="contig")
    refused(tmp_path / "a.tif", "6 channels of RGB.*flatten it")


def test_a_tiff_whose_strips_are_gone(picture: Array, tmp_path: Path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, picture, photometric="rgb", rowsperstrip=8, metadata=None)
    data = path.read_bytes()
    with tifffile.TiffFile(path) as tif:
        tags: Any = tif.pages[0]
        at = tags.tags["StripOffsets"].valueoffset
    broken = data[:at] + struct.pack("<I", len(data) * 2) + data[at + 4 :]
    refused(made(tmp_path / "b.tif", broken), "ends before the last row")


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("jpeg_encode", {"bitspersample": 12}, "a 12-bit JPEG"),
        ("jpeg_encode", {"lossless": True}, "a lossless JPEG"),
        ("jpegls_encode", {}, "a JPEG-LS file"),
    ],
)
def test_a_jpeg_that_is_none_of_the_common_kind(
    name: str, options: dict[str, Any], words: str, tmp_path: Path
):
    codecs: Any = imagecodecs
    encode = getattr(codecs, name)
    pixels = np.arange(32 * 48 * 3, dtype=np.uint16).reshape(32, 48, 3) % 256
    deep = "bitspersample" in options
    data = encode(pixels * 16 if deep else pixels.astype(np.uint8), **options)
    refused(made(tmp_path / "a.jpg", data), f"{words}.*convert it")


@pytest.mark.parametrize("process", [0xC5, 0xCD])
def test_a_hierarchical_jpeg(process: int, picture: Array, encoded: Encode, tmp_path: Path):
    jpeg = encoded(Image.fromarray(picture), "JPEG")
    data = jpeg.replace(b"\xff\xc0", bytes([0xFF, process]), 1)
    refused(made(tmp_path / "a.jpg", data), "a hierarchical JPEG.*convert it")


def test_a_raw_file_is_not_taken_for_its_thumbnail(picture: Array, tmp_path: Path):
    with tifffile.TiffWriter(tmp_path / "a.dng") as writer:
        small = picture[::4, ::4].copy()
        writer.write(small, photometric="rgb", subfiletype=1, subifds=1, metadata=None)
        writer.write(picture, photometric="rgb", metadata=None)
    refused(tmp_path / "a.dng", "raw file.*develop it")
