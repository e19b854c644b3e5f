from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from unfade.imaging import icc, transforms
from unfade.imaging.photo import quantise
from unfade.imaging.transforms import (
    Lcms,
    MatrixShaper,
    SrgbPixels,
    UncalibratedCmyk,
    transform_for,
)

Array = NDArray[Any]


def profiled(profile: bytes) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(io.BytesIO(profile))


@pytest.mark.parametrize("name", ["adobe", "p3", "linear"])
def test_srgb_agrees_with_imagecms(name: str, profiles: dict[str, bytes], picture: Array):
    image = Image.fromarray(picture)
    srgb = ImageCms.createProfile("sRGB")
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    expected = ImageCms.profileToProfile(image, profiled(profiles[name]), srgb, intent)
    ours = transform_for(profiles[name], 3).to_srgb(picture)
    assert np.abs(ours * 255 - np.asarray(expected, np.float64)).max() <= 1.01


@pytest.mark.parametrize("name", ["adobe", "p3", "linear"])
def test_tables_agree_with_lcms(name: str, profiles: dict[str, bytes], deep: Array):
    quick, exact = MatrixShaper(profiles[name]), Lcms(profiles[name], 3)
    colours = deep[..., :3]
    rgb = exact.to_srgb(colours)
    assert np.abs(quick.to_srgb(colours) - rgb).max() < 2e-4
    assert np.abs(quick.from_srgb(rgb) - exact.from_srgb(rgb)).max() < 2e-4


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("name", ["adobe", "p3", "linear"])
def test_there_and_back_keeps_colours_inside_srgb(
    name: str, depth: Any, profiles: dict[str, bytes]
):
    rng = np.random.default_rng(0)
    transform = transform_for(profiles[name], 3)
    top = np.iinfo(depth).max
    rgb = quantise(rng.random((40, 50, 3), np.float32), np.dtype(depth))
    native = quantise(transform.from_srgb(transforms.unit(rgb)), np.dtype(depth))
    again = quantise(transform.from_srgb(transform.to_srgb(native)), np.dtype(depth))
    error = np.abs(again.astype(int) - native.astype(int))
    assert error.max() <= (1 if top == 255 else 4)  # rounding may leave sRGB


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("name", ["adobe", "p3", "linear"])
def test_there_and_back_keeps_colours_outside_srgb_when_what_was_cut_off_is_added(
    name: str, depth: Any, profiles: dict[str, bytes]
):
    rng = np.random.default_rng(0)
    transform = transform_for(profiles[name], 3)
    native = quantise(rng.random((40, 50, 3), np.float32), np.dtype(depth))
    rgb, beyond = transform.to_srgb(native), transform.beyond(native)
    assert rgb.min() >= 0 and rgb.max() <= 1
    if name == "linear":  # sRGB's own primaries
        assert beyond is None or np.abs(beyond).max() < 2e-3
    else:
        assert beyond is not None and np.abs(beyond).max() > 0.05
        assert not beyond[(rgb > 0) & (rgb < 1 - 1e-6)].any()
    again = quantise(transform.from_srgb(rgb if beyond is None else rgb + beyond), np.dtype(depth))
    assert np.abs(again.astype(int) - native.astype(int)).max() <= (1 if depth is np.uint8 else 4)


@pytest.mark.parametrize("name", ["none", "srgb", "adobe", "p3", "gray", "cmyk"])
def test_nothing_lies_beyond_srgb_when_the_colours_are_muted(name: str, profiles: dict[str, bytes]):
    channels = {"cmyk": 4, "gray": 1}.get(name, 3)
    muted = np.random.default_rng(0).integers(110, 130, (8, 9, channels)).astype(np.uint8)
    assert transform_for(profiles.get(name), channels).beyond(muted) is None


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_gray_profile_there_and_back(depth: Any, profiles: dict[str, bytes]):
    transform = transform_for(profiles["gray"], 1)
    native = np.arange(256, dtype=depth).reshape(16, 16, 1) * (1 if depth is np.uint8 else 257)
    rgb = transform.to_srgb(native)
    assert rgb.shape == (16, 16, 3)
    assert rgb[8, 0, 0] > 0.5  # gamma 1.8 is brighter than sRGB's curve
    np.testing.assert_array_equal(quantise(transform.from_srgb(rgb), np.dtype(depth)), native)


def test_cmyk_profile_both_ways(profiles: dict[str, bytes]):
    transform = transform_for(profiles["cmyk"], 4)
    ink = np.zeros((1, 5, 4), np.uint8)
    ink[0, 1, 0] = ink[0, 2, 1] = ink[0, 3, 2] = ink[0, 4, 3] = 255
    rgb = transform.to_srgb(ink)
    expected = [[1, 1, 1], [0, 1, 1], [1, 0, 1], [1, 1, 0], [0, 0, 0]]
    assert np.abs(rgb[0] - expected).max() < 0.03
    rng = np.random.default_rng(0)
    colours = 0.1 + 0.8 * rng.random((20, 20, 3), np.float32)
    again = transform.to_srgb(quantise(transform.from_srgb(colours), np.dtype(np.uint16)))
    assert np.abs(again - colours).mean() < 0.01


def test_plain_ink_there_and_back():
    rng = np.random.default_rng(0)
    rgb = rng.random((20, 20, 3), np.float32)
    rgb[0, 0], rgb[0, 1] = 0, 1
    ink = UncalibratedCmyk().from_srgb(rgb)
    assert ink.min() >= 0 and ink.max() <= 1
    assert np.abs(UncalibratedCmyk().to_srgb(quantise(ink, np.dtype(np.uint16))) - rgb).max() < 1e-4


@pytest.mark.parametrize("case", ["junk", "empty", "cut", "of another colour space"])
def test_an_unusable_profile_is_taken_as_srgb_with_a_warning(
    case: str, profiles: dict[str, bytes], caplog: pytest.LogCaptureFixture
):
    broken = {
        "junk": b"junk" * 50,
        "empty": b"\0",
        "cut": profiles["adobe"][:200],
        "of another colour space": profiles["gray"],
    }[case]
    assert isinstance(transform_for(broken, 3), SrgbPixels)
    icc.warn_of(broken, 3)
    icc.warn_of(broken, 3)  # the next photo, with the same profile
    assert caplog.text.count("treated as sRGB, and kept") == 2
