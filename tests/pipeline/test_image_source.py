from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from unfade.errors import InputError
from unfade.imaging import Photo
from unfade.pipeline.image_source import (
    LumaSource,
    PhotoSource,
    TensorSource,
    read_mask_padded,
    read_padded,
)


def test_photo_picture_reads_what_a_tensor_of_it_holds(
    make_photo: Callable[..., Photo], make_mask: Callable[..., NDArray[np.uint8]]
) -> None:
    photo, mask = make_photo(30, 40), make_mask(30, 40)
    whole = torch.from_numpy(photo.srgb(slice(0, 30), slice(0, 40))).permute(2, 0, 1)[None]
    tensor = TensorSource(whole, torch.from_numpy(mask)[None, None] / 255)
    found = PhotoSource(photo, mask)
    assert (found.count, found.height, found.width) == (1, 30, 40)
    assert (tensor.count, tensor.height, tensor.width) == (1, 30, 40)
    for region in ((slice(0, 30), slice(0, 40)), (slice(5, 9), slice(30, 40))):
        torch.testing.assert_close(found.read(*region), tensor.read(*region))
        ours, theirs = found.read_mask(*region), tensor.read_mask(*region)
        assert ours is not None and theirs is not None
        torch.testing.assert_close(ours, theirs)
    assert PhotoSource(photo).read_mask(slice(0, 2), slice(0, 2)) is None


def test_luma_picture_is_gray_and_a_gray_photo_itself(make_photo: Callable[..., Photo]) -> None:
    everything = slice(0, 64), slice(0, 80)
    photo = make_photo()
    seen = LumaSource(photo).read(*everything)
    weights = torch.tensor([0.2126, 0.7152, 0.0722])[:, None, None]
    expected = (PhotoSource(photo).read(*everything) * weights).sum(1, keepdim=True)
    torch.testing.assert_close(seen, expected.expand(-1, 3, -1, -1))
    gray = make_photo(gray=True)
    torch.testing.assert_close(
        LumaSource(gray).read(*everything), PhotoSource(gray).read(*everything)
    )


def test_read_padded_goes_on_with_the_last_pixels_and_without_damage() -> None:
    image = torch.rand(2, 3, 5, 7)
    picture = TensorSource(image, torch.ones(2, 1, 5, 7))
    region = slice(4, 8), slice(4, 12)
    out, mask = read_padded(picture, *region), read_mask_padded(picture, *region)
    assert out.shape == (2, 3, 4, 8) and mask is not None
    assert torch.equal(out[..., :1, :3], image[..., 4:, 4:])
    assert torch.equal(out[..., 3, 7], image[..., 4, 6])
    assert mask.sum() == 2 * 3
    assert torch.equal(read_padded(picture, slice(0, 5), slice(2, 7)), image[..., 2:7])
    assert read_mask_padded(TensorSource(image), *region) is None


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ((3, 8, 8), None), ((1, 4, 8, 8), None), ((1, 3, 0, 8), None),
        ((1, 3, 8, 8), (1, 1, 8, 7)), ((2, 3, 8, 8), (1, 1, 8, 8)),
    ],
)  # fmt: skip
def test_tensor_picture_refuses_shapes_that_make_no_sense(
    image: tuple[int, ...], mask: tuple[int, ...] | None
) -> None:
    with pytest.raises(InputError):
        TensorSource(torch.rand(image), None if mask is None else torch.rand(mask))


def test_tensor_picture_refuses_whole_numbers() -> None:
    with pytest.raises(InputError, match="uint8"):
        TensorSource(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
