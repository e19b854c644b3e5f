from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from unfade.imaging import Photo
from unfade.models.tone import ToneConfig, ToneNet
from unfade.pipeline.tone import estimate, thumbnail

MakePhoto = Callable[..., Photo]


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (64, 64), (100, 333)])
@pytest.mark.parametrize("gray", [False, True])
def test_thumbnail_has_one_size(make_photo: MakePhoto, size: tuple[int, int], gray: bool) -> None:
    photo = make_photo(*size, gray=gray)
    for mask in (None, np.full(size, 255, np.uint8)):
        small = thumbnail(photo, mask, 0.5)
        assert small.shape == (1, 3, 64, 64) and small.dtype == torch.float32
        assert small.min() >= 0 and small.max() <= 1


def test_thumbnail_holds_the_means_of_its_cells(make_photo: MakePhoto) -> None:
    photo = make_photo(192, 256)
    expected = photo.native.reshape(64, 3, 64, 4, 3).mean((1, 3)) / 255
    for mask in (None, np.zeros((192, 256), np.uint8)):
        small = thumbnail(photo, mask, 0.5)[0].permute(1, 2, 0).numpy()
        np.testing.assert_allclose(small, expected, atol=1e-5)


@pytest.mark.parametrize("size", [(192, 256), (200, 210), (90, 40)])
def test_thumbnail_leaves_out_masked_pixels(make_photo: MakePhoto, size: tuple[int, int]) -> None:
    photo = make_photo(*size)
    photo.native[:] = np.array([90, 120, 60], np.uint8)
    mask = np.zeros(size, np.uint8)
    mask[:, 20:23] = 200  # a crack
    mask[: size[0] // 3, : size[1] // 4] = 255  # a lost corner
    photo.native[mask > 0] = 255
    small = thumbnail(photo, mask, 0.5)
    expected = torch.tensor([90, 120, 60])[None, :, None, None] / 255
    torch.testing.assert_close(small, expected.expand_as(small), rtol=0, atol=1e-3)
    assert thumbnail(photo, mask, 0.99).max() < 1.01  # the crack alone counts as sound again
    assert (thumbnail(photo, None, 0.5) - expected).abs().max() > 0.4


def test_thumbnail_fills_what_is_masked_from_nearby_or_keeps_what_it_sees(
    make_photo: MakePhoto,
) -> None:
    photo = make_photo(128, 128)
    photo.native[:] = 40
    photo.native[:64] = 200  # light above, dark below
    mask = np.zeros((128, 128), np.uint8)
    mask[:40, :40] = 255
    photo.native[mask > 0] = 0
    small = thumbnail(photo, mask, 0.5)
    assert small[0, :, :19, :19].min() > 0.6
    photo = make_photo(64, 64)
    everything = np.full((64, 64), 255, np.uint8)
    torch.testing.assert_close(thumbnail(photo, everything, 0.5), thumbnail(photo, None, 0.5))


def test_estimate_is_none_when_the_photo_has_not_faded(make_photo: MakePhoto) -> None:
    torch.manual_seed(0)
    net = ToneNet(ToneConfig([8] * 4, 16)).eval().requires_grad_(False)
    last = net.head[-1]
    assert isinstance(last, torch.nn.Linear)
    last.bias[10] = -9.0
    assert estimate(make_photo(), None, 0.5, net) is None
    last.bias[10] = 9.0
    levels = estimate(make_photo(), None, 0.5, net)
    assert levels is not None
    assert levels.apply(torch.rand(1, 3, 8, 8)).shape == (1, 3, 8, 8)
