"""Coordinates inside metadata follow the pixels when a photo is turned or enlarged."""

from __future__ import annotations

import struct
from pathlib import Path
from xml.dom import minidom

import numpy as np
import pytest
from PIL import Image

from unfade.convert import from_pillow
from unfade.imaging import exif, ifd, read_photo, write_photo

WIDTH, HEIGHT = 60, 40  # of the pixels as the file stores them
_NAMESPACES = (
    ' xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"'
    ' xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#"'
    ' xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#"'
    ' xmlns:exif="http://ns.adobe.com/exif/1.0/"'
    ' xmlns:MP="http://ns.microsoft.com/photo/1.2/"'
    ' xmlns:MPRI="http://ns.microsoft.com/photo/1.2/t/RegionInfo#"'
    ' xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#"'
    ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    ' xmlns:GPano="http://ns.google.com/photos/1.0/panorama/"'
)


def packet(body: str) -> bytes:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about=""{_NAMESPACES}>{body}</rdf:Description>'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()


def faces(area: str, dimensions: tuple[int, int] = (WIDTH, HEIGHT)) -> bytes:
    """A packet with one named face; `area` holds the attributes of its area."""
    return packet(
        '<mwg-rs:Regions rdf:parseType="Resource">'
        f'<mwg-rs:AppliedToDimensions stDim:w="{dimensions[0]}" stDim:h="{dimensions[1]}"'
        ' stDim:unit="pixel"/><mwg-rs:RegionList><rdf:Bag><rdf:li>'
        '<rdf:Description mwg-rs:Name="Ann" mwg-rs:Type="Face">'
        f"<mwg-rs:Area {area}/></rdf:Description></rdf:li></rdf:Bag></mwg-rs:RegionList>"
        "</mwg-rs:Regions>"
    )


def camera_block(orientation: int, area: list[int]) -> bytes:
    """EXIF with an orientation, a subject area and a subject location."""
    camera = ifd.Directory()
    camera.entries[0x9214] = ifd.numbers(0x9214, ifd.SHORT, area, "<")
    camera.entries[0xA214] = ifd.numbers(0xA214, ifd.SHORT, area[:2], "<")
    first = ifd.Directory(children={ifd.EXIF_IFD: camera})
    first.entries[0x112] = ifd.numbers(0x112, ifd.SHORT, [orientation], "<")
    return exif.block(first, "<")


def stored(path: Path, orientation: int, xmp: bytes, area: list[int] | None = None) -> Path:
    block = camera_block(orientation, area or [10, 5, 8, 4])
    pixels = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    Image.fromarray(pixels).save(path, exif=b"Exif\0\0" + block, xmp=xmp)
    return path


def attributes(data: bytes | None, name: str) -> dict[str, str]:
    """The attributes of the first element of this name, without its namespaces."""
    assert data is not None
    (element, *_) = minidom.parseString(data).getElementsByTagName(name)
    return {key: value for key, value in element.attributes.items() if not key.startswith("xmlns")}


def area_of(data: bytes | None) -> tuple[float, ...]:
    found = attributes(data, "mwg-rs:Area")
    return tuple(float(found[f"stArea:{key}"]) for key in "xywh")


def restored(tmp_path: Path, source: Path, scale: int = 1, suffix: str = ".jpg") -> Path:
    """The photo read and written again, `scale` times as large."""
    photo = read_photo(source)
    out = photo.blank(size=(photo.height * scale, photo.width * scale))
    write_photo(tmp_path / f"out{suffix}", out)
    return tmp_path / f"out{suffix}"


NORMALISED = 'stArea:x="0.3" stArea:y="0.2" stArea:w="0.1" stArea:h="0.25" stArea:unit="normalized"'


@pytest.mark.parametrize(
    ("orientation", "area", "dimensions"),
    [
        (1, (0.3, 0.2, 0.1, 0.25), (60, 40)),
        (2, (0.7, 0.2, 0.1, 0.25), (60, 40)),
        (3, (0.7, 0.8, 0.1, 0.25), (60, 40)),
        (4, (0.3, 0.8, 0.1, 0.25), (60, 40)),
        (5, (0.2, 0.3, 0.25, 0.1), (40, 60)),
        (6, (0.8, 0.3, 0.25, 0.1), (40, 60)),
        (7, (0.8, 0.7, 0.25, 0.1), (40, 60)),
        (8, (0.2, 0.7, 0.25, 0.1), (40, 60)),
    ],
)
def test_faces_are_turned_with_the_photo(
    tmp_path: Path, orientation: int, area: tuple[float, ...], dimensions: tuple[int, int]
) -> None:
    out = restored(tmp_path, stored(tmp_path / "in.jpg", orientation, faces(NORMALISED)))
    found = read_photo(out).metadata
    assert found.orientation == 1
    assert area_of(found.xmp) == pytest.approx(area)
    told = attributes(found.xmp, "mwg-rs:AppliedToDimensions")
    assert (told["stDim:w"], told["stDim:h"]) == tuple(map(str, dimensions))


def test_faces_stay_when_they_were_tagged_on_the_upright_photo(tmp_path: Path) -> None:
    xmp = faces(NORMALISED, dimensions=(HEIGHT, WIDTH))
    found = read_photo(stored(tmp_path / "in.jpg", 6, xmp)).metadata.xmp
    assert area_of(found) == pytest.approx((0.3, 0.2, 0.1, 0.25))
    assert attributes(found, "mwg-rs:AppliedToDimensions")["stDim:w"] == str(HEIGHT)


def test_pixel_regions_are_turned_and_enlarged(tmp_path: Path) -> None:
    area = 'stArea:x="15" stArea:y="10" stArea:w="6" stArea:h="8" stArea:unit="pixel"'
    source = stored(tmp_path / "in.jpg", 6, faces(area))
    assert area_of(read_photo(source).metadata.xmp) == (30, 15, 8, 6)
    found = read_photo(restored(tmp_path, source, scale=2)).metadata.xmp
    assert area_of(found) == (60, 30, 16, 12)
    told = attributes(found, "mwg-rs:AppliedToDimensions")
    assert (told["stDim:w"], told["stDim:h"]) == ("80", "120")


def test_fields_may_be_elements(tmp_path: Path) -> None:
    text = faces("@").replace(
        b"<mwg-rs:Area @/>",
        b'<mwg-rs:Area rdf:parseType="Resource"><stArea:x>0.3</stArea:x><stArea:y>0.2</stArea:y>'
        b"<stArea:w>0.1</stArea:w><stArea:h>0.25</stArea:h></mwg-rs:Area>",
    )
    found = read_photo(stored(tmp_path / "in.jpg", 8, text)).metadata.xmp
    assert found is not None
    for field in (b"x>0.2<", b"y>0.7<", b"w>0.25<", b"h>0.1<"):
        assert b"<stArea:" + field in found


@pytest.mark.parametrize(
    ("orientation", "area", "turned"),
    [
        (3, [10, 5], [49, 34]),
        (6, [10, 5, 7], [34, 10, 7]),
        (6, [10, 5, 8, 4], [34, 10, 4, 8]),
        (8, [10, 5, 8, 4], [5, 49, 4, 8]),
    ],
)
def test_subject_area_is_turned(
    tmp_path: Path, orientation: int, area: list[int], turned: list[int]
) -> None:
    xmp = packet(
        f"<exif:SubjectArea><rdf:Seq>{''.join(f'<rdf:li>{n}</rdf:li>' for n in area)}</rdf:Seq>"
        "</exif:SubjectArea>"
    )
    source = stored(tmp_path / "in.jpg", orientation, xmp, area)
    for scale in (1, 3):
        found = read_photo(restored(tmp_path, source, scale)).metadata
        values = [scale * n for n in turned]
        assert found.xmp is not None and found.exif is not None
        items = minidom.parseString(found.xmp).getElementsByTagName("rdf:li")
        assert [int(i.firstChild.data) for i in items] == values  # type: ignore[union-attr]
        tags = Image.Exif()
        tags.load(b"Exif\0\0" + found.exif)
        camera = tags.get_ifd(0x8769)
        assert list(camera[0x9214]) == values and list(camera[0xA214]) == values[:2]


def test_regions_of_microsoft_and_iptc_are_turned(tmp_path: Path) -> None:
    xmp = packet(
        '<MP:RegionInfo rdf:parseType="Resource"><MPRI:Regions><rdf:Bag>'
        '<rdf:li MPReg:Rectangle="0.1, 0.2, 0.3, 0.4" MPReg:PersonDisplayName="Ann"/>'
        "</rdf:Bag></MPRI:Regions></MP:RegionInfo>"
        "<Iptc4xmpExt:ImageRegion><rdf:Bag>"
        '<rdf:li rdf:parseType="Resource"><Iptc4xmpExt:RegionBoundary'
        ' Iptc4xmpExt:rbShape="rectangle" Iptc4xmpExt:rbUnit="relative" Iptc4xmpExt:rbX="0.1"'
        ' Iptc4xmpExt:rbY="0.2" Iptc4xmpExt:rbW="0.3" Iptc4xmpExt:rbH="0.4"/></rdf:li>'
        '<rdf:li rdf:parseType="Resource"><Iptc4xmpExt:RegionBoundary rdf:parseType="Resource">'
        "<Iptc4xmpExt:rbShape>polygon</Iptc4xmpExt:rbShape>"
        "<Iptc4xmpExt:rbUnit>pixel</Iptc4xmpExt:rbUnit><Iptc4xmpExt:rbVertices><rdf:Seq>"
        '<rdf:li Iptc4xmpExt:rbX="12" Iptc4xmpExt:rbY="6"/>'
        "</rdf:Seq></Iptc4xmpExt:rbVertices></Iptc4xmpExt:RegionBoundary></rdf:li>"
        "</rdf:Bag></Iptc4xmpExt:ImageRegion>"
    )
    source = stored(tmp_path / "in.jpg", 6, xmp)
    found = read_photo(restored(tmp_path, source, scale=2)).metadata.xmp
    assert found is not None
    assert b'MPReg:Rectangle="0.4, 0.1, 0.4, 0.3"' in found
    box = attributes(found, "Iptc4xmpExt:RegionBoundary")
    assert [box[f"Iptc4xmpExt:rb{key}"] for key in "XYWH"] == ["0.4", "0.1", "0.4", "0.3"]
    assert b'rbX="68"' in found and b'rbY="24"' in found


def test_measures_of_a_panorama_are_enlarged(tmp_path: Path) -> None:
    xmp = packet("<GPano:FullPanoWidthPixels>60</GPano:FullPanoWidthPixels>").replace(
        b'rdf:about=""', b'rdf:about="" GPano:CroppedAreaTopPixels="7"'
    )
    found = read_photo(restored(tmp_path, stored(tmp_path / "in.jpg", 1, xmp), 4)).metadata.xmp
    assert found is not None
    assert b"PanoWidthPixels>240<" in found and b'CroppedAreaTopPixels="28"' in found


def test_nonsense_in_the_regions_is_left_as_it_is(tmp_path: Path) -> None:
    area = 'stArea:x="left" stArea:y="nan" stArea:w="0.1" stArea:h="0.25"'
    found = read_photo(stored(tmp_path / "in.jpg", 6, faces(area))).metadata.xmp
    assert attributes(found, "mwg-rs:Area")["stArea:x"] == "left"
    broken = ifd.Directory(children={ifd.EXIF_IFD: ifd.Directory()})
    broken.children[ifd.EXIF_IFD].entries[0x9214] = ifd.Entry(0x9214, 2, struct.pack("4s", b"abc"))
    broken.entries[0x112] = ifd.numbers(0x112, ifd.SHORT, [6], "<")
    assert exif.refresh(exif.block(broken, "<"), height=60, width=40) is not None


def test_pillow_images_keep_their_regions(tmp_path: Path) -> None:
    with Image.open(stored(tmp_path / "in.jpg", 6, faces(NORMALISED))) as image:
        photo = from_pillow(image, max_pixels=10**6)
    assert (photo.height, photo.width) == (WIDTH, HEIGHT)
    assert area_of(photo.metadata.xmp) == pytest.approx((0.8, 0.3, 0.25, 0.1))
    tags = Image.Exif()
    assert photo.metadata.exif is not None
    tags.load(b"Exif\0\0" + photo.metadata.exif)
    assert list(tags.get_ifd(0x8769)[0x9214]) == [34, 10, 4, 8]
