from __future__ import annotations

import io
import struct
from typing import Any

import pytest
from PIL import Image

from unfade.imaging import exif, ifd

Tags = dict[int, Any]


def block(order: str = "<", **changes: Any) -> bytes:
    """A block with a maker's note, GPS and, unless changed, orientation 6 and a thumbnail."""
    camera = ifd.Directory()
    for tag, kind, data in (
        (0x9003, 2, b"1999:12:31 23:59:59\0"),
        (0x927C, 7, b"note with offsets" * 3),
    ):
        camera.entries[tag] = ifd.Entry(tag, kind, data)
    camera.entries[0xA002] = ifd.numbers(0xA002, ifd.SHORT, [640], order)
    camera.entries[0xA003] = ifd.numbers(0xA003, ifd.SHORT, [480], order)
    gps = ifd.Directory({1: ifd.Entry(1, 2, b"N\0")})
    gps.entries[2] = ifd.numbers(2, ifd.RATIONAL, [52, 1, 30, 1, 0, 1], order)
    first = ifd.Directory(children={ifd.EXIF_IFD: camera, ifd.GPS_IFD: gps})
    first.entries[0x10F] = ifd.Entry(0x10F, 2, b"A camera maker\0")
    first.entries[0x112] = ifd.numbers(0x112, ifd.SHORT, [changes.get("orientation", 6)], order)
    return exif.block(first, order)


def with_thumbnail(data: bytes, picture: bytes, order: str, *, last: bool = True) -> bytes:
    """The block with a second directory that points at a small picture."""
    at = len(data)
    second = ifd.Directory()
    size = 2 + 2 * 12 + 4
    second.entries[0x201] = ifd.numbers(0x201, ifd.LONG, [at + size], order)
    second.entries[0x202] = ifd.numbers(0x202, ifd.LONG, [len(picture)], order)
    result = bytearray(data + ifd.serialise(second, at, order) + picture)
    if not last:
        result += b"more data"
    count: int = struct.unpack(order + "H", data[8:10])[0]
    link = 10 + count * 12
    result[link : link + 4] = struct.pack(order + "I", at)
    return bytes(result)


def tags(data: bytes) -> tuple[Tags, Tags, Tags]:
    """The tags of a block as Pillow reads them: first directory, EXIF, GPS."""
    found = Image.Exif()
    found.load(b"Exif\0\0" + data)
    return dict(found), dict(found.get_ifd(0x8769)), dict(found.get_ifd(0x8825))


@pytest.mark.parametrize("order", ["<", ">"])
def test_refresh_mends_orientation_and_size_and_keeps_the_rest(order: str):
    before = block(order)
    assert exif.orientation(before) == 6
    after = exif.refresh(before, height=1000, width=70000)
    assert after is not None and exif.orientation(after) == 1
    first, camera, gps = tags(after)
    assert first[0x10F] == "A camera maker" and first[0x112] == 1
    assert camera[0x9003] == "1999:12:31 23:59:59"
    assert (camera[0xA002], camera[0xA003]) == (70000, 1000)
    assert gps == {1: "N", 2: (52.0, 30.0, 0.0)}
    assert after.index(b"note with") == before.index(b"note with")  # its offsets still hold


@pytest.mark.parametrize(("orientation", "across"), [(1, 300), (3, 300), (5, 150), (6, 150)])
def test_refresh_turns_the_densities_with_the_photo(orientation: int, across: int):
    before = exif.with_dpi(block(orientation=orientation), (300, 150))
    after = exif.refresh(before, height=10, width=10)
    assert after is not None
    assert exif.block_dpi(after) == (across, 450 - across)
    assert exif.refresh(after, height=10, width=10) == after


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("last", [True, False])
def test_refresh_wipes_the_thumbnail(order: str, last: bool):
    before = with_thumbnail(block(order), b"SECRET PICTURE", order, last=last)
    assert b"SECRET" in before
    after = exif.refresh(before, height=10, width=10)
    assert after is not None and b"SECRET" not in after
    assert exif.directory(after)[1].next_offset == 0
    assert tags(after)[1][0x9003] == "1999:12:31 23:59:59"
    assert last or after.endswith(b"more data")


@pytest.mark.parametrize("junk", [b"x", b"II*\0", b"II*\0\xff\xff\xff\xff", b"nothing at all" * 9])
def test_a_broken_block_is_left_out_with_a_warning(junk: bytes, caplog: pytest.LogCaptureFixture):
    assert exif.orientation(junk) == 1
    assert exif.refresh(junk, height=1, width=1) is None
    assert "left out" in caplog.text


def test_no_block_stays_no_block():
    assert exif.refresh(None, height=1, width=1) is None
    assert exif.strip_prefix(b"Exif\0\0") is None
    assert exif.strip_prefix(b"Exif\0\0II*\0") == b"II*\0"


@pytest.mark.parametrize("value", [0, 9, 300])
def test_an_orientation_out_of_range_counts_as_upright(value: int):
    assert exif.orientation(block(orientation=value)) == 1


def test_tags_of_a_tiff_go_into_a_block_without_those_of_its_storage():
    stream = io.BytesIO()
    image = Image.new("RGB", (8, 8))
    info = Image.Exif()
    info[0x10F], info[0x132] = "maker", "2001:02:03 04:05:06"
    image.save(stream, "TIFF", exif=info)
    data = stream.getvalue()
    order, big, at = ifd.header(data)
    built = exif.from_tiff(ifd.parse(ifd.reader(data), at, order, big=big), order)
    assert built is not None
    first, _, _ = tags(built)
    assert first[0x10F] == "maker" and first[0x132] == "2001:02:03 04:05:06"
    assert not {256, 257, 258, 259, 262, 273, 277, 278, 279} & set(first)


def test_density_goes_in_and_out():
    built = exif.with_dpi(None, (300, 240.5))
    assert exif.block_dpi(built) == pytest.approx((300, 240.5))
    assert exif.with_dpi(built, (300, 240.5)) == built
    assert exif.block_dpi(exif.with_dpi(block(), (72, 72))) == pytest.approx((72, 72))
    assert exif.block_dpi(block()) is None and exif.block_dpi(None) is None


def test_a_block_too_large_loses_the_makers_note_first():
    assert exif.shrink(block(), 10**6) == block()
    smaller = exif.shrink(block(), len(block()) - 10)
    assert smaller is not None and b"note with" not in smaller
    assert tags(smaller)[1][0x9003] == "1999:12:31 23:59:59"
    assert exif.shrink(block(), 20) is None


def test_directories_refuse_to_read_past_their_end():
    with pytest.raises(ValueError, match="past the end"):
        ifd.parse(ifd.reader(b"\0" * 8), 100, "<")
    with pytest.raises(ValueError, match="entries"):
        ifd.parse(ifd.reader(b"\xff" * 100), 0, "<")


def test_a_directory_that_contains_itself_ends():
    loop = ifd.Directory()
    data = bytearray(exif.block(loop, "<"))
    data[8:14] = struct.pack("<HI", 1, 0)
    entry = struct.pack("<HHII", ifd.EXIF_IFD, ifd.LONG, 1, 8)
    data = bytearray(b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 1) + entry + bytes(4))
    assert exif.directory(bytes(data))[1].children
