from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image

from unfade.errors import OutputError, UsageError
from unfade.imaging import SUFFIXES, Metadata, Photo, formats, iptc, read_photo, write_photo
from unfade.imaging.write_png import encode, filtered

Array = NDArray[Any]
Encode = Callable[..., bytes]
png_decode: Any = imagecodecs.png_decode
EXACT = (".png", ".tif")
OURS = '<rdf:Description xmlns:u="http://example.org/u/" u:how="unfade"/>'


def photo(native: Array, alpha: Array | None = None, **metadata: Any) -> Photo:
    base = Metadata(exif=None, icc=None, xmp=None, dpi=None, format="PNG")
    return Photo(native, alpha, replace(base, **metadata))


def eight(pixels: Array) -> Array:
    return np.ascontiguousarray((pixels >> 8).astype(np.uint8))


def exif() -> bytes:
    info = Image.Exif()
    info[0x10F], info[0x112] = "A camera maker", 6
    info.get_ifd(0x8769)[0x9003] = "1999:12:31 23:59:59"
    info.get_ifd(0x8769)[0xA002] = 9
    info.get_ifd(0x8825)[1] = "N"
    info.get_ifd(0x8825)[2] = (52.0, 30.0, 0.0)
    return info.tobytes().removeprefix(b"Exif\0\0")


# --- pixels ------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", EXACT)
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("alpha", [False, True])
def test_png_and_tiff_are_exact(
    suffix: str, depth: int, channels: int, alpha: bool, deep: Array, tmp_path: Path
):
    pixels = deep if depth == 16 else eight(deep)
    before = photo(pixels[..., :channels], pixels[..., 3] if alpha else None)
    path = tmp_path / f"a{suffix}"
    write_photo(path, before)
    after = read_photo(path)
    np.testing.assert_array_equal(after.native, before.native)
    assert after.native.dtype == before.native.dtype
    assert (after.alpha is None) == (not alpha)
    if alpha:
        np.testing.assert_array_equal(after.alpha, before.alpha)
    if suffix == ".png":
        seen = png_decode(path.read_bytes())
        np.testing.assert_array_equal(seen.reshape(48, 64, -1)[..., :channels], before.native)
    else:
        seen = tifffile.imread(path)
        np.testing.assert_array_equal(seen.reshape(48, 64, -1)[..., :channels], before.native)


@pytest.mark.parametrize("compression", ["none", "lzw", "deflate", "zstd", "jpeg", ""])
@pytest.mark.parametrize("big_endian", [False, True])
def test_tiff_keeps_its_compression(
    compression: str, big_endian: bool, deep: Array, tmp_path: Path
):
    tags = Image.Exif()
    tags[0x10F] = "maker"
    tags.endian = ">" if big_endian else "<"
    block = tags.tobytes().removeprefix(b"Exif\0\0")
    pixels = np.tile(deep, (30, 1, 1))
    before = photo(pixels[..., :3], pixels[..., 3], compression=compression, exif=block)
    write_photo(tmp_path / "a.tif", before)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), pixels)
    found = read_photo(tmp_path / "a.tif").metadata.compression
    assert found == (compression if compression in ("none", "lzw", "zstd") else "deflate")


def test_tiff_of_cmyk_keeps_inks_and_profile(
    deep: Array, profiles: dict[str, bytes], tmp_path: Path
):
    write_photo(tmp_path / "a.tif", photo(deep, icc=profiles["cmyk"]))
    after = read_photo(tmp_path / "a.tif")
    np.testing.assert_array_equal(after.native, deep)
    assert after.metadata.icc == profiles["cmyk"]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_jpeg_is_close_and_444(channels: int, picture: Array, tmp_path: Path):
    smooth = np.asarray(Image.fromarray(picture[8:, 8:]).resize((200, 160)))
    native = {1: smooth[..., :1], 3: smooth, 4: np.dstack([smooth, smooth[..., 0] // 2])}[channels]
    write_photo(tmp_path / "a.jpg", photo(np.ascontiguousarray(native)))
    after = read_photo(tmp_path / "a.jpg")
    assert np.abs(after.native.astype(int) - native).mean() < 1.5
    image: Any = Image.open(tmp_path / "a.jpg")
    assert image.mode == {1: "L", 3: "RGB", 4: "CMYK"}[channels]
    assert {layer[1:3] for layer in image.layer} == {(1, 1)}


@pytest.mark.parametrize("alpha", [False, True])
def test_webp_is_lossless_where_the_input_was(alpha: bool, deep: Array, tmp_path: Path):
    pixels = eight(deep)
    before = photo(pixels[..., :3], pixels[..., 3] if alpha else None, lossless=True)
    write_photo(tmp_path / "a.webp", before)
    after = read_photo(tmp_path / "a.webp")
    np.testing.assert_array_equal(after.native, before.native)
    assert after.metadata.lossless
    if alpha:
        np.testing.assert_array_equal(after.alpha, before.alpha)
    write_photo(tmp_path / "b.webp", photo(pixels[..., :3]))
    assert not read_photo(tmp_path / "b.webp").metadata.lossless


@pytest.mark.parametrize("channels", [1, 3])
def test_bmp_is_exact(channels: int, picture: Array, tmp_path: Path):
    before = photo(np.ascontiguousarray(picture[..., :channels]), dpi=(300, 300))
    write_photo(tmp_path / "a.bmp", before)
    after = read_photo(tmp_path / "a.bmp")
    np.testing.assert_array_equal(after.native, before.native)
    assert after.metadata.dpi == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_a_density_that_is_not_known_is_not_invented(suffix: str, picture: Array, tmp_path: Path):
    write_photo(tmp_path / f"a{suffix}", photo(picture))
    assert read_photo(tmp_path / f"a{suffix}").metadata.dpi is None


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_the_smallest_and_thinnest_photos(suffix: str, size: tuple[int, int], tmp_path: Path):
    path = tmp_path / f"a{suffix.upper()}"
    write_photo(path, photo(np.full((*size, 3), 77, np.uint8)))
    assert read_photo(path).native.shape == (*size, 3)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([np.uint8, np.uint16]).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=3, max_dims=3, max_side=4))
    ),
    st.integers(1, 3),
)
def test_our_png_is_what_libpng_reads(pixels: Array, step: int):
    stream = io.BytesIO()
    height, width, samples = pixels.shape
    blocks = [pixels[top : top + step] for top in range(0, height, step)]
    encode(stream, height, width, samples, pixels.itemsize * 8, blocks)
    seen = png_decode(stream.getvalue())
    np.testing.assert_array_equal(seen.reshape(pixels.shape), pixels)


def test_every_png_filter_is_used(picture: Array):
    rng = np.random.default_rng(0)
    rows = np.stack(
        [
            rng.integers(0, 2, 300) * 255,  # noise: none
            np.arange(300) % 256,  # a ramp: left
            np.arange(300) % 256,  # as the row above: up
            rng.integers(0, 2, 300) * 3,
        ]
    ).astype(np.uint8)
    filters = {
        row[0]
        for row in np.frombuffer(filtered(rows, np.zeros(300, np.uint8), 3), np.uint8).reshape(
            4, 301
        )
    }
    photo_rows = picture[8:].reshape(40, -1)
    filters |= {
        row[0]
        for row in np.frombuffer(
            filtered(photo_rows, np.zeros(192, np.uint8), 3), np.uint8
        ).reshape(40, 193)
    }
    assert filters >= {1, 2, 4}


# --- what a format cannot hold -----------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".bmp"])
def test_16_bit_is_reduced_with_a_warning(
    suffix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    values = np.array([0, 128, 129, 32768, 65535], np.uint16)  # 128 / 257 is just below a half
    native = np.repeat(values[:, None, None], 8, axis=1).repeat(3, axis=2)
    write_photo(tmp_path / f"a{suffix}", photo(native, lossless=True))
    after = read_photo(tmp_path / f"a{suffix}")
    assert after.native.dtype == np.uint8
    if suffix != ".jpg":
        assert after.native[:, 0, 0].tolist() == [0, 0, 1, 128, 255]
    assert "cannot hold 16-bit" in caplog.text


@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
def test_transparency_is_dropped_with_a_warning(
    suffix: str, deep: Array, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    pixels = eight(deep)
    write_photo(tmp_path / f"a{suffix}", photo(pixels[..., :3], pixels[..., 3]))
    assert read_photo(tmp_path / f"a{suffix}").alpha is None
    assert "cannot hold transparency" in caplog.text
    caplog.clear()
    opaque = np.full_like(pixels[..., 3], 255)
    write_photo(tmp_path / f"a{suffix}", photo(pixels[..., :3], opaque))
    assert not caplog.text


@pytest.mark.parametrize("suffix", [".png", ".webp", ".bmp"])
@pytest.mark.parametrize("profile", [None, "cmyk"])
def test_cmyk_becomes_srgb_where_there_is_no_ink(
    suffix: str, profile: str | None, profiles: dict[str, bytes], tmp_path: Path
):
    ink = np.zeros((16, 16, 4), np.uint8)
    ink[:8, :, 1], ink[8:, :, 3] = 255, 255
    before = photo(ink, icc=profiles[profile] if profile else None, lossless=True)
    write_photo(tmp_path / f"a{suffix}", before)
    after = read_photo(tmp_path / f"a{suffix}")
    assert after.metadata.icc is None and after.native.shape == (16, 16, 3)
    assert np.abs(after.native[2, 2].astype(int) - [255, 0, 255]).max() < 8
    assert after.native[12, 2].max() < 8


def test_a_profile_is_applied_where_it_cannot_be_embedded(
    picture: Array, profiles: dict[str, bytes], tmp_path: Path
):
    before = photo(picture, icc=profiles["p3"])
    write_photo(tmp_path / "a.bmp", before)
    expected = before.srgb(slice(None), slice(None)) * 255
    assert np.abs(read_photo(tmp_path / "a.bmp").native - expected).max() <= 0.51


def test_premultiplied_alpha_stays_so_in_tiff_and_is_divided_for_png(tmp_path: Path):
    native = np.full((4, 4, 3), 50, np.uint8)
    before = photo(native, np.full((4, 4), 100, np.uint8), alpha_kind=1)
    write_photo(tmp_path / "a.tif", before)
    after = read_photo(tmp_path / "a.tif")
    assert after.metadata.alpha_kind == 1 and (after.native == 50).all()
    write_photo(tmp_path / "a.png", after)
    assert (read_photo(tmp_path / "a.png").native == 128).all()


# --- metadata ----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("name", ["p3", "gray"])
def test_metadata_goes_from_every_format_to_every_format(
    suffix: str, name: str, picture: Array, profiles: dict[str, bytes], tmp_path: Path
):
    native = picture[..., :1].copy() if name == "gray" else picture
    before = photo(native, exif=exif(), icc=profiles[name], dpi=(300, 200))
    write_photo(tmp_path / f"a{suffix}", before, xmp=OURS)
    for second in (".jpg", ".png", ".tif", ".webp"):
        middle = read_photo(tmp_path / f"a{suffix}")
        write_photo(tmp_path / f"b{second}", middle)
        after = read_photo(tmp_path / f"b{second}")
        flat = name == "gray" and ".webp" in (suffix, second)  # WebP has no gray
        assert after.metadata.icc == (None if flat else profiles[name])
        assert after.metadata.dpi == pytest.approx((300, 200), abs=0.1)
        assert b'u:how="unfade"' in (after.metadata.xmp or b"")
        info = Image.open(tmp_path / f"b{second}").getexif()
        assert (info[0x10F], info[0x112]) == ("A camera maker", 1)
        assert info.get_ifd(0x8769)[0x9003] == "1999:12:31 23:59:59"
        assert info.get_ifd(0x8769)[0xA002] == 64
        assert info.get_ifd(0x8825) == {1: "N", 2: (52.0, 30.0, 0.0)}


def test_png_text_and_gamma_are_kept(picture: Array, encoded: Encode, tmp_path: Path):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Title", "Grandmother")
    info.add_itxt("Comment", "Glück", zip=True)
    info.add(b"gAMA", (45455).to_bytes(4, "big"))
    (tmp_path / "a.png").write_bytes(encoded(Image.fromarray(picture), "PNG", pnginfo=info))
    write_photo(tmp_path / "b.png", read_photo(tmp_path / "a.png"))
    again: Any = Image.open(tmp_path / "b.png")
    again.load()
    assert again.text == {"Title": "Grandmother", "Comment": "Glück"}
    assert again.info["gamma"] == pytest.approx(0.45455)


def test_captions_and_comments_of_jpeg_are_kept(picture: Array, encoded: Encode, tmp_path: Path):
    records = b"\x1c\x02\x78\x00\x0bGrandmother"
    image = Image.fromarray(picture)
    data = encoded(image, "JPEG", quality=95, comment="by hand", extra=iptc.segment(records))
    (tmp_path / "a.jpg").write_bytes(data)
    before = read_photo(tmp_path / "a.jpg")
    assert (before.metadata.iptc, before.metadata.comment) == (records, b"by hand")
    write_photo(tmp_path / "b.jpg", before)
    assert read_photo(tmp_path / "b.jpg").metadata == before.metadata
    write_photo(tmp_path / "c.tif", before)
    assert read_photo(tmp_path / "c.tif").metadata.iptc == records


def test_exif_and_iptc_too_large_for_jpeg_are_reduced_with_a_warning(
    picture: Array, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    info = Image.Exif()
    info[0x10F] = "maker"
    info.get_ifd(0x8769)[0x927C] = bytes(70000)
    block = info.tobytes().removeprefix(b"Exif\0\0")
    before = photo(picture, exif=block, iptc=bytes(70000))
    write_photo(tmp_path / "a.jpg", before, xmp=OURS.replace("unfade", "x" * 70000))
    after = read_photo(tmp_path / "a.jpg")
    assert after.metadata.xmp is not None and after.metadata.iptc is None
    assert b"x" * 70000 in after.metadata.xmp  # as extended XMP
    assert Image.open(tmp_path / "a.jpg").getexif()[0x10F] == "maker"
    assert caplog.text.count("does not fit") == 2


def test_a_turned_photo_is_written_upright(picture: Array, encoded: Encode, tmp_path: Path):
    info = Image.Exif()
    info[0x112] = 6
    for kind, suffix in (("PNG", ".png"), ("TIFF", ".tif"), ("JPEG", ".jpg")):
        path = tmp_path / f"a{suffix}"
        path.write_bytes(encoded(Image.fromarray(picture), kind, exif=info))
        before = read_photo(path)
        write_photo(tmp_path / f"b{suffix}", before)
        after = read_photo(tmp_path / f"b{suffix}")
        assert (after.height, after.width, after.metadata.orientation) == (64, 48, 1)
        if suffix != ".jpg":
            np.testing.assert_array_equal(after.native, before.native)


# --- what can go wrong -------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".bmp"])
def test_nothing_is_left_after_ctrl_c(
    suffix: str, picture: Array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class Stopped(io.BufferedRandom):
        def write(self, data: Any) -> int:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "fdopen", lambda fd, *_, **__: Stopped(io.FileIO(fd, "w+b")))
    with pytest.raises(KeyboardInterrupt):
        write_photo(tmp_path / f"a{suffix}", photo(picture))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs /dev/full")
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".bmp"])
def test_a_full_disk(suffix: str, deep: Array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = os.fdopen

    def fdopen(descriptor: int, *arguments: Any, **options: Any) -> Any:
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, descriptor)
        os.close(full)
        return real(descriptor, "wb", **options)

    monkeypatch.setattr(os, "fdopen", fdopen)
    with pytest.raises(OutputError, match=r"no room left on the disk.*free some space"):
        write_photo(tmp_path / f"a{suffix}", photo(eight(np.tile(deep, (9, 9, 1)))[..., :3]))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_does_not_exist(picture: Array, tmp_path: Path):
    with pytest.raises(OutputError, match="no such folder"):
        write_photo(tmp_path / "none" / "a.png", photo(picture))


@pytest.mark.parametrize(("name", "got"), [("a.gif", "'.gif'"), ("a", "no suffix")])
def test_a_suffix_of_no_known_format(name: str, got: str, picture: Array, tmp_path: Path):
    with pytest.raises(OutputError, match=f"{got}.*\\.png"):
        write_photo(tmp_path / name, photo(picture))


def test_a_suffix_that_is_only_read(
    picture: Array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(formats.FORMATS, ".gif", "GIF")
    with pytest.raises(OutputError, match=r"'\.gif'.*\.bmp .*\.webp"):
        write_photo(tmp_path / "a.gif", photo(picture))


@pytest.mark.parametrize(("suffix", "side"), [(".jpg", 70000), (".webp", 17000)])
def test_a_photo_too_large_for_its_format(suffix: str, side: int, tmp_path: Path):
    path = tmp_path / f"a{suffix}"
    with pytest.raises(OutputError, match=f"{side} x 1.*write PNG or TIFF") as caught:
        write_photo(path, photo(np.zeros((1, side, 3), np.uint8)))
    assert caught.value.path == path
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("quality", [0, 101])
def test_quality_has_limits(quality: int, picture: Array, tmp_path: Path):
    with pytest.raises(UsageError, match="1 to 100"):
        write_photo(tmp_path / "a.jpg", photo(picture), quality=quality)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are Unicode there")
def test_a_name_that_is_not_utf8(picture: Array, tmp_path: Path):
    for suffix in (b".jpg", b".png", b".tif", b".webp", b".bmp"):
        path = tmp_path / os.fsdecode(b"caf\xe9" + suffix)
        write_photo(path, photo(picture))
        assert read_photo(path).width == 64


def test_writing_holds_no_second_copy(tmp_path: Path):
    import tracemalloc

    native = np.random.default_rng(0).integers(0, 65536, (1000, 3000, 3), np.uint16)
    before = photo(native, np.full((1000, 3000), 9, np.uint16))
    for suffix in EXACT:
        tracemalloc.start()
        write_photo(tmp_path / f"a{suffix}", before)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2.5 * native.nbytes
