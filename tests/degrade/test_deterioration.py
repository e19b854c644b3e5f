from __future__ import annotations

import functools

import cv2
import numpy as np
import pytest

from unfade.degrade.deterioration import KINDS, deterioration
from unfade.degrade.deterioration_marks import MARKS
from unfade.degrade.deterioration_visible import backdrop, visible
from unfade.degrade.severity import HEAVY, LIGHT, MODERATE, SEVERITIES, Severity
from unfade.degrade.types import Degraded, Image

SEEDS = 60


def photo(height: int = 72, width: int = 96, seed: int = 5) -> Image:
    rng = np.random.default_rng(seed)
    coarse = rng.random((6, 8, 3)).astype(np.float32)
    picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    fine = rng.normal(0, 0.01, (height, width, 1))
    return np.clip(0.15 + 0.7 * picture + fine, 0, 1).astype(np.float32)


@functools.cache
def aged(seed: int, severity: Severity = MODERATE) -> Degraded:
    return deterioration(photo(), np.random.default_rng(seed), severity)


def damage_of(result: Degraded) -> list[str]:
    return [str(entry["op"]) for entry in result.params if "kind" in entry]


def test_a_generator_gives_one_photo_and_another_another() -> None:
    for seed in (0, 1, 2):
        again = deterioration(photo(), np.random.default_rng(seed))
        first = aged(seed)
        for name in ("lq", "hq", "toned", "mask", "lost"):
            np.testing.assert_array_equal(getattr(again, name), getattr(first, name))
        assert again.params == first.params
        assert again.kinds.keys() == first.kinds.keys()
    assert not np.array_equal(aged(0).lq, aged(1).lq)


@pytest.mark.parametrize("severity", [LIGHT, MODERATE, HEAVY], ids=lambda s: s.name)
@pytest.mark.parametrize("size", [(64, 64), (64, 201), (150, 97)])
def test_sizes_types_and_ranges(severity: Severity, size: tuple[int, int]) -> None:
    hq = photo(*size)
    for seed in range(3):
        result = deterioration(hq, np.random.default_rng(seed), severity)
        for picture in (result.lq, result.hq, result.toned):
            assert picture.shape == hq.shape
            assert picture.dtype == np.float32
            assert np.isfinite(picture).all()
            assert picture.min() >= 0
            assert picture.max() <= 1
        for mask in (result.mask, result.lost, *result.kinds.values()):
            assert mask.shape == size
            assert mask.dtype == np.float32
            assert set(np.unique(mask)) <= {0.0, 1.0}


def test_input_is_left_as_it_was() -> None:
    hq = photo()
    before = hq.copy()
    for seed in range(6):
        result = deterioration(hq, np.random.default_rng(seed), HEAVY)
        result.lq[:] = 0
        result.toned[:] = 0
        np.testing.assert_array_equal(hq, before)


def test_mask_is_the_union_of_the_kinds() -> None:
    for seed in range(SEEDS):
        result = aged(seed)
        union = np.zeros_like(result.mask)
        for kind, mask in result.kinds.items():
            assert kind in KINDS
            assert mask.any()
            union = np.maximum(union, mask)
        np.testing.assert_array_equal(union, result.mask)


def test_history_without_damage_has_an_empty_mask() -> None:
    clean = [aged(seed) for seed in range(SEEDS) if not damage_of(aged(seed))]
    assert 0.03 * SEEDS < len(clean) < 0.3 * SEEDS
    for result in clean:
        assert not result.mask.any()
        assert not result.lost.any()
        assert not result.kinds


def test_target_is_gray_exactly_where_the_process_had_no_colour() -> None:
    hq = photo()
    luma = hq @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    seen = set()
    for seed in range(30):
        result = aged(seed)
        mono = any(entry["op"] == "emulsion" for entry in result.params)
        seen.add(mono)
        if mono:
            np.testing.assert_allclose(result.hq, np.repeat(luma[..., None], 3, 2), atol=1e-6)
        else:
            np.testing.assert_array_equal(result.hq, hq)
    assert seen == {True, False}


def test_order_of_damage_and_copying_varies() -> None:
    orders = set()
    for seed in range(SEEDS):
        names = [str(entry["op"]) for entry in aged(seed).params]
        damage = [i for i, entry in enumerate(aged(seed).params) if "kind" in entry]
        for global_step in ("grain", "sensor", "jpeg"):
            if global_step in names:
                at = names.index(global_step)
                orders |= {(global_step, i < at) for i in damage}
    assert orders == {(s, b) for s in ("grain", "sensor", "jpeg") for b in (True, False)}


def test_every_kind_occurs() -> None:
    found = {kind for seed in range(SEEDS) for kind in aged(seed).kinds}
    found |= {kind for seed in range(12) for kind in aged(seed, HEAVY).kinds}
    assert found == set(KINDS)


def test_damage_grows_with_the_severity() -> None:
    means = [
        np.mean([aged(seed, SEVERITIES[name]).mask.mean() for seed in range(12)])
        for name in ("light", "moderate", "heavy")
    ]
    assert means[0] < means[1] < means[2]
    assert 0.005 < means[1] < 0.06


def test_lost_parts_lie_in_the_mask_and_reach_the_edge() -> None:
    found = 0
    for seed in range(SEEDS):
        result = aged(seed)
        assert (result.lost <= result.mask).all()
        if result.lost.any():
            found += 1
            inner = result.lost.copy()
            inner[[0, -1]] = 0
            inner[:, [0, -1]] = 0
            assert inner.sum() < result.lost.sum()
    assert found > 3


@pytest.mark.parametrize("name", sorted(MARKS))
def test_mark_changes_only_where_it_is(name: str) -> None:
    hq = photo()
    mark = MARKS[name](hq.shape[:2], 1.0, np.random.default_rng(3), 1.0)
    assert mark.kind in KINDS
    assert mark.cover.min() >= 0
    assert mark.cover.max() <= 1
    change = np.abs(mark.paint(hq) - hq).max(axis=2)
    near = cv2.dilate((mark.cover > 0.001).astype(np.uint8), np.ones((17, 17), np.uint8))
    assert change[near == 0].max(initial=0) < 0.02


def bar(height: int = 96, width: int = 128) -> np.ndarray:
    cover = np.zeros((height, width), np.float32)
    cover[40:44, 20:100] = 1
    return cover


def test_damage_is_seen_where_it_stands_out_and_not_below_the_noise() -> None:
    cover = bar()
    twin = np.full((96, 128, 3), 0.5, np.float32)
    twin += np.random.default_rng(0).normal(0, 0.02, (96, 128, 1)).astype(np.float32)
    delta = np.repeat(0.25 * cover[..., None], 3, 2).astype(np.float32)
    np.testing.assert_array_equal(
        visible(delta, backdrop(twin, 1.0), cover, 1.0, "scratches"), cover
    )
    noise = np.random.default_rng(0).normal(0, 0.25, (96, 128, 1)).astype(np.float32)
    twin = (0.5 + np.repeat(noise, 3, 2)).astype(np.float32)
    for strength in (0.01, 0.06):
        delta = np.repeat(strength * cover[..., None], 3, 2).astype(np.float32)
        assert visible(delta, backdrop(twin, 1.0), cover, 1.0, "scratches").mean() < 0.002


def test_faint_damage_of_large_extent_is_seen_in_noise_that_hides_specks() -> None:
    noise = np.random.default_rng(0).normal(0, 0.06, (96, 128, 1)).astype(np.float32)
    twin = (0.5 + np.repeat(noise, 3, 2)).astype(np.float32)
    large = np.zeros((96, 128), np.float32)
    large[30:60, 40:80] = 1
    small = np.zeros((96, 128), np.float32)
    small[10:90:10, 10:120:10] = 1
    shares = []
    for cover in (large, small):
        delta = np.repeat(0.06 * cover[..., None], 3, 2).astype(np.float32)
        seen = visible(delta, backdrop(twin, 1.0), cover, 1.0, "blobs")
        shares.append(float((seen * cover).sum() / cover.sum()))
    assert shares[0] > 0.8
    assert shares[1] < 0.2


def test_fainter_stretch_of_a_line_counts_only_where_it_goes_on_from_what_is_seen() -> None:
    twin = np.full((96, 128, 3), 0.5, np.float32)
    cover = bar()
    strength = cover * 0.033
    alone = np.repeat(strength[..., None], 3, 2).astype(np.float32)
    assert not visible(alone, backdrop(twin, 1.0), cover, 1.0, "cracks").any()
    strength[40:44, 20:60] = 0.06
    joined = np.repeat(strength[..., None], 3, 2).astype(np.float32)
    seen = visible(joined, backdrop(twin, 1.0), cover, 1.0, "cracks")
    assert seen[40:44, 70:95].all()


def test_faint_stain_is_not_damage_but_a_crack_of_its_strength_is() -> None:
    cover = bar()
    twin = np.full((96, 128, 3), 0.5, np.float32)
    delta = np.repeat(0.06 * cover[..., None], 3, 2).astype(np.float32)
    assert not visible(delta, backdrop(twin, 1.0), cover, 1.0, "stains").any()
    assert visible(delta, backdrop(twin, 1.0), cover, 1.0, "cracks").any()


def test_photo_away_from_the_mask_is_not_shifted() -> None:
    hq = photo(128, 128)
    for seed in range(12):
        result = deterioration(hq, np.random.default_rng(seed), LIGHT)
        light = result.lq.mean(2)
        scores = {}
        for dx in (-3, 0, 3):
            for dy in (-3, 0, 3):
                moved = np.roll(result.hq.mean(2), (dy, dx), (0, 1))[8:-8, 8:-8]
                scores[dy, dx] = np.corrcoef(moved.ravel(), light[8:-8, 8:-8].ravel())[0, 1]
        assert scores[0, 0] > 0.97 * max(scores.values())


def test_lengths_follow_the_unit() -> None:
    hq = photo(160, 160)
    for name in ("tears", "creases", "scratches"):
        areas = []
        for unit in (0.6, 1.8):
            covers = [
                MARKS[name](hq.shape[:2], unit, np.random.default_rng(seed), 1.0).cover
                for seed in range(8)
            ]
            areas.append(np.mean(covers))
        assert areas[1] > 1.5 * areas[0]


def test_unknown_severity_is_refused() -> None:
    other = Severity("storm", 0, 0, 100, 0, 0, 0, 0)
    with pytest.raises(ValueError, match="light, moderate, heavy"):
        deterioration(photo(), np.random.default_rng(0), other)
