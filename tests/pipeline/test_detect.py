from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from unfade.imaging import Photo
from unfade.models.scratch import ScratchConfig, ScratchDetector
from unfade.pipeline import detect as module
from unfade.pipeline.detect import _add_border, detect, factors, thresholds
from unfade.pipeline.first_stage import FirstStage

MakePhoto = Callable[..., Photo]
CPU = torch.device("cpu")


class Bright(ScratchDetector):
    """Takes what is bright for damage, and what is dark for a lost border."""

    def __init__(self) -> None:
        super().__init__(ScratchConfig(2, 4, [4, 4], [1, 1]))

    def forward(self, lq: torch.Tensor) -> torch.Tensor:
        mean = lq.mean(1, keepdim=True)
        return torch.cat([60 * (mean - 0.75), 60 * (0.12 - mean)], 1)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1, 1), [1]), ((319, 4000), [1]), ((320, 320), [1, 2]), ((4000, 6000), [1, 2, 4, 8, 16]),
     ((1, 50_000), [1])],
)  # fmt: skip
def test_factors_halve_large_photos(size: tuple[int, int], expected: list[int]) -> None:
    assert factors(*size, 1) == expected


def test_thresholds_are_the_detectors_or_derived_from_the_normal_one() -> None:
    assert thresholds(ScratchConfig()) == {"low": 0.73, "normal": 0.5, "high": 0.27}
    found = thresholds(ScratchConfig(threshold=0.8, sensitivity={"high": 0.4}))
    assert found == {"low": 0.92, "normal": 0.8, "high": 0.4}


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (37, 53), (64, 80), (129, 131)])
@pytest.mark.parametrize("gray", [False, True])
def test_detect_gives_a_mask_of_the_photos_size(
    first_stage: FirstStage, make_photo: MakePhoto, size: tuple[int, int], gray: bool
) -> None:
    mask = first_stage.detect(make_photo(*size, gray=gray), tile=64)
    assert mask.shape == size and mask.dtype == np.uint8


def test_detect_finds_the_same_in_8_and_16_bit(
    first_stage: FirstStage, make_photo: MakePhoto
) -> None:
    eight = make_photo(64, 80)
    sixteen = Photo(eight.native.astype(np.uint16) * 257, None, eight.metadata)
    a, b = first_stage.detect(eight, tile=256), first_stage.detect(sixteen, tile=256)
    assert int(np.abs(a.astype(int) - b).max()) <= 2


@pytest.mark.parametrize("size", [(330, 470), (257, 400)])
def test_detect_leaves_no_seam(
    first_stage: FirstStage, make_photo: MakePhoto, size: tuple[int, int]
) -> None:
    photo = make_photo(*size)
    whole, parts = first_stage.detect(photo, tile=1024), first_stage.detect(photo, tile=288)
    difference = np.abs(whole.astype(int) - parts)
    assert whole.std() > 5  # there is something to differ in
    assert np.quantile(difference, 0.999) <= 1


def test_tiles_and_padding_follow_the_stride_of_the_network(
    make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FINE", 0)
    sizes: list[tuple[int, int]] = []

    class Wide(Bright):
        def __init__(self) -> None:
            super().__init__()
            self.stride = 32

        def forward(self, lq: torch.Tensor) -> torch.Tensor:
            h, w = lq.shape[-2:]
            assert h % 32 == 0 and w % 32 == 0
            sizes.append((h, w))
            cells = torch.nn.functional.avg_pool2d(lq, 32).repeat_interleave(32, 2)
            return super().forward(cells.repeat_interleave(32, 3))

    photo = make_photo(150, 210)
    photo.native[64:96, 32:128] = 255  # full cells of the network
    whole, parts = (detect(photo, Wide(), CPU, tile=tile) for tile in (1024, 96))
    assert sizes[0] == (160, 224) and max(sizes[1:]) <= (96, 96)
    assert whole[70, 100] > 250 and not whole[70, 10]
    np.testing.assert_array_equal(whole, parts)


@pytest.mark.parametrize("size", [(161, 211), (160, 208), (163, 333)])
def test_detect_leaves_no_seam_at_coarse_scales(
    make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setattr(module, "_COARSEST", 40)
    assert factors(*size, 1) == [1, 2, 4]
    photo = make_photo(*size)
    whole = detect(photo, Bright(), CPU, tile=1024)
    parts = detect(photo, Bright(), CPU, tile=32)
    assert whole.any()
    difference = np.abs(whole.astype(int) - parts)
    assert np.quantile(difference, 0.999) <= 1 and difference.max() <= 3  # rounding


@pytest.mark.parametrize("size", [(163, 333), (160, 320), (167, 321)])
def test_detect_finds_wide_damage_where_it_is(
    make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setattr(module, "_COARSEST", 40)

    class Coarse(Bright):  # blind at full size, like a detector before a wide crack
        def forward(self, lq: torch.Tensor) -> torch.Tensor:
            out = super().forward(lq)
            return out - 1000 if lq.shape[-1] > size[1] // 4 + 16 else out

    photo = make_photo(*size)
    photo.native[:] = 100
    photo.native[-28:-16, -40:-24] = 255
    found = detect(photo, Coarse(), CPU, tile=2048) >= 128
    y, x = np.nonzero(found)
    assert abs(y.mean() - (size[0] - 22.5)) < 1.5 and abs(x.mean() - (size[1] - 32.5)) < 1.5


@pytest.mark.parametrize("size", [(64, 80), (161, 213)])
def test_detect_counts_a_lost_border_only_at_the_edge(
    make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setattr(module, "_COARSEST", 40)
    photo = make_photo(*size)
    photo.native[:] = 120
    photo.native[:12, :16] = 0  # a torn corner
    photo.native[30:46, 30:46] = 0  # a dark button
    mask = detect(photo, Bright(), CPU, tile=64)
    assert mask[2:8, 2:10].min() > 200
    assert mask[32:44, 32:44].max() < 60


def test_detect_reports_growing_progress(first_stage: FirstStage, make_photo: MakePhoto) -> None:
    shares: list[float] = []
    first_stage.detect(make_photo(200, 90), tile=96, progress=shares.append)
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1) and len(shares) > 2


def test_reduced_photo_holds_the_means(make_photo: MakePhoto) -> None:
    photo = make_photo(64, 96)
    small = module._reduced(photo, 4)  # pyright: ignore[reportPrivateUsage]
    expected = photo.native.reshape(16, 4, 24, 4, 3).mean((1, 3))
    assert small.shape == (16, 24, 3)
    assert np.abs(small - expected).max() <= 1
    assert module._reduced(make_photo(65, 97), 4).shape == (17, 25, 3)  # pyright: ignore


def _border(shape: tuple[int, int], rows: slice, cols: slice) -> np.ndarray:
    lost = np.zeros(shape, np.uint8)
    lost[rows, cols] = 200
    return lost


def test_lost_border_is_ignored_when_it_lies_inside_or_frames_the_photo() -> None:
    mask = np.zeros((50, 40), np.uint8)
    _add_border(mask, _border((50, 40), slice(20, 26), slice(10, 20)), 1)
    _add_border(mask, _border((50, 40), slice(0, 8), slice(0, 40)), 1)
    assert not mask.any()
