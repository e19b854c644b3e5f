from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from unfade.web import changes


def picture(seed: int = 0) -> NDArray[np.uint8]:
    """(240, 320, 3), smooth, of many levels and colours, with grain."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(20, 236, (6, 8, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_CUBIC).astype(int)
    return np.clip(smooth + rng.integers(-3, 4, smooth.shape), 0, 255).astype(np.uint8)


def corrected(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same with other levels, another gamma, another cast and half of its saturation."""
    x = (rgb / 255 - [0.05, 0.03, 0.0]).clip(0, 1) ** [0.8, 0.9, 1.15] * 1.05
    gray = x @ [0.2126, 0.7152, 0.0722]
    return np.rint(255 * (gray[..., None] + 0.5 * (x - gray[..., None])).clip(0, 1)).astype(
        np.uint8
    )


def test_change_is_measured_in_the_photos_size_and_laid_over_the_result() -> None:
    before = np.full((20, 30, 3), 100, np.uint8)
    after = np.repeat(np.repeat(before, 2, 0), 2, 1)
    after[:, :30, 1] = 130
    change = changes.compare(before, after, (20, 30))
    assert (change.share, change.largest, change.full_scale, change.tone) == (0.5, 30, 30, 0)
    assert change.sharpness is None  # the photo has no edges
    assert change.overlay.shape == (20, 30, 4)
    assert not change.overlay[:, 15:, 3].any()  # the result shows through where nothing changed
    assert (change.overlay[:, :15, 3] == 230).all()
    assert (change.overlay[:, :15, :3].sum(axis=2) > 600).all()  # brightest


def test_overlay_shows_small_changes_beside_one_that_is_large_and_no_grain() -> None:
    before = np.full((50, 100, 3), 100, np.uint8)
    after = before.copy()
    after[:, :40] += 24
    after[0, 99] = 255
    change = changes.compare(before, after, (50, 100))
    assert (change.largest, change.full_scale) == (155, 24)
    assert (change.overlay[:, :40, 3] == 230).all()
    noise = changes.compare(before, before + np.uint8(3), (50, 100))
    assert noise.full_scale == 20 and not noise.overlay[..., 3].any()


def test_correction_of_the_tone_is_told_apart_from_what_was_painted() -> None:
    before = picture()
    after = corrected(before)
    only = changes.compare(before, after, (240, 320), corrects_tone=True)
    assert 15 < only.tone < 60  # levels
    assert only.share < 0.01 and np.median(only.overlay[..., 3]) == 0
    assert only.sharpness == pytest.approx(1, abs=0.1)
    after[100:140, 50:110] = after[100:140, 50:110][::-1, ::-1] // 2 + 90
    both = changes.compare(before, after, (240, 320), corrects_tone=True)
    assert both.tone == pytest.approx(only.tone, rel=0.15)
    inside = both.overlay[100:140, 50:110, 3].copy()
    both.overlay[100:140, 50:110, 3] = 0
    assert np.median(inside) > 100 and both.overlay[..., 3].mean() < 5
    assert both.share == pytest.approx(40 * 60 / (240 * 320), rel=0.35)
    blind = changes.compare(before, after, (240, 320))  # for comparison: without the tone
    assert blind.share > 0.5 and blind.tone == 0


def test_what_was_filled_in_has_a_colour_of_its_own_and_is_no_other_change() -> None:
    before = picture(1)
    after, filled = corrected(before), np.zeros((240, 320), np.uint8)
    filled[60:63, 20:300] = 255
    after[60:63, 20:300] = 255 - after[60:63, 20:300]
    change = changes.compare(before, after, (120, 160), filled=filled, corrects_tone=True)
    assert (change.overlay[30, 12:148] == changes.FILLED).all()
    assert not (change.overlay[[10, 60, 110]] == changes.FILLED).all(axis=2).any()
    assert change.share < 0.01


def test_what_was_protected_is_unchanged_where_all_else_has_a_new_tone() -> None:
    before = picture(2)
    after = corrected(before)
    after[:60, :80] = before[:60, :80]
    change = changes.compare(before, after, (240, 320), corrects_tone=True)
    assert change.tone > 10 and not change.overlay[:60, :80, 3].any()


def test_tone_that_stayed_is_not_said_to_be_corrected() -> None:
    before = picture(3)
    after = cv2.GaussianBlur(before, (0, 0), 1)
    after[100:140, 50:110] = 30
    change = changes.compare(before, np.asarray(after, np.uint8), (240, 320), corrects_tone=True)
    assert change.tone == 0


@pytest.mark.parametrize("height", [600, 512, 1])
def test_sharpness_doubles_with_the_contrast_and_knows_no_seams(height: int) -> None:
    ramp = np.broadcast_to((np.arange(100) % 2 * 40 + 60)[None, :, None], (height, 100, 3))
    soft = np.ascontiguousarray(np.repeat(np.repeat(ramp[:, :50], 2, 1), 1, 0).astype(np.uint8))
    hard = ((soft.astype(int) - 60) * 2 + 60).astype(np.uint8)
    assert changes.sharpness(hard) == pytest.approx(2 * changes.sharpness(soft))
    assert changes.compare(soft, hard, (10, 10)).sharpness == pytest.approx(2)
    assert changes.sharpness(soft) == pytest.approx(changes.sharpness(soft[:1]), rel=1e-6)
