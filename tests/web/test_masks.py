from __future__ import annotations

import base64
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from unfade.errors import UsageError
from unfade.masks import harden
from unfade.web import masks

Layer = Callable[[NDArray[np.uint8]], str]


def test_layer_comes_back_as_it_was_painted(layer_of: Layer) -> None:
    edits = np.zeros((20, 30), np.uint8)
    edits[2:5, 3:9], edits[10:12], edits[14] = masks.ADD, masks.REMOVE, masks.PROTECT
    read = masks.read_edits(layer_of(edits), (20, 30))
    assert read is not None
    np.testing.assert_array_equal(read, edits)
    assert masks.read_edits("", (20, 30)) is None
    assert masks.read_edits(layer_of(np.zeros((20, 30), np.uint8)), (20, 30)) is None


def test_tints_come_back_as_they_were_painted(layer_of: Layer) -> None:
    tints = np.zeros((20, 30), np.uint8)
    tints[2:5, 3:9], tints[10:12] = 1, 2
    read = masks.read_colour_layer(layer_of(tints), (20, 30), 2)
    assert read is not None
    np.testing.assert_array_equal(read, tints)
    assert masks.read_colour_layer("", (20, 30), 2) is None
    assert masks.read_colour_layer(layer_of(np.zeros((20, 30), np.uint8)), (20, 30), 2) is None
    with pytest.raises(UsageError, match="region 2, expected 1 colours"):
        masks.read_colour_layer(layer_of(tints), (20, 30), 1)


@pytest.mark.parametrize("size", [(20, 31), (30, 20), (40, 60)])
def test_layer_of_another_size_is_refused(layer_of: Layer, size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="30 x 20 pixels, expected"):
        masks.read_edits(layer_of(np.full((20, 30), 255, np.uint8)), size)


@pytest.mark.parametrize(
    "layer",
    ["x", "data:image/png;base64,*", "data:image/png;base64,AAAA", "/etc/passwd",
     "data:image/png;base64," + "A" * 100_000, "data:image/jpeg;base64,AAAA"],
)  # fmt: skip
def test_layer_that_is_no_png_is_refused(layer: str) -> None:
    with pytest.raises(UsageError, match="no PNG"):
        masks.read_edits(layer, (20, 30))


def test_layer_is_refused_when_its_header_alone_fits(layer_of: Layer) -> None:
    whole = layer_of(np.full((20, 30), 255, np.uint8))
    data = base64.b64decode(whole.partition(",")[2])[:40]
    with pytest.raises(UsageError, match="no PNG"):
        masks.read_edits("data:image/png;base64," + base64.b64encode(data).decode(), (20, 30))


def test_mask_is_as_found_where_nothing_was_painted() -> None:
    soft = np.random.default_rng(0).integers(0, 256, (1400, 2600), dtype=np.uint8)
    size = masks.preview_size(*soft.shape)
    edits = np.zeros(size, np.uint8)
    edits[100:200, 100:200], edits[300:400, 500:600] = masks.ADD, masks.REMOVE
    mask = masks.edited_mask(soft, 0.4, edits)
    plain = harden(soft, 0.4)
    scale = soft.shape[0] / size[0]
    added = np.s_[int(100 * scale) + 1 : int(200 * scale), int(100 * scale) + 1 : int(200 * scale)]
    erased = np.s_[int(300 * scale) + 1 : int(400 * scale), int(500 * scale) + 1 : int(600 * scale)]
    assert (mask[added] == 255).all() and (mask[erased] == 0).all()
    painted = cv2.resize(edits, soft.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT) > 0
    np.testing.assert_array_equal(mask[~painted], plain[~painted])


def test_protected_pixels_are_no_damage_and_are_enlarged_as_they_are() -> None:
    edits = np.zeros((20, 30), np.uint8)
    edits[4:8, 10:20] = masks.PROTECT
    mask = masks.edited_mask(np.full((40, 60), 255, np.uint8), 0.5, edits)
    protected = masks.protected_mask(edits, (40, 60))
    assert protected is not None
    np.testing.assert_array_equal(protected, 255 - mask)
    assert (protected[8:16, 20:40] == 255).all() and protected.sum() == 255 * 8 * 20
    assert masks.protected_mask(np.full((20, 30), masks.ADD, np.uint8), (40, 60)) is None


def test_thin_scratches_stay_visible_when_the_photo_is_shown_smaller() -> None:
    soft = np.zeros((3000, 4000), np.uint8)
    soft[:, 2001] = 200
    shown = masks.preview_mask(soft)
    assert shown.shape == masks.preview_size(3000, 4000) == (960, 1280)
    assert (shown.max(axis=1) == 200).all()
