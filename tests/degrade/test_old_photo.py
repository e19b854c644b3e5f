from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from unfade.degrade import SEVERITIES, Degraded, old_photo
from unfade.degrade.old_photo import visible
from unfade.degrade.severity import HEAVY, MODERATE, Severity
from unfade.degrade.stencils import KINDS, Stencil
from unfade.degrade.types import Image
from unfade.rng import generator

MakeImage = Callable[..., Image]
FIELDS = ("lq", "hq", "toned", "mask", "lost")
#: What is drawn when shapes of real damage are not -> its kind.
DAMAGE = {
    "scratches": "scratches", "abrasion": "abrasion", "hairs": "hairs", "cracks": "cracks",
    "network": "networks", "wrinkles": "creases", "fold": "creases", "dust": "specks",
    "blots": "blobs", "flakes": "blobs", "torn": "borders", "scribble": "writing",
    "rubbed": "abrasion", "worn_edges": "abrasion", "handwriting": "writing", "strip": "stains",
}  # fmt: skip
#: Damage alone, and with a change of tone.
DAMAGED = Severity("damaged", 0.0, 0.0, 98, 0.0, 2.0, 1.0, 0.0, True)
FADED = replace(DAMAGED, fade=0.9)
FLAT = np.full((96, 96, 3), 0.45, np.float32)
VISIBLE = 2 / 255


@pytest.fixture(scope="module")
def stencils() -> list[Stencil]:
    """A hook of thin lines and a disc."""
    hook, disc = np.zeros((200, 100), np.uint8), np.zeros((120, 120), np.uint8)
    hook[:, 10:16], hook[150:156, 10:90] = 255, 255
    cv2.circle(disc, (60, 60), 50, (255,), -1)
    shapes = {"hair": hook, "stain": disc}
    return [Stencil(k, cv2.imencode(".png", s)[1].tobytes()) for k, s in shapes.items()]


def ops(d: Degraded) -> list[str]:
    return [str(note["op"]) for note in d.params]


def kinds(d: Degraded) -> set[str]:
    return {str(note["kind"]) for note in d.params if "kind" in note}


def check(d: Degraded, size: tuple[int, int]) -> None:
    for image in (d.lq, d.hq, d.toned):
        assert image.shape == (*size, 3) and image.dtype == np.float32
        assert np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1
    for mask in (d.mask, d.lost, *d.kinds.values()):
        assert mask.shape == size and mask.dtype == np.float32
        assert set(np.unique(mask)) <= {0.0, 1.0}
    assert (d.lost <= d.mask).all()
    union = np.maximum.reduce([np.zeros(size, np.float32), *d.kinds.values()])
    np.testing.assert_array_equal(d.mask, union)
    assert set(d.kinds) == kinds(d)
    assert all(isinstance(note["op"], str) for note in d.params)
    assert json.loads(json.dumps(d.params)) == d.params


@pytest.mark.parametrize("name", SEVERITIES)
@pytest.mark.parametrize("unit", [None, 0.6, 3.0])
def test_old_photo_is_pure_and_sound(
    picture: MakeImage, stencils: list[Stencil], name: str, unit: float | None
) -> None:
    image = picture(72, 96)
    kept = image.copy()
    equal = 0
    for number in range(8):
        shapes = stencils if number % 2 else []

        def aged(seed: int, n: int = number, shapes: list[Stencil] = shapes) -> Degraded:
            rng = generator(seed, "x", n)
            return old_photo(image, rng, SEVERITIES[name], unit=unit, stencils=shapes)

        a, b = aged(0), aged(0)
        check(a, (72, 96))
        for field in FIELDS:
            np.testing.assert_array_equal(getattr(a, field), getattr(b, field))
        assert a.params == b.params and a.kinds.keys() == b.kinds.keys()
        equal += np.array_equal(a.lq, aged(1).lq)
    assert equal <= 1  # two prints that were kept well
    np.testing.assert_array_equal(image, kept)


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (200, 1), (3, 5)])
def test_old_photo_takes_tiny_photos(
    picture: MakeImage, stencils: list[Stencil], size: tuple[int, int]
) -> None:
    for number in range(24):
        shapes = stencils if number % 2 else []
        d = old_photo(picture(*size), generator(0, "tiny", number), HEAVY, stencils=shapes)
        check(d, size)


def test_old_photo_has_no_mask_when_it_is_not_damaged_and_mostly_one_when_it_is(
    picture: MakeImage,
) -> None:
    whole = replace(MODERATE, clean=1.0)
    for number in range(10):
        d = old_photo(picture(), generator(0, "clean", number), whole)
        assert not d.mask.any() and not d.lost.any() and d.kinds == {}
        assert not set(ops(d)) & set(DAMAGE)
    masks = [old_photo(picture(), generator(0, "h", i), HEAVY).mask.mean() for i in range(20)]
    assert np.mean([m > 0 for m in masks]) > 0.8
    assert 0.005 < np.mean(masks) < 0.4


def test_every_kind_of_damage_is_drawn_and_told(picture: MakeImage) -> None:
    seen = dict[str, str]()
    for number in range(160):
        d = old_photo(picture(40, 40), generator(0, "kinds", number), DAMAGED)
        seen |= {str(n["op"]): str(n["kind"]) for n in d.params if "kind" in n}
    assert seen == DAMAGE


def test_shapes_of_real_damage_are_laid_on_photos(
    picture: MakeImage, stencils: list[Stencil]
) -> None:
    real, lonely = 0, list[Degraded]()
    for number in range(60):
        d = old_photo(picture(), generator(0, "real", number), DAMAGED, stencils=stencils)
        notes = [n for n in d.params if "kind" in n]
        shapes = [n for n in notes if n["kind"] != DAMAGE[str(n["op"])]]
        assert {str(n["kind"]) for n in shapes} <= {KINDS[s.kind] for s in stencils}
        real += bool(shapes)
        if len(notes) == 1 and shapes:
            lonely.append(d)
    assert 15 < real < 50
    assert np.mean([d.mask.any() for d in lonely]) > 0.5


@pytest.mark.parametrize("severity", [DAMAGED, FADED])
def test_the_mask_lies_where_the_photo_differs_from_its_twin(severity: Severity) -> None:
    differs = list[float]()
    for number in range(40):
        d = old_photo(FLAT, generator(0, "twin", number), severity, unit=0.6)
        change = np.abs(d.lq - d.toned).max(2)
        if not d.mask.any():
            continue
        differs.append(float((change[d.mask > 0] > VISIBLE).mean()))
        if "fold" not in ops(d):  # whose band of shade is no damage
            rim = cv2.dilate(d.mask, np.ones((5, 5), np.uint8))  # dimmer than what it surrounds
            assert (change[rim == 0] > 0.12).mean() < 0.002
            assert change[d.mask == 0].mean() < 0.2 * change[d.mask > 0].mean()
    assert len(differs) > 25 and min(differs) > 0.7 and np.mean(differs) > 0.94


def test_a_photo_and_its_twin_are_the_same_where_no_damage_was_laid() -> None:
    same = list[float]()
    for number in range(25):
        d = old_photo(FLAT, generator(0, "same", number), FADED, unit=0.6)
        if set(ops(d)) & {"fold", "flakes", "torn"}:
            continue  # they reach far
        far = cv2.dilate(np.maximum(d.mask, d.lost), np.ones((9, 9), np.uint8)) == 0
        same.append(float((np.abs(d.lq - d.toned).max(2)[far] < 1e-6).mean()))
    assert len(same) > 10 and np.median(same) > 0.98


def line(contrast: float, sigma: float = 0.0) -> tuple[Image, Image]:
    """A flat photo with a line of 2 pixels, both blurred, and its twin."""
    image = FLAT.copy()
    image[46:48, 10:86] += contrast
    if sigma:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)
    return image, FLAT


def test_visible_finds_a_line_without_the_dim_rim_of_a_blurred_one() -> None:
    for contrast in (0.3, -0.3):
        shown = visible(*line(contrast))
        assert shown.dtype == np.float32 and set(np.unique(shown)) == {0.0, 1.0}
        assert (shown[46:48, 10:86] == 1).all()
        assert shown.sum() <= 6 * 80  # and perhaps a pixel or two around
    assert not visible(FLAT, FLAT).any()
    image, twin = line(0.5, sigma=1.5)
    change = np.abs(image - twin).max(2)[20:70, 48]  # across its middle
    shown = visible(image, twin)[20:70, 48] > 0
    assert shown[change > 0.5 * change.max()].all()
    assert not shown[change < 0.2 * change.max()].any()
    assert (change[~shown] > 0.04).any()  # a rim that would show, were it alone


def test_damage_that_does_not_show_is_none() -> None:
    assert not visible(*line(0.01)).any()  # too faint
    assert visible(*line(0.12)).any() and not visible(*line(0.12, sigma=8)).any()  # blurred away
    grain = np.random.default_rng(0).normal(0, 0.15, FLAT.shape).astype(np.float32)
    image, twin = line(0.11)
    assert visible(image, twin)[46:48, 10:86].all()
    assert visible(image + grain, twin + grain)[46:48, 10:86].mean() < 0.05  # drowned in noise
    strong = line(0.6)[0]
    assert visible(strong + grain, twin + grain)[46:48, 10:86].mean() > 0.9


def test_visible_hides_damage_in_texture_more_than_on_even_parts() -> None:
    twin = FLAT.copy()
    twin[:, ::2] += 0.4  # blinds
    image = twin.copy()
    image[46:48, 10:86] += 0.11
    assert visible(image, twin).mean() < 0.5 * visible(*line(0.11)).mean()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2)])
def test_visible_takes_tiny_photos(size: tuple[int, int]) -> None:
    image, black = np.ones((*size, 3), np.float32), np.zeros((*size, 3), np.float32)
    assert visible(image, black).shape == size and visible(image, black).all()
    assert not visible(image, image).any()


def test_the_more_noise_the_less_damage_shows() -> None:
    def shown(noise: float) -> float:
        severity = replace(DAMAGED, noise=noise)  # the same damage, whatever the noise
        found = [old_photo(FLAT, generator(0, "n", i), severity, unit=0.6) for i in range(15)]
        return float(np.mean([d.mask.mean() for d in found]))

    areas = [shown(noise) for noise in (1e-6, 0.3, 2.0)]
    assert areas[0] > areas[1] > areas[2] and areas[2] < 0.4 * areas[0]


def test_the_order_of_what_happens_varies(picture: MakeImage) -> None:
    rich = replace(HEAVY, damage=2.0)
    names = {"gaussian": "noise", "poisson": "noise", "grain": "noise"}
    orders = list[list[str]]()
    for number in range(60):
        d = old_photo(picture(32, 32), generator(0, "order", number), rich)
        told = [names.get(op, op) for op in ops(d)]
        orders.append(["damage" if op in DAMAGE else op for op in told])

    def before(a: str, b: str) -> set[bool]:
        places = [[np.flatnonzero(np.array(o) == x) for x in (a, b)] for o in orders]
        return {bool(i < j) for first, second in places for i in first for j in second}

    for a, b in (
        ("damage", "tone"),
        ("damage", "jpeg"),
        ("damage", "scan_blur"),
        ("noise", "tone"),
        ("damage", "noise"),
        ("vignette", "tone"),
    ):
        assert before(a, b) == {True, False}, (a, b)
    assert before("blur", "tone") == {True}  # the lens comes first


def test_the_target_is_gray_where_a_change_of_tone_took_all_colour(picture: MakeImage) -> None:
    seen = set[bool]()
    for number in range(40):
        d = old_photo(picture(), generator(0, "gray", number))
        gray = bool(np.ptp(d.hq, axis=2).max() < 1e-6)
        assert gray == any(n["op"] == "tone" and n["saturation"] == 0 for n in d.params)
        if not gray:
            np.testing.assert_array_equal(d.hq, picture())
        seen.add(gray)
    assert seen == {False, True}


def test_toned_has_the_tone_and_nothing_else(picture: MakeImage) -> None:
    quiet = Severity("faded", 0.0, 0.0, 98, 0.9, 0.0, 0.0, 1.0, True)
    for number in range(10):
        d = old_photo(picture(), generator(0, "toned", number), quiet)
        np.testing.assert_array_equal(d.lq, d.toned)
        assert ops(d) == ["tone"] and np.abs(d.toned - picture()).max() > 0.01


def test_a_lost_border_is_damage_at_the_edge() -> None:
    found = 0
    for number in range(120):
        d = old_photo(FLAT, generator(0, "lost", number), replace(DAMAGED, damage=1.0), unit=0.4)
        assert d.lost.any() <= ("torn" in ops(d))
        if d.lost.any():
            found += 1
            assert (d.kinds["borders"] >= d.lost).all()
            edges = np.concatenate([d.lost[0], d.lost[-1], d.lost[:, 0], d.lost[:, -1]])
            assert edges.any()
    assert found > 3


def test_old_photo_blurs_in_proportion_to_the_photo() -> None:
    edge = np.zeros((16, 800, 3), np.float32)
    edge[:, 400:] = 1
    blur_only = replace(HEAVY, noise=0, jpeg=98, fade=0, damage=0, clean=1.0, blur=1.8, only=True)
    slopes = [
        float(
            np.abs(
                np.diff(old_photo(edge, generator(0, "b", 3), blur_only, unit=u).lq[8, :, 0])
            ).max()
        )
        for u in (1.0, 2.0, 8.0)
    ]
    assert slopes[0] / slopes[1] == pytest.approx(2, rel=0.15)
    assert slopes[0] / slopes[2] == pytest.approx(8, rel=0.15)
