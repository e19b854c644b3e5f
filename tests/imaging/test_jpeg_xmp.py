"""XMP in JPEG: what does not fit into one segment, and statements about data that is left out."""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Callable
from pathlib import Path
from xml.dom import minidom

import numpy as np
import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from unfade.imaging import read_photo, write_photo

STANDARD = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
NOTE = "http://ns.adobe.com/xmp/note/"
OURS = (
    '<rdf:Description rdf:about="" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
    ' xmlns:unfade="urn:unfade:1.0/"><unfade:Restored>True</unfade:Restored>'
    f"<unfade:Options>{'o' * 3600}</unfade:Options></rdf:Description>"
)


def packet(body: str, attributes: str = "") -> bytes:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<rdf:Description rdf:about=""{attributes}>{body}</rdf:Description>'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()


def described(size: int) -> bytes:
    """A packet of so many bytes with a title and keywords."""
    title = (
        "<dc:title><rdf:Alt><rdf:li xml:lang='x-default'>Ann, 1931</rdf:li></rdf:Alt></dc:title>"
    )
    frame = f"{title}<dc:subject><rdf:Bag>{{}}</rdf:Bag></dc:subject>"
    room, step = size - len(packet(frame.format(""))), len("<rdf:li>word 000000</rdf:li>")
    words = "".join(f"<rdf:li>word {i:06}</rdf:li>" for i in range(room // step))
    first = b"word 000000"
    return packet(frame.format(words)).replace(first, first + b"x" * (room % step))


def segments(path: Path) -> list[bytes]:
    """The payloads of the APP1 segments."""
    image = JpegImageFile(io.BytesIO(path.read_bytes()))
    return [data for name, data in image.applist if name == "APP1"]


def segment(payload: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload


def jpeg(path: Path, *payloads: bytes, behind: bytes = b"") -> Path:
    """A JPEG with these APP1 segments, and data behind its picture."""
    stream = io.BytesIO()
    Image.fromarray(np.full((16, 24, 3), 120, np.uint8)).save(stream, "JPEG", quality=95)
    data = stream.getvalue()
    path.write_bytes(data[:2] + b"".join(map(segment, payloads)) + data[2:] + behind)
    return path


def extension(data: bytes, *, step: int = 100) -> tuple[str, list[bytes]]:
    """The digest of extended XMP and its segments."""
    digest = hashlib.md5(data).hexdigest().upper()
    heads = [
        EXTENSION + digest.encode() + struct.pack(">II", len(data), at) + data[at : at + step]
        for at in range(0, len(data), step)
    ]
    return digest, heads


def test_the_users_xmp_survives_where_ours_does_not_fit_beside_it(tmp_path: Path) -> None:
    theirs = described(63_992)
    assert len(theirs) == 63_992
    source = jpeg(tmp_path / "in.jpg", STANDARD + theirs)
    out = tmp_path / "out.jpg"
    write_photo(out, read_photo(source), xmp=OURS)
    (standard,) = (s for s in segments(out) if s.startswith(STANDARD))
    assert b"Ann, 1931" in standard and standard.count(b"<rdf:li>word ") > 2000
    assert b"o" * 3600 not in standard
    found = read_photo(out).metadata.xmp
    assert found is not None and b"o" * 3600 in found and b"Ann, 1931" in found
    assert found.count(b"<rdf:li>word ") == theirs.count(b"<rdf:li>word ")


@pytest.mark.parametrize("size", [70_000, 300_000])
def test_large_xmp_goes_to_extended_segments(tmp_path: Path, size: int) -> None:
    theirs = described(size)
    photo = read_photo(jpeg(tmp_path / "in.jpg"))
    photo.metadata = photo.metadata.__class__(**{**vars(photo.metadata), "xmp": theirs})
    write_photo(tmp_path / "out.jpg", photo, xmp=OURS)
    found = segments(tmp_path / "out.jpg")
    (standard,) = (s.removeprefix(STANDARD) for s in found if s.startswith(STANDARD))
    assert b"Ann, 1931" in standard
    rdf = minidom.parseString(standard).getElementsByTagName("rdf:Description")
    (digest,) = (
        d.getAttributeNS(NOTE, "HasExtendedXMP")
        for d in rdf
        if d.hasAttributeNS(NOTE, "HasExtendedXMP")
    )
    parts = [s.removeprefix(EXTENSION) for s in found if s.startswith(EXTENSION)]
    assert {part[:32].decode() for part in parts} == {digest}
    joined = bytearray(struct.unpack(">I", parts[0][32:36])[0])
    for part in parts:
        at = struct.unpack(">I", part[36:40])[0]
        joined[at : at + len(part) - 40] = part[40:]
    assert hashlib.md5(joined).hexdigest().upper() == digest
    words = minidom.parseString(bytes(joined)).getElementsByTagName("dc:subject")
    assert len(words[0].getElementsByTagName("rdf:li")) == theirs.count(b"<rdf:li>")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_extended_xmp_is_kept(
    tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    digest, parts = extension(packet(f"<dc:source>{'long ' * 100}</dc:source>"))
    main = packet("<dc:title>short</dc:title>", f' xmlns:n="{NOTE}" n:HasExtendedXMP="{digest}"')
    source = jpeg(tmp_path / "in.jpg", *reversed(parts), STANDARD + main)
    write_photo(tmp_path / f"out{suffix}", read_photo(source))
    found = read_photo(tmp_path / f"out{suffix}").metadata.xmp
    assert found is not None and b"long " * 100 in found and b"short" in found
    assert b"HasExtendedXMP" not in found and not caplog.text


def test_a_pointer_to_extended_xmp_that_is_missing_is_removed_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    digest, parts = extension(packet(f"<dc:source>{'long ' * 100}</dc:source>"))
    main = packet("<dc:title>short</dc:title>", f' xmlns:n="{NOTE}" n:HasExtendedXMP="{digest}"')
    source = jpeg(tmp_path / "in.jpg", STANDARD + main, *parts[1:])
    found = read_photo(source).metadata.xmp
    assert found is not None and b"short" in found and b"HasExtendedXMP" not in found
    assert "extended XMP" in caplog.text and "left out" in caplog.text


MOTION = (
    ' xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" GCamera:MotionPhoto="1"'
    ' GCamera:MotionPhotoVersion="1" GCamera:MicroVideo="1" GCamera:MicroVideoOffset="2000"'
    ' GCamera:BurstID="kept"'
)
GAIN_MAP = ' xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"'
CONTAINER = (
    '<Container:Directory xmlns:Container="http://ns.google.com/photos/1.0/container/">'
    "<rdf:Seq/></Container:Directory><dc:title>Ann</dc:title>"
)
VIDEO = struct.pack(">I", 24) + b"ftypmp42" + bytes(12) + bytes(2000)


def small_jpeg() -> bytes:
    stream = io.BytesIO()
    Image.new("L", (8, 8)).save(stream, "JPEG")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("attributes", "behind", "told"),
    [
        (MOTION, VIDEO, "motion photo"),
        (GAIN_MAP, small_jpeg(), "gain map"),
        (MOTION, b"", "motion photo"),
        ("", VIDEO, "video"),
    ],
)
def test_statements_about_data_that_is_left_out_are_removed_and_told(
    tmp_path: Path, attributes: str, behind: bytes, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = CONTAINER if attributes else "<dc:title>Ann</dc:title>"
    source = jpeg(tmp_path / "in.jpg", STANDARD + packet(body, attributes), behind=behind)
    write_photo(tmp_path / "out.jpg", read_photo(source))
    data = (tmp_path / "out.jpg").read_bytes()
    for word in (b"MotionPhoto", b"MicroVideo", b"Container:Directory", b"hdrgm:Version", b"ftyp"):
        assert word not in data
    assert b"<dc:title>Ann</dc:title>" in data
    assert (b"kept" in data) == (attributes == MOTION)
    assert told in caplog.text and "left out" in caplog.text


def test_content_credentials_are_told_of_and_an_ordinary_photo_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, encoded: Callable[..., bytes]
) -> None:
    read_photo(jpeg(tmp_path / "in.jpg", STANDARD + packet(""), behind=bytes(100)))
    assert not caplog.text
    data = small_jpeg()
    payload = b"JP" + bytes(6) + b"jumb....c2pa"
    mark = b"\xff\xeb" + struct.pack(">H", len(payload) + 2) + payload
    (tmp_path / "in.jpg").write_bytes(data[:2] + mark + data[2:])
    read_photo(tmp_path / "in.jpg")
    assert "Content Credentials" in caplog.text


def previews(kind: int) -> bytes:
    """A JPEG with a second picture that its MPF directory says to be of this kind."""
    first, second = small_jpeg(), small_jpeg()
    entries = struct.pack("<IIIHH", 0x20030000, len(first), 0, 0, 0)
    entries += struct.pack("<IIIHH", kind, len(second), 0, 0, 0)
    head = b"MPF\0II*\0" + struct.pack("<IH", 8, 1) + struct.pack("<HHII", 0xB002, 7, 32, 26)
    payload = head + bytes(4) + entries
    mark = b"\xff\xe2" + struct.pack(">H", len(payload) + 2) + payload
    return first[:2] + mark + first[2:] + second


@pytest.mark.parametrize(("kind", "told"), [(0x10001, False), (0x10002, False), (0, True)])
def test_second_pictures_are_told_of_unless_they_are_previews(
    tmp_path: Path, kind: int, told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "in.jpg").write_bytes(previews(kind))
    read_photo(tmp_path / "in.jpg")
    assert ("another picture" in caplog.text) == told
