from __future__ import annotations

from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from unfade.convert import fingerprint, from_array, from_pillow, to_array, to_pillow
from unfade.errors import InputError

LIMIT = 1000


def pixels(*shape: int, dtype: Any = np.uint8) -> np.ndarray:
    top = np.iinfo(dtype).max
    return np.random.default_rng(0).integers(0, top, shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("shape", "channels", "alpha"),
    [((4, 5), 1, False), ((4, 5, 1), 1, False), ((4, 5, 2), 1, True), ((4, 5, 3), 3, False),
     ((4, 5, 4), 3, True)],
)  # fmt: skip
def test_array_becomes_a_photo(
    shape: tuple[int, ...], channels: int, alpha: bool, dtype: Any
) -> None:
    array = pixels(*shape, dtype=dtype)
    photo = from_array(array, max_pixels=LIMIT)
    assert photo.native.shape == (4, 5, channels)
    assert photo.native.dtype == dtype
    assert (photo.alpha is not None) == alpha
    assert np.array_equal(photo.native, array.reshape(4, 5, -1)[..., :channels])
    assert not np.shares_memory(photo.native, array)


def test_array_of_another_byte_order_keeps_its_values() -> None:
    array = pixels(4, 5, 3, dtype=np.uint16)
    swapped = array.astype(array.dtype.newbyteorder())
    assert np.array_equal(from_array(swapped, max_pixels=LIMIT).native, array)


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 5, 3), np.float32), np.zeros((4, 5, 3), np.int16), np.zeros(4, np.uint8),
     np.zeros((1, 4, 5, 3), np.uint8), np.zeros((3, 4, 5), np.uint8), np.zeros((0, 5), np.uint8),
     np.zeros((100, 100), np.uint8), np.zeros((4, 5), bool)],
)  # fmt: skip
def test_array_is_refused_when_it_is_no_photo(array: np.ndarray) -> None:
    with pytest.raises(InputError):
        from_array(array, max_pixels=LIMIT)


@pytest.mark.parametrize(
    ("mode", "channels", "alpha"),
    [("L", 1, False), ("LA", 1, True), ("RGB", 3, False), ("RGBA", 3, True), ("CMYK", 4, False),
     ("1", 1, False), ("P", 3, False)],
)  # fmt: skip
def test_pillow_image_becomes_a_photo(mode: str, channels: int, alpha: bool) -> None:
    image = Image.fromarray(pixels(4, 5, 3)).convert(mode)
    photo = from_pillow(image, max_pixels=LIMIT)
    assert photo.native.shape == (4, 5, channels)
    assert (photo.alpha is not None) == alpha


def test_pillow_image_keeps_16_bits_and_is_turned_upright() -> None:
    array = pixels(4, 5, dtype=np.uint16)
    photo = from_pillow(Image.fromarray(array), max_pixels=LIMIT)
    assert np.array_equal(photo.native[..., 0], array)
    image = Image.fromarray(pixels(4, 5, 3))
    exif = image.getexif()
    exif[0x0112] = 6
    exif[0x010F] = "Maker"
    image.info["exif"] = exif.tobytes()
    photo = from_pillow(image, max_pixels=LIMIT)
    assert photo.native.shape == (5, 4, 3)
    assert photo.metadata.exif is not None
    assert b"Maker" in photo.metadata.exif
    with pytest.raises(InputError, match="at most 1000"):
        from_pillow(Image.new("L", (40, 50)), max_pixels=LIMIT)


@pytest.mark.parametrize("mode", ["F", "I"])
def test_pillow_image_is_refused_when_it_is_no_picture(mode: str) -> None:
    with pytest.raises(InputError):
        from_pillow(Image.new(mode, (4, 5)), max_pixels=LIMIT)


def test_fingerprint_tells_pixels_and_shape_apart() -> None:
    photos = [pixels(4, 6), pixels(6, 4), pixels(4, 6, 3), pixels(4, 6, dtype=np.uint16)]
    prints = [fingerprint(from_array(p, max_pixels=LIMIT)) for p in photos]
    assert len({digest for digest, _ in prints}) == len(prints)
    assert [size for _, size in prints] == [24, 24, 72, 48]


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 2), (5, 7, 3), (5, 7, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_arrays_come_back_as_they_were(shape: tuple[int, ...], dtype: type) -> None:
    top = np.iinfo(dtype).max
    array = np.random.default_rng(0).integers(0, top, shape, dtype, endpoint=True)
    photo = from_array(array, max_pixels=100)
    np.testing.assert_array_equal(to_array(photo), array)
    image = to_pillow(photo)
    assert image.mode == ("L", "", "LA", "RGB", "RGBA")[0 if len(shape) == 2 else shape[2]]
    eight = array if dtype == np.uint8 else np.rint(array / 257).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(image), eight)


def test_pictures_in_other_colour_spaces_come_out_as_srgb() -> None:
    make: Any = imagecodecs.cms_profile
    adobe = Image.new("RGB", (4, 4), (0, 200, 0))
    adobe.info |= {"icc_profile": make("adobergb"), "dpi": (300, 300)}
    image = to_pillow(from_pillow(adobe, max_pixels=100))
    red, green, blue = image.getpixel((0, 0))  # type: ignore[misc]
    assert red == 0 and green > 200 and blue < 60
    assert image.info["dpi"] == (300, 300) and "icc_profile" not in image.info
