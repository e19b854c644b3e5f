from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from unfade.imaging import Metadata, Photo

Array = NDArray[Any]
ALL = slice(None)


def photo(native: Array, alpha: Array | None = None, icc: bytes | None = None) -> Photo:
    return Photo(native, alpha, Metadata(exif=None, icc=icc, xmp=None, dpi=None, format="PNG"))


natives = st.sampled_from([np.uint8, np.uint16]).flatmap(
    lambda dtype: hnp.arrays(
        dtype, st.tuples(st.integers(1, 6), st.integers(1, 6), st.sampled_from([1, 3]))
    )
)


@settings(max_examples=150, deadline=None)
@given(natives)
def test_put_of_srgb_is_the_identity_bit_for_bit(native: Array):
    before = photo(native)
    after = before.blank()
    after.put_srgb(ALL, ALL, before.srgb(ALL, ALL))
    np.testing.assert_array_equal(after.native, native)
    assert after.native.dtype == native.dtype


@pytest.mark.parametrize("channels", [1, 3])
def test_every_16_bit_value_survives(channels: int):
    native = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1).repeat(channels, axis=2)
    before = photo(native)
    after = before.blank()
    for rows in (slice(0, 100), slice(100, 256)):
        after.put_srgb(rows, ALL, before.srgb(rows, ALL))
    np.testing.assert_array_equal(after.native, native)


def test_srgb_gives_the_region_as_floats_and_replicates_gray(picture: Array):
    region = photo(picture).srgb(slice(2, 10), slice(5, 9))
    np.testing.assert_allclose(region, picture[2:10, 5:9] / 255, atol=1e-6)
    assert region.dtype == np.float32
    gray = photo(picture[..., :1]).srgb(slice(0, 3), ALL)
    assert gray.shape == (3, 64, 3)
    assert (gray[..., 0] == gray[..., 2]).all()


def test_put_rounds_half_up_clips_takes_luma_and_refuses_nan():
    target = photo(np.zeros((1, 4, 1), np.uint8))
    values = np.array([-1.0, 0.5 / 255, 1.49 / 255, 7.0], np.float32)
    target.put_srgb(ALL, ALL, np.repeat(values[None, :, None], 3, axis=2))
    assert target.native.ravel().tolist() == [0, 1, 1, 255]
    target = photo(np.zeros((1, 3, 1), np.uint8))
    target.put_srgb(ALL, ALL, np.eye(3, dtype=np.float32)[None])
    assert target.native.ravel().tolist() == [54, 182, 18]
    target = photo(np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(ValueError, match="NaN"):
        target.put_srgb(ALL, ALL, np.full((2, 2, 3), np.nan, np.float32))
    with pytest.raises(ValueError, match="region"):
        target.put_srgb(ALL, ALL, np.zeros((1, 2, 3), np.float32))


@pytest.mark.parametrize("name", ["adobe", "p3"])
def test_put_takes_colours_outside_srgb_when_they_are_given_apart(
    name: str, profiles: dict[str, bytes]
):
    native = np.zeros((4, 6, 3), np.uint8)
    native[:, :3], native[:, 3:] = (20, 250, 30), (90, 100, 110)  # a green that sRGB has not
    before = photo(native, icc=profiles[name])
    rows, cols = slice(1, 3), slice(2, 6)
    beyond = before.beyond_srgb(rows, cols)
    assert beyond is not None and beyond[:, 0].any() and not beyond[:, 1:].any()
    after, clipped = before.blank(), before.blank()
    after.put_srgb(rows, cols, before.srgb(rows, cols), beyond=beyond)
    clipped.put_srgb(rows, cols, before.srgb(rows, cols))
    error = np.abs(after.native[rows, cols].astype(int) - native[rows, cols])
    assert error.max() <= 1
    assert np.abs(clipped.native[rows, cols].astype(int) - native[rows, cols]).max() > 20
    assert not after.native[0].any()


@pytest.mark.parametrize("name", ["none", "adobe", "p3", "linear", "cmyk", "gray"])
@pytest.mark.parametrize("deep_pixels", [False, True])
def test_keep_copies_bit_for_bit(name: str, deep_pixels: bool, profiles: dict[str, bytes]):
    channels = {"cmyk": 4, "gray": 1}.get(name, 3)
    rng = np.random.default_rng(0)
    dtype = np.uint16 if deep_pixels else np.uint8
    native = rng.integers(0, np.iinfo(dtype).max + 1, (20, 30, channels)).astype(dtype)
    source = photo(native, icc=profiles.get(name))
    keep = rng.random((10, 30)) < 0.5
    out = source.blank()
    rows = slice(5, 15)
    out.put_srgb(rows, ALL, np.full((10, 30, 3), 0.25, np.float32), keep=keep, source=source)
    np.testing.assert_array_equal(out.native[rows][keep], native[rows][keep])
    assert len(np.unique(out.native[rows][~keep], axis=0)) == 1
    assert (out.native[:5] == 0).all()


def test_keep_needs_a_source_of_the_same_size_and_depth(picture: Array):
    out = photo(picture).blank()
    rgb = np.zeros((48, 64, 3), np.float32)
    keep = np.ones((48, 64), bool)
    with pytest.raises(ValueError, match="size"):
        out.put_srgb(ALL, ALL, rgb, keep=keep)
    with pytest.raises(ValueError, match="depth"):
        out.put_srgb(ALL, ALL, rgb, keep=keep, source=photo(picture.astype(np.uint16)))


def test_keep_between_gray_and_colour_goes_through_srgb(picture: Array):
    source = photo(picture[..., :1])
    out = source.blank(gray=False)
    keep = np.ones((48, 64), bool)
    out.put_srgb(ALL, ALL, np.zeros((48, 64, 3), np.float32), keep=keep, source=source)
    np.testing.assert_array_equal(out.native, picture[..., :1].repeat(3, axis=2))


def test_blank_keeps_depth_metadata_and_alpha(
    deep: Array, profiles: dict[str, bytes], picture: Array
):
    before = photo(deep[..., :3], deep[..., 3], icc=profiles["adobe"])
    after = before.blank()
    assert after.native.shape == before.native.shape and not after.native.any()
    assert (after.bit_depth, after.gray, after.metadata) == (16, False, before.metadata)
    np.testing.assert_array_equal(after.alpha, before.alpha)
    before = photo(picture, np.full((48, 64), 200, np.uint8))
    after = before.blank(size=(96, 128))
    assert (after.height, after.width) == (96, 128)
    assert after.alpha is not None and after.alpha.shape == (96, 128)
    assert (after.alpha == 200).all()


def test_blank_between_gray_and_colour_leaves_the_profile(
    picture: Array, profiles: dict[str, bytes]
):
    gray = photo(picture[..., :1], icc=profiles["gray"])
    assert gray.blank().metadata.icc == profiles["gray"]
    colour = gray.blank(gray=False)
    assert colour.native.shape[2] == 3 and colour.metadata.icc is None
    assert photo(picture, icc=profiles["p3"]).blank(gray=True).native.shape[2] == 1


def test_a_photo_refuses_arrays_of_another_kind():
    with pytest.raises(ValueError, match="native"):
        photo(np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match="uint8"):
        photo(np.zeros((2, 2, 3), np.float32))
    with pytest.raises(ValueError, match="alpha is uint8"):
        photo(np.zeros((2, 2, 3), np.uint16), np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match="alpha"):
        photo(np.zeros((2, 2, 3), np.uint8), np.zeros((1, 2), np.uint8))
