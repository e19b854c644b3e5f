from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from unfade.errors import UsageError, WeightsError
from unfade.imaging import Photo
from unfade.models.checkpoint import save_model
from unfade.models.presets import write_manifest
from unfade.models.scratch import ScratchConfig, ScratchDetector
from unfade.models.stage1 import Stage1Config, Stage1Net
from unfade.models.tone import ToneConfig, ToneNet
from unfade.pipeline.first_stage import FirstStage

MakePhoto = Callable[..., Photo]
MakeMask = Callable[..., NDArray[np.uint8]]
SIZES = [(1, 1), (1, 500), (500, 1), (37, 53), (129, 131)]


def restore(first_stage: FirstStage, photo: Photo, mask: Any, **options: Any) -> Photo:
    settings = {"only_damage": False, "tone": "keep", "tile": 256, "threshold": None}
    return first_stage.restore(photo, mask, **{**settings, **options})


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("depth", [8, 16])
def test_restore_keeps_size_depth_and_channels(
    first_stage: FirstStage, make_photo: MakePhoto, size: tuple[int, int], gray: bool, depth: int
) -> None:
    photo = make_photo(*size, gray=gray, depth=depth)
    core = photo.native.copy()
    mask = first_stage.detect(photo, tile=128)
    for options in ({"tone": "auto"}, {"only_damage": True}):
        out = restore(first_stage, photo, mask, tile=128, **options)
        assert out.native.shape == photo.native.shape and out.native.dtype == photo.native.dtype
        assert out.gray == gray and out.metadata == photo.metadata
    np.testing.assert_array_equal(photo.native, core)


@pytest.mark.parametrize("size", [(400, 520), (330, 470)])
@pytest.mark.parametrize("tone", ["keep", "auto"])
def test_restore_leaves_no_seam(
    first_stage: FirstStage,
    make_photo: MakePhoto,
    make_mask: MakeMask,
    size: tuple[int, int],
    tone: str,
) -> None:
    photo, mask = make_photo(*size), make_mask(*size)
    whole = restore(first_stage, photo, mask, tone=tone, tile=1024)
    parts = restore(first_stage, photo, mask, tone=tone, tile=288)
    difference = np.abs(whole.native.astype(int) - parts.native)
    assert np.abs(whole.native.astype(int) - photo.native).mean() > 1
    assert np.quantile(difference, 0.999) <= 1


def reach(mask: NDArray[np.uint8], pixels: int) -> NDArray[np.bool_]:
    kernel = np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)
    return np.asarray(cv2.dilate(mask, kernel)) > 0


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("tile", [64, 512])
def test_only_damage_keeps_every_other_pixel_bit_for_bit(
    first_stage: FirstStage,
    make_photo: MakePhoto,
    make_mask: MakeMask,
    depth: int,
    gray: bool,
    tile: int,
) -> None:
    photo, mask = make_photo(130, 170, depth=depth, gray=gray), make_mask(130, 170)
    out = restore(first_stage, photo, mask, only_damage=True, tone="auto", tile=tile)
    changed = (out.native != photo.native).any(2)
    assert changed[mask > 0].mean() > 0.9
    assert not (changed & ~reach(mask, 5)).any()


def test_only_damage_is_the_photo_itself_when_nothing_is_damaged(
    first_stage: FirstStage, make_photo: MakePhoto
) -> None:
    photo = make_photo(130, 170, depth=16)
    for mask in (None, np.zeros((130, 170), np.uint8)):
        out = restore(first_stage, photo, mask, only_damage=True, tone="auto", tile=64)
        np.testing.assert_array_equal(out.native, photo.native)
        assert out.native is not photo.native


def test_only_damage_fades_in(first_stage: FirstStage, make_photo: MakePhoto) -> None:
    photo = make_photo(96, 96)
    mask = np.zeros((96, 96), np.uint8)
    mask[40:56, 40:56] = 255
    full, only = (
        restore(first_stage, photo, mask),
        restore(first_stage, photo, mask, only_damage=True),
    )
    np.testing.assert_array_equal(only.native[40:56, 40:56], full.native[40:56, 40:56])


def test_restore_fills_and_corrects_nothing_unless_it_may(
    first_stage: FirstStage, make_photo: MakePhoto
) -> None:
    photo = make_photo()
    none, empty = (
        restore(first_stage, photo, None),
        restore(first_stage, photo, np.zeros((64, 80), np.uint8)),
    )
    np.testing.assert_array_equal(none.native, empty.native)
    assert (none.native != photo.native).any()
    keep, auto = restore(first_stage, photo, None), restore(first_stage, photo, None, tone="auto")
    shift = np.abs(keep.native.astype(float) - auto.native.astype(float)).mean()
    assert shift > 3
    again = restore(first_stage, photo, None, tone="auto", only_damage=True)
    np.testing.assert_array_equal(again.native, photo.native)
    faint = np.full((64, 80), 100, np.uint8)
    untouched = restore(
        first_stage, photo, faint, only_damage=True
    )  # 0.39 < 0.5, the detector's own
    np.testing.assert_array_equal(untouched.native, photo.native)
    filled = restore(first_stage, photo, faint, only_damage=True, threshold=0.3)
    assert (filled.native != photo.native).mean() > 0.5


def test_restore_never_shows_what_is_masked(
    first_stage: FirstStage, make_photo: MakePhoto, make_mask: MakeMask
) -> None:
    photo, mask = make_photo(), make_mask()
    other = Photo(photo.native.copy(), None, photo.metadata)
    other.native[mask > 0] = 255 - other.native[mask > 0]
    np.testing.assert_array_equal(
        restore(first_stage, photo, mask).native, restore(first_stage, other, mask).native
    )


def test_restore_reports_growing_progress(first_stage: FirstStage, make_photo: MakePhoto) -> None:
    shares: list[float] = []
    restore(first_stage, make_photo(200, 90), None, tile=96, progress=shares.append)
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1) and len(shares) > 2


def test_from_pretrained_loads_a_sealed_folder(make_photo: MakePhoto, tmp_path: Path) -> None:
    torch.manual_seed(0)
    detector = ScratchDetector(ScratchConfig(2, 4, [4, 4], [1, 1], 0.37))
    save_model(tmp_path / "scratch.safetensors", detector)
    save_model(tmp_path / "stage1.safetensors", Stage1Net(Stage1Config([8] * 4, [1] * 4)))
    save_model(tmp_path / "tone.safetensors", ToneNet(ToneConfig([8] * 4, 16)))
    write_manifest(tmp_path)
    first_stage = FirstStage.from_pretrained(tmp_path, device="cpu")
    assert first_stage.threshold == 0.37 and first_stage.device == torch.device("cpu")
    assert sorted(first_stage.weights) == [
        "scratch.safetensors", "stage1.safetensors", "tone.safetensors",
    ]  # fmt: skip
    assert restore(first_stage, make_photo(), None).native.shape == (64, 80, 3)
    (tmp_path / "tone.safetensors").write_bytes(b"")
    with pytest.raises(WeightsError, match=r"tone\.safetensors"):
        FirstStage.from_pretrained(tmp_path, device="cpu")
    with pytest.raises(UsageError, match="nowhere"):
        FirstStage.from_pretrained("nowhere")


def test_only_damage_keeps_inks_that_srgb_cannot_hold(
    first_stage: FirstStage, make_photo: MakePhoto, make_mask: MakeMask
) -> None:
    inks = np.random.default_rng(0).integers(0, 256, (130, 170, 4), dtype=np.uint8)
    photo, mask = Photo(inks, None, make_photo().metadata), make_mask(130, 170)
    out = restore(first_stage, photo, mask, only_damage=True, tile=128)
    changed = (out.native != photo.native).any(2)
    assert changed[mask > 0].mean() > 0.9
    assert not (changed & ~reach(mask, 5)).any()


@pytest.mark.parametrize("only_damage", [False, True])
def test_restore_keeps_colours_that_srgb_cannot_hold_but_none_of_what_is_masked(
    first_stage: FirstStage, make_photo: MakePhoto, make_mask: MakeMask, only_damage: bool
) -> None:
    codecs: Any = imagecodecs
    plain = make_photo()
    photo = Photo(
        plain.native, None, replace(plain.metadata, icc=bytes(codecs.cms_profile("adobergb")))
    )
    photo.native[:] = (20, 250, 30)  # a green of Adobe RGB
    mask = make_mask()
    out = restore(first_stage, photo, mask, only_damage=only_damage)
    beyond = out.beyond_srgb(slice(40, 64), slice(0, 80))  # away from the damage
    assert beyond is not None and (beyond[..., 0] < -0.1).all()
    photo.native[mask == 255] = (250, 20, 250)
    other = restore(first_stage, photo, mask, only_damage=only_damage)
    np.testing.assert_array_equal(out.native, other.native)
