"""TIFF files that other readers read, though they break a rule or use a rare compression."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from unfade.errors import InputError
from unfade.imaging import read_photo


def wiped(path: Path, *, last_only: bool = False) -> Path:
    """Sets the byte counts of a TIFF's strips to zero."""
    with tifffile.TiffFile(path) as tif:
        tag: Any = tif.pages[0].tags["StripByteCounts"]  # type: ignore[union-attr]
        at, size, count = tag.valueoffset, 4 if tag.dtype == 4 else 2, tag.count
        if count * size <= 4:
            at = tag.offset + 8
    data = bytearray(path.read_bytes())
    start = at + (count - 1) * size if last_only else at
    data[start : at + count * size] = bytes(at + count * size - start)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "packbits"])
@pytest.mark.parametrize("rows", [48, 10])
def test_strips_whose_byte_counts_are_zero_are_read(
    picture: NDArray[Any], tmp_path: Path, compression: str | None, rows: int
) -> None:
    for last_only in (False, True):
        path = tmp_path / "a.tif"
        tifffile.imwrite(path, picture, photometric="rgb", compression=compression,
                         rowsperstrip=rows)  # fmt: skip
        photo = read_photo(wiped(path, last_only=last_only))
        np.testing.assert_array_equal(photo.native, picture)


def test_strips_that_are_missing_are_still_refused(picture: NDArray[Any], tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, picture, photometric="rgb", rowsperstrip=48)
    is_complete = wiped(path).read_bytes()
    path.write_bytes(is_complete[: len(is_complete) // 2])
    with pytest.raises(InputError, match="damaged or cut short"):
        read_photo(path)


def thunderscan(values: NDArray[np.uint8]) -> bytes:
    """A TIFF of 4-bit gray (H, W) in ThunderScan's compression: each pixel as it is."""
    height, width = values.shape
    data = (values | 0xC0).astype(np.uint8).tobytes()
    entries = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 1, 4), (259, 3, 1, 32809),
               (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1), (278, 3, 1, height),
               (279, 4, 1, len(data))]  # fmt: skip
    table = b"".join(
        struct.pack("<HHI", tag, kind, count)
        + (struct.pack("<HH", value, 0) if kind == 3 else struct.pack("<I", value))
        for tag, kind, count, value in entries
    )
    head = b"II*\0" + struct.pack("<I", 8 + len(data)) + data
    return head + struct.pack("<H", len(entries)) + table + bytes(4)


def test_thunderscan_is_read(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 16, (12, 20), dtype=np.uint8)
    (tmp_path / "a.tif").write_bytes(thunderscan(values))
    photo = read_photo(tmp_path / "a.tif")
    np.testing.assert_array_equal(photo.native[..., 0], values * 17)


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_faxes_are_read(tmp_path: Path, compression: str) -> None:
    values = np.random.default_rng(0).random((40, 64)) < 0.5
    Image.fromarray(values).save(tmp_path / "a.tif", compression=compression)
    photo = read_photo(tmp_path / "a.tif")
    np.testing.assert_array_equal(photo.native[..., 0], values * 255)


@pytest.mark.parametrize("name", ["a.tif", "two words.tif"])
def test_several_pages_come_with_the_command_that_splits_them(name: str, tmp_path: Path) -> None:
    pages = [Image.new("L", (20, 20), 30), Image.new("L", (20, 20), 60)]
    path = tmp_path / name
    pages[0].save(path, save_all=True, append_images=pages[1:])
    with pytest.raises(InputError, match="a file that has 2 pages") as caught:
        read_photo(path)
    quoted = {"a.tif": f"{tmp_path}/a.tif {tmp_path}/a-%03d.tif",
              "two words.tif": f"'{path}' '{tmp_path}/two words-%03d.tif'"}  # fmt: skip
    assert f"magick {quoted[name]}" in caught.value.fix


def test_frames_are_split_into_png(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (20, 20), (i * 90, 0, 0)) for i in range(3)]
    for suffix in (".webp", ".gif", ".png"):
        path = tmp_path / f"a{suffix}"
        frames[0].save(path, save_all=True, append_images=frames[1:])
        with pytest.raises(InputError, match="3 frames") as caught:
            read_photo(path)
        source = f"apng:{path}" if suffix == ".png" else path
        assert f"magick {source} -coalesce {tmp_path}/a-%03d.png" in caught.value.fix
