from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageOps

from unfade.imaging import read_photo
from unfade.imaging.read_png import read_png

Array = NDArray[Any]
Encode = Callable[..., bytes]
png_encode: Any = imagecodecs.png_encode


def saved(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def same(path: Path, native: Array, alpha: Array | None = None) -> None:
    """Asserts that the photo of a file is these pixels."""
    photo = read_photo(path)
    native = native if native.ndim == 3 else native[..., None]
    np.testing.assert_array_equal(photo.native, native)
    assert photo.native.dtype == native.dtype
    assert photo.native.flags.c_contiguous
    if alpha is None:
        assert photo.alpha is None
    else:
        np.testing.assert_array_equal(photo.alpha, alpha)


# --- PNG ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("samples", [1, 2, 3, 4])
@pytest.mark.parametrize("depth", [8, 16])
def test_png_of_every_kind(samples: int, depth: int, deep: Array, tmp_path: Path):
    pixels = deep[..., {1: [0], 2: [0, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[samples]]
    pixels = pixels if depth == 16 else (pixels >> 8).astype(np.uint8)
    pixels = np.ascontiguousarray(pixels)
    colours = samples - (samples in (2, 4))
    path = saved(tmp_path / "a.png", png_encode(pixels[..., 0] if samples == 1 else pixels))
    same(path, pixels[..., :colours], pixels[..., -1] if samples in (2, 4) else None)


def test_png_with_a_palette_becomes_rgb(picture: Array, encoded: Encode, tmp_path: Path):
    image = Image.fromarray(picture).quantize(16)
    path = saved(tmp_path / "a.png", encoded(image, "PNG"))
    same(path, np.asarray(image.convert("RGB")))


def test_png_with_a_gray_palette_is_gray(picture: Array, encoded: Encode, tmp_path: Path):
    image = Image.fromarray(picture).convert("L").quantize(16)
    path = saved(tmp_path / "a.png", encoded(image, "PNG"))
    same(path, np.asarray(image.convert("L")))
    path = saved(tmp_path / "b.png", encoded(image, "PNG", transparency=3))
    photo = read_photo(path)
    assert photo.gray and photo.alpha is not None
    np.testing.assert_array_equal(photo.alpha == 0, np.asarray(image) == 3)


def test_png_with_a_transparent_palette_becomes_rgba(
    picture: Array, encoded: Encode, tmp_path: Path
):
    image = Image.fromarray(picture).quantize(16)
    path = saved(tmp_path / "a.png", encoded(image, "PNG", transparency=bytes(range(0, 160, 10))))
    alpha = np.minimum(np.asarray(image).astype(int) * 10, 255).astype(np.uint8)
    same(path, np.asarray(image.convert("RGB")), alpha)


def test_png_of_one_bit_is_8_bit_gray(picture: Array, encoded: Encode, tmp_path: Path):
    image = Image.fromarray(picture).convert("1")
    same(saved(tmp_path / "a.png", encoded(image, "PNG")), np.asarray(image).astype(np.uint8) * 255)


# --- JPEG, WebP, BMP ---------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_of_every_kind(
    mode: str, progressive: bool, picture: Array, encoded: Encode, tmp_path: Path
):
    image = Image.fromarray(picture).convert(mode)
    path = saved(tmp_path / "a.jpg", encoded(image, "JPEG", progressive=progressive))
    same(path, np.asarray(Image.open(path)))


def test_jpeg_of_several_pictures_gives_the_first(picture: Array, encoded: Encode, tmp_path: Path):
    other = Image.fromarray(255 - picture)
    data = encoded(
        Image.fromarray(picture), "MPO", quality=95, save_all=True, append_images=[other]
    )
    path = saved(tmp_path / "a.jpg", data)
    assert np.abs(read_photo(path).native.astype(int) - picture).mean() < 8


@pytest.mark.parametrize("alpha", [False, True])
def test_webp_without_loss(alpha: bool, deep: Array, encoded: Encode, tmp_path: Path):
    pixels = (deep >> 8).astype(np.uint8)[..., : 4 if alpha else 3]
    data = encoded(Image.fromarray(pixels), "WEBP", lossless=True, exact=True)
    path = saved(tmp_path / "a.webp", data)
    same(path, pixels[..., :3], pixels[..., 3] if alpha else None)
    assert read_photo(path).metadata.lossless
    lossy = saved(tmp_path / "b.webp", encoded(Image.fromarray(pixels), "WEBP", quality=90))
    assert not read_photo(lossy).metadata.lossless


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_bmp_of_every_kind(mode: str, picture: Array, encoded: Encode, tmp_path: Path):
    image = Image.fromarray(picture).convert(mode)
    path = saved(tmp_path / "a.bmp", encoded(image, "BMP"))
    same(path, np.asarray(image.convert("L" if mode in ("1", "L") else "RGB")))


# --- TIFF --------------------------------------------------------------------------------------


def tiff(path: Path, pixels: Array, **options: Any) -> Path:
    tifffile.imwrite(path, pixels, **{"metadata": None, **options})
    return path


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"rowsperstrip": 7},
        {"compression": "zlib", "predictor": True, "rowsperstrip": 5},
        {"compression": "lzw"},
        {"compression": "packbits"},
        {"compression": "zstd"},
        {"tile": (16, 32)},
        {"tile": (32, 16), "compression": "zlib"},
        {"byteorder": ">"},
        {"byteorder": ">", "compression": "zlib", "predictor": True},
        {"bigtiff": True},
        {"planarconfig": "separate"},
        {"planarconfig": "separate", "tile": (16, 16), "compression": "lzw"},
    ],
)
def test_tiff_layouts(depth: int, options: dict[str, Any], deep: Array, tmp_path: Path):
    pixels = deep if depth == 16 else (deep >> 8).astype(np.uint8)
    pixels = pixels[..., :3]
    if options.get("planarconfig"):
        stored = np.ascontiguousarray(np.moveaxis(pixels, 2, 0))
    else:
        stored = pixels
    same(tiff(tmp_path / "a.tif", stored, photometric="rgb", **options), pixels)


@pytest.mark.parametrize("samples", [1, 2, 3, 4])
@pytest.mark.parametrize("planar", [False, True])
def test_tiff_with_and_without_alpha(samples: int, planar: bool, deep: Array, tmp_path: Path):
    pixels = deep[..., {1: [0], 2: [0, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[samples]]
    alpha = samples in (2, 4)
    options: dict[str, Any] = {"photometric": "rgb" if samples > 2 else "minisblack"}
    options |= {"extrasamples": ["unassalpha"]} if alpha else {}
    if samples > 1:
        options["planarconfig"] = "separate" if planar else "contig"
    stored = np.moveaxis(pixels, 2, 0) if planar and samples > 1 else pixels
    path = tiff(tmp_path / "a.tif", np.ascontiguousarray(stored).squeeze(), **options)
    same(path, pixels[..., : samples - alpha], pixels[..., -1] if alpha else None)


def test_tiff_of_cmyk_and_of_white_at_zero(deep: Array, tmp_path: Path):
    same(tiff(tmp_path / "a.tif", deep, photometric="separated"), deep)
    gray = deep[..., 0]
    same(tiff(tmp_path / "a.tif", gray, photometric="miniswhite"), 65535 - gray)


def test_tiff_of_one_bit(picture: Array, tmp_path: Path):
    bits = picture[..., 0] > 100
    path = tiff(tmp_path / "a.tif", bits, photometric="minisblack")
    same(path, bits.astype(np.uint8) * 255)
    path = tiff(tmp_path / "b.tif", bits, photometric="miniswhite")
    same(path, (~bits).astype(np.uint8) * 255)


def test_tiff_of_4_and_12_bits_fills_the_depth(deep: Array, tmp_path: Path):
    four, twelve = (deep[..., 0] >> 12).astype(np.uint8), deep[..., 0] >> 4
    options = {"photometric": "minisblack"}
    same(tiff(tmp_path / "a.tif", four, bitspersample=4, **options), four * 17)
    photo = read_photo(tiff(tmp_path / "b.tif", twelve, bitspersample=12, **options))
    expected = np.round(twelve / 4095 * 65535).astype(int)
    assert np.abs(photo.native[..., 0].astype(int) - expected).max() <= 1


def test_tiff_with_a_palette(picture: Array, tmp_path: Path):
    image = Image.fromarray(picture).quantize(16)
    image.save(tmp_path / "a.tif")
    same(tmp_path / "a.tif", np.asarray(image.convert("RGB")))


def test_tiff_with_jpeg_inside(picture: Array, tmp_path: Path):
    image = Image.fromarray(picture)
    image.save(tmp_path / "a.tif", compression="jpeg", quality=95)
    photo = read_photo(tmp_path / "a.tif")
    assert np.abs(photo.native.astype(int) - np.asarray(Image.open(tmp_path / "a.tif"))).max() <= 2


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_tiff_of_floats_becomes_16_bit(dtype: Any, picture: Array, tmp_path: Path):
    values = (picture / 255).astype(dtype)
    photo = read_photo(tiff(tmp_path / "a.tif", values, photometric="rgb"))
    assert photo.native.dtype == np.uint16
    expected = np.round(values.astype(np.float64) * 65535)
    assert np.abs(photo.native.astype(int) - expected).max() <= 1


def test_tiff_with_a_thumbnail_page_gives_the_photo(picture: Array, tmp_path: Path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(picture, photometric="rgb", metadata=None)
        writer.write(picture[::4, ::4], photometric="rgb", subfiletype=1, metadata=None)
    same(tmp_path / "a.tif", picture)


# --- all formats -------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_orientation_is_applied(
    kind: str, orientation: int, picture: Array, encoded: Encode, tmp_path: Path
):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(Image.fromarray(picture), kind, exif=exif, **options)
    path = saved(tmp_path / "a", data)
    image = Image.open(path)
    same(path, np.asarray(ImageOps.exif_transpose(image)))
    assert read_photo(path).metadata.orientation == orientation


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "BMP"])
@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_the_smallest_and_thinnest_photos(
    kind: str, size: tuple[int, int], encoded: Encode, tmp_path: Path
):
    image = Image.new("RGB", size, (10, 200, 30))
    photo = read_photo(saved(tmp_path / "a", encoded(image, kind)))
    assert (photo.width, photo.height) == size
    assert photo.srgb(slice(None), slice(None)).shape == (size[1], size[0], 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP"])
def test_density_is_read(kind: str, picture: Array, encoded: Encode, tmp_path: Path):
    path = saved(tmp_path / "a", encoded(Image.fromarray(picture), kind, dpi=(300, 600)))
    assert read_photo(path).metadata.dpi == pytest.approx((300, 600), abs=0.1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_density_turns_with_the_photo(kind: str, picture: Array, encoded: Encode, tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(picture), kind, exif=exif, dpi=(300, 600))
    photo = read_photo(saved(tmp_path / "a", data))
    assert photo.metadata.dpi == pytest.approx((600, 300), abs=0.1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_profile_is_read(
    kind: str, picture: Array, encoded: Encode, profiles: dict[str, bytes], tmp_path: Path
):
    data = encoded(Image.fromarray(picture), kind, icc_profile=profiles["p3"])
    assert read_photo(saved(tmp_path / "a", data)).metadata.icc == profiles["p3"]


def test_png_chunks_that_bloat_are_no_danger(picture: Array, encoded: Encode, tmp_path: Path):
    import zlib

    from unfade.imaging import png_chunks

    data = encoded(Image.fromarray(picture), "PNG")
    bomb = png_chunks.pack(
        b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes((64 << 20) + 1))
    )
    path = saved(tmp_path / "a.png", data[:33] + bomb + data[33:])
    same(path, picture)
    assert read_photo(path).metadata.xmp is None
    with path.open("rb") as file:
        assert read_png(path, file, 10**6).width == 64


def test_reading_a_tiff_holds_one_copy(tmp_path: Path):
    import tracemalloc

    pixels = np.random.default_rng(0).integers(0, 65536, (1500, 2000, 3), np.uint16)
    for options in ({}, {"compression": "zlib", "rowsperstrip": 16}, {"tile": (256, 256)}):
        path = tiff(tmp_path / "a.tif", pixels, photometric="rgb", **options)
        tracemalloc.start()
        photo = read_photo(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1.9 * photo.native.nbytes  # of which 9 MB are read ahead


def test_a_scanners_one_way_profile_is_told_in_plain_words(
    picture: Array, encoded: Encode, tmp_path: Path, caplog: pytest.LogCaptureFixture,
    profiles: dict[str, bytes],
):  # fmt: skip
    data = encoded(Image.fromarray(picture), "JPEG", icc_profile=profiles["scanner"])
    (tmp_path / "a.jpg").write_bytes(data)
    read_photo(tmp_path / "a.jpg")
    assert "converts from the scanner's colours only" in caplog.text
    assert "cms_" not in caplog.text and "convert the photo to sRGB" in caplog.text
