from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

import unfade.pipeline.upscale as upscale
from unfade.imaging import Photo
from unfade.models.enlarger import Enlarger, EnlargerConfig
from unfade.pipeline.upscale import Upscaler
from unfade.timing import ignore

MakePhoto = Callable[..., Photo]


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    torch.manual_seed(0)
    network = Enlarger(EnlargerConfig([8, 8], [1, 1], hidden=8)).eval().requires_grad_(False)
    torch.nn.init.normal_(network.net.leave.weight, std=0.05)
    return Upscaler(network, torch.device("cpu"))


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(
    ("scale", "size"),
    [(1, (30, 41)), (1.5, (45, 62)), (2, (60, 82)), (3, (90, 123)), (4, (120, 164)),
     (6, (180, 246))],
)  # fmt: skip
def test_enlarge_gives_the_size_asked_for_and_keeps_the_kind(
    upscaler: Upscaler, make_photo: MakePhoto, scale: float, size: tuple[int, int], depth: int,
    gray: bool,
) -> None:  # fmt: skip
    photo = make_photo(30, 41, gray=gray, depth=depth)
    shares: list[float] = []
    out = upscaler.enlarge(photo, scale, progress=shares.append)
    assert (out.height, out.width) == size
    assert out.native.dtype == photo.native.dtype
    assert out.native.shape[2] == photo.native.shape[2]
    assert shares == sorted(shares) and shares[-1] == 1
    whole = out.srgb(slice(None), slice(None)).mean()
    assert whole == pytest.approx(photo.srgb(slice(None), slice(None)).mean(), abs=0.05)


def test_enlarge_does_not_depend_on_the_tiles(
    upscaler: Upscaler, make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = make_photo(150, 230)
    whole = upscaler.enlarge_once(photo, 4, progress=ignore)
    monkeypatch.setattr(upscale, "_TILE", 160)
    tiled = upscaler.enlarge_once(photo, 4, progress=ignore)
    off = np.abs(whole.native.astype(int) - tiled.native.astype(int))
    assert off.max() <= 1 and (off > 0).mean() < 0.01


def test_enlarge_keeps_the_print_size_and_twice_is_the_means_of_four_times(
    upscaler: Upscaler, make_photo: MakePhoto
) -> None:
    photo = make_photo(20, 20)
    photo = replace(photo, metadata=replace(photo.metadata, dpi=(300.0, 300.0)))
    assert upscaler.enlarge(photo, 2, progress=ignore).metadata.dpi == (600, 600)
    photo = make_photo(24, 32)
    twice, four = (
        upscaler.enlarge_once(photo, step, progress=ignore).native.astype(float) for step in (2, 4)
    )
    means = four.reshape(48, 2, 64, 2, 3).mean((1, 3))
    assert np.abs(means - twice).max() <= 1
