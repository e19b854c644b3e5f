from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from unfade.data.sources import (
    CleanPhoto,
    LabelMap,
    Stored,
    fingerprint,
    hold_out,
    load_folders,
    load_photos,
)
from unfade.errors import InputError

Encode = Callable[..., bytes]
MakeShard = Callable[..., Path]


def test_load_photos_reads_shards_with_their_captions(
    make_shard: MakeShard, encode: Encode, tmp_path: Path
) -> None:
    make_shard("b.tar", {"two.png": encode(2), "one.jpg": encode(1, suffix=".jpg")})
    make_shard(
        "a.tar",
        {
            "three.json": {"captions": ["a cat", "an animal"]},
            "three.png": encode(3),
            "notes.txt": b"hello",
            "deep/one.png": encode(4),
        },
    )
    (tmp_path / "outside.png").write_bytes(encode(9))
    found = load_photos(tmp_path)
    assert [p.key for p in found] == ["deep/one", "one", "three", "two"]
    assert found[2].captions == ("a cat", "an animal") and found[1].captions == ()


def test_load_photos_reads_folders_in_one_order(encode: Encode, tmp_path: Path) -> None:
    for name in ("z.png", "a.JPG", "b.jfif", "sub/m.webp", "sub/deep/k.tif"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(
            encode(suffix=Path(name).suffix.lower().replace("jfif", "jpg"))
        )
    (tmp_path / "read.me").write_text("no photo")
    (tmp_path / "folder.png").mkdir()
    found = load_photos(tmp_path)
    assert [p.key for p in found] == ["a.JPG", "b.jfif", "sub/deep/k.tif", "sub/m.webp", "z.png"]
    for photo in found:
        rgb = photo.decode()
        assert rgb.shape == (60, 70, 3) and rgb.dtype == np.float32
        assert rgb.min() >= 0 and rgb.max() <= 1


def test_decode_gives_red_first(encode: Encode) -> None:
    import cv2

    blue = np.zeros((4, 4, 3), np.uint8)
    blue[..., 0] = 255  # OpenCV's order
    code = cv2.imencode(".png", blue)[1].tobytes()
    np.testing.assert_array_equal(CleanPhoto("b", code).decode()[0, 0], [0, 0, 1])


@pytest.mark.parametrize("code", [b"", b"no picture at all", b"\xff\xd8\xff"])
def test_decode_refuses_what_is_no_picture(code: bytes) -> None:
    with pytest.raises(InputError, match="'broken'"):
        CleanPhoto("broken", code).decode()


def test_load_photos_refuses_a_missing_empty_or_packed_folder(
    make_shard: MakeShard, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load_photos(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no photos"):
        load_photos(tmp_path)
    make_shard("empty.tar", {"a.json": {"captions": []}})
    with pytest.raises(InputError, match="no photos"):
        load_photos(tmp_path)
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "shard-00.tar.gz").write_bytes(b"")
    with pytest.raises(InputError, match=r"no photos.*unpack shard-00\.tar\.gz"):
        load_photos(tmp_path / "packed")


def test_load_photos_takes_label_maps_for_no_photos(
    make_shard: MakeShard, encode: Encode, tmp_path: Path
) -> None:
    names = ["a.png", "a.labels.png", "b.v2.png"]
    make_shard("people.tar", {name: encode() for name in names})
    assert [photo.key for photo in load_photos(tmp_path)] == ["a", "b.v2"]


def test_load_photos_names_the_damaged_shard(
    make_shard: MakeShard, encode: Encode, tmp_path: Path
) -> None:
    make_shard("fine.tar", {"a.png": encode()})
    path = make_shard("short.tar", {"b.png": encode(1, 300, 300)})
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"short\.tar: got a damaged shard"):
        load_photos(tmp_path)
    path.write_bytes(b"no tar" * 400)
    with pytest.raises(InputError, match=r"short\.tar"):
        load_photos(tmp_path)


@pytest.mark.parametrize("text", [b"{", b"[1]"])
def test_load_photos_refuses_captions_that_are_no_json(
    make_shard: MakeShard, encode: Encode, tmp_path: Path, text: bytes
) -> None:
    make_shard("a.tar", {"a.png": encode(), "a.json": text})
    with pytest.raises(InputError, match=r"a\.tar"):
        load_photos(tmp_path)


def test_hold_out_parts_photos_evenly_unless_they_are_few() -> None:
    photos = [CleanPhoto(f"{i:03}", b"") for i in range(100)]
    train, checked = hold_out(photos, 4)
    assert [p.key for p in checked] == ["012", "037", "062", "087"]
    assert sorted([*train, *checked], key=lambda p: p.key) == photos
    assert len(hold_out(photos)[1]) == 10  # a tenth at most
    photos = [CleanPhoto(str(i), b"") for i in range(9)]
    assert hold_out(photos) == (photos, photos)


def test_fingerprint_changes_with_pixels_and_captions_alone() -> None:
    photos = [CleanPhoto("a", b"12", ("x",)), CleanPhoto("b", b"3")]
    assert fingerprint(photos) == fingerprint(list(photos))
    others = (
        [photos[1], photos[0]],
        [CleanPhoto("a", b"1", ("x",)), CleanPhoto("b", b"23")],
        [CleanPhoto("a", b"12", ("y",)), photos[1]],
        [CleanPhoto("c", b"12", ("x",)), photos[1]],
    )
    assert len({fingerprint(p) for p in (photos, *others)}) == 5


@pytest.mark.parametrize("captions", [None, "a cat", [1]])
def test_load_photos_refuses_captions_that_are_no_list_of_texts(
    make_shard: MakeShard, encode: Encode, tmp_path: Path, captions: object
) -> None:
    make_shard("a.tar", {"one.json": {"captions": captions}, "one.png": encode(1)})
    with pytest.raises(InputError, match="captions that are no list"):
        load_photos(tmp_path)


@pytest.mark.parametrize("how", ["decode", "short_side", "fingerprint"])
def test_a_photo_that_cannot_be_read_any_more_is_named(
    encode: Encode, tmp_path: Path, how: str
) -> None:
    (tmp_path / "a.png").write_bytes(encode(1))
    photo = load_photos(tmp_path)[0]
    (tmp_path / "a.png").unlink()
    with pytest.raises(InputError, match=r"a\.png"):
        fingerprint([photo]) if how == "fingerprint" else getattr(photo, how)()


def test_photos_stay_in_their_files_until_they_are_decoded(
    make_shard: MakeShard, encode: Encode, tmp_path: Path
) -> None:
    codes = {f"{i}.png": encode(i) for i in range(3)}
    make_shard("a.tar", codes)
    (tmp_path / "plain").mkdir()
    for name, code in codes.items():
        (tmp_path / "plain" / name).write_bytes(code)
    sharded, plain = load_photos(tmp_path), load_photos(tmp_path / "plain")
    for one, other, name in zip(sharded, plain, codes, strict=True):
        assert isinstance(one.source, Stored) and isinstance(other.source, Stored)
        assert one.code == other.code == codes[name]
        assert one.short_side() == other.short_side() == 60


def test_captions_are_the_same_in_every_layout(
    make_shard: MakeShard, encode: Encode, tmp_path: Path
) -> None:
    lines = "a cat\n\n  a gray cat \na cat\n"
    listed = {"file": "a.png", "captions": ["a cat", "a gray cat"]}
    records = [listed, {"file_name": "b/b.jpg", "text": "a dog"}, {"file": "gone.png", "text": "x"}]
    layouts = {
        "txt": {"a.txt": lines.encode(), "b/b.txt": b"a dog", "README.txt": b"\xff no caption"},
        "caption": {"a.caption": b"\xef\xbb\xbf" + lines.encode(), "b/b.caption": b"a dog\r\n"},
        "jsonl": {"captions.jsonl": "\n".join(map(json.dumps, records)).encode()},
        "both": {
            "captions.jsonl": json.dumps(listed).encode(),
            "a.txt": b"a gray cat",
            "b/captions.jsonl": b'{"file": "b.jpg", "caption": "a dog"}',
        },
    }
    for layout, files in layouts.items():
        names = {"a.png": encode(1), "b/b.jpg": encode(2, suffix=".jpg"), **files}
        for name, data in names.items():
            path = tmp_path / layout / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        captions = [photo.captions for photo in load_photos(tmp_path / layout)]
        assert captions == [("a cat", "a gray cat"), ("a dog",)], layout
    shard: dict[str, object] = {"a.png": encode(1), "a.txt": lines.encode()}
    shard |= {"b.jpg": encode(2, suffix=".jpg"), "b.json": {"caption": "a dog"}}
    make_shard("s.tar", shard)
    captions = [photo.captions for photo in load_photos(tmp_path)]
    assert captions == [("a cat", "a gray cat"), ("a dog",)]


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.txt", b"\xff\xfe"), ("captions.jsonl", b'{"file": "a.png", "captions": "a cat"}'),
     ("captions.jsonl", b'{"captions": []}'), ("captions.jsonl", b"[")],
)  # fmt: skip
def test_captions_that_cannot_be_read_are_named(
    encode: Encode, tmp_path: Path, name: str, data: bytes
) -> None:
    (tmp_path / "a.png").write_bytes(encode(1))
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=rf"{name}: got captions that cannot be read"):
        load_photos(tmp_path)


def test_labels_belong_to_their_photo(
    make_shard: MakeShard, encode: Encode, tmp_path: Path
) -> None:
    import cv2

    levels = np.zeros((60, 70), np.uint8)
    levels[:30] = 14
    code = cv2.imencode(".png", levels)[1].tobytes()
    record = {"captions": ["a dress"], "labels": {"0": "null", "14": "dress"}}
    make_shard(
        "a.tar",
        {
            "one.labels.png": code,
            "one.jpg": encode(1, suffix=".jpg"),
            "one.json": record,
            "two.jpg": encode(2, suffix=".jpg"),
            "two.json": {"captions": []},
        },
    )
    one, two = load_photos(tmp_path)
    assert (one.key, two.key, two.labels) == ("one", "two", None)
    assert one.labels is not None and one.labels.names == {0: "null", 14: "dress"}
    np.testing.assert_array_equal(one.labels.decode(), levels)
    assert fingerprint([one]) != fingerprint([CleanPhoto(one.key, one.code, one.captions)])


def test_labels_without_names_or_a_picture_are_refused(
    make_shard: MakeShard, encode: Encode, tmp_path: Path
) -> None:
    make_shard("a.tar", {"one.png": encode(1), "one.json": {"labels": ["dress"]}})
    with pytest.raises(InputError, match="labels that are no table"):
        load_photos(tmp_path)
    with pytest.raises(InputError, match="undecodable map of labels"):
        LabelMap(b"none", {}).decode()


def test_load_folders_joins_folders_in_the_order_of_their_keys(
    encode: Encode, tmp_path: Path
) -> None:
    for folder, names in (("b", "ac"), ("a", "b")):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / f"{name}.png").write_bytes(encode())
    found = load_folders([tmp_path / "b", tmp_path / "a"])
    assert [photo.key for photo in found] == ["a.png", "b.png", "c.png"]
