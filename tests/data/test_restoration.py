from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from unfade.data.restoration import RestorationOptions, TaskInput, draw_task
from unfade.errors import UsageError

OLD = RestorationOptions(old_photo=1, colorize=0, super_resolution=0)
GRAY = RestorationOptions(old_photo=0, colorize=1, super_resolution=0)
SMALL = RestorationOptions(old_photo=0, colorize=0, super_resolution=1)


@pytest.fixture
def hq() -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.random((8, 8, 3), dtype=np.float32)
    return cv2.resize(coarse, (64, 64), interpolation=cv2.INTER_CUBIC).clip(0, 1)


def drawn(hq: np.ndarray, options: RestorationOptions, count: int = 40) -> list:
    return [draw_task(hq, np.random.default_rng(i), options) for i in range(count)]


@pytest.mark.parametrize("options", [OLD, GRAY, SMALL, RestorationOptions()])
def test_inputs_have_the_size_of_the_photo(hq: np.ndarray, options: RestorationOptions) -> None:
    kept = hq.copy()
    for given in drawn(hq, options, 12):
        assert given.lq.shape == hq.shape and given.lq.dtype == np.float32
        assert given.lq.min() >= 0 and given.lq.max() <= 1
        assert given.mask.shape == (64, 64) and set(np.unique(given.mask)) <= {0, 1}
    np.testing.assert_array_equal(hq, kept)


def test_old_photos_keep_their_tone_and_some_are_clean(hq: np.ndarray) -> None:
    found = drawn(hq, replace(OLD, clean=0.3, severities=(1, 0, 0)), 60)
    clean = [np.array_equal(g.lq, hq) for g in found]
    assert 8 < sum(clean) < 30
    assert any(g.mask.any() for g in found)
    for g in found:
        assert g.aged and g.prompted
        sound = g.mask == 0
        if sound.mean() < 0.2:  # a lost border takes most of so small a photo
            continue
        assert np.abs(g.lq[sound].mean(0) - hq[sound].mean(0)).max() < 0.06


def test_photos_to_colourise_are_gray_and_some_are_aged(hq: np.ndarray) -> None:
    found = drawn(hq, replace(GRAY, aged=0.5), 40)
    for g in found:
        assert np.ptp(g.lq, axis=2).max() < 1e-6 and g.prompted
    assert 8 < sum(g.aged for g in found) < 32
    plain = next(g for g in found if not g.aged)
    np.testing.assert_allclose(plain.lq[..., 0], hq @ [0.2126, 0.7152, 0.0722], atol=1e-5)


def test_super_resolution_is_never_prompted_and_loses_detail(hq: np.ndarray) -> None:
    noise = np.random.default_rng(0).random(hq.shape, dtype=np.float32)
    for g in drawn(noise, SMALL, 12):
        assert not g.prompted and not g.aged and not g.mask.any()
        assert g.lq.std() < 0.8 * noise.std()


def test_tasks_come_at_their_shares(hq: np.ndarray) -> None:
    options = RestorationOptions(old_photo=0.2, colorize=0.5, super_resolution=0.3, aged=0.0)
    found = drawn(hq, options, 200)
    gray = np.mean([np.ptp(g.lq, axis=2).max() < 1e-6 for g in found])
    small = np.mean([not g.prompted for g in found])
    assert gray == pytest.approx(0.5, abs=0.1) and small == pytest.approx(0.3, abs=0.1)


def test_check_refuses_shares_that_do_not_add_up() -> None:
    RestorationOptions().check()
    with pytest.raises(UsageError, match="old_photo"):
        RestorationOptions(old_photo=0.9).check()
    with pytest.raises(UsageError, match="severities"):
        RestorationOptions(severities=(1.0, 1.0, 0.0)).check()


def test_old_photos_fade_where_that_is_asked_for(hq: np.ndarray) -> None:
    options = replace(OLD, clean=0, severities=(0, 0, 1))

    def change(given: TaskInput) -> float:
        return float(np.abs(given.lq - hq)[given.mask == 0].mean())

    plain = np.median([change(g) for g in drawn(hq, options, 30)])
    faded = np.median([change(g) for g in drawn(hq, replace(options, fading=True), 30)])
    assert faded > 1.5 * plain
