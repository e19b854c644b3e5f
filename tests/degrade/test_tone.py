from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from unfade.degrade import tone
from unfade.degrade.ops import luma
from unfade.degrade.types import Image

MakeImage = Callable[..., Image]

KINDS: dict[str, Callable[[np.random.Generator, float], tone.Tone]] = {
    "contrast": tone.contrast_loss,
    "dye": tone.dye_fading,
    "yellow": tone.yellowing,
    "mono": lambda rng, amount: tone.monochrome(rng, amount, 0.0),
    "sepia": lambda rng, amount: tone.monochrome(rng, amount, 0.8),
    "tinted": tone.tinted,
    "gray": tone.gray_on_gray,
}


@pytest.mark.parametrize("size", [(64, 80), (1, 1), (1, 200), (200, 1)])
def test_tone_is_the_identity_when_nothing_is_set(
    picture: MakeImage, size: tuple[int, int]
) -> None:
    image = picture(*size)
    out = tone.Tone().apply(image)
    assert out.shape == image.shape and out.dtype == np.float32
    np.testing.assert_allclose(out, image, atol=1.1e-4)


def test_tone_is_the_formula_it_documents(picture: MakeImage) -> None:
    change = tone.Tone((0.8, 1.0, 1.3), (0.1, 0.05, 0.0), (0.9, 0.95, 0.7), 0.6)
    image = np.clip(picture(), 0.2, 0.8)
    gray = luma(image)[..., None]
    x = gray + 0.6 * (image - gray)
    expected = np.array([0.1, 0.05, 0.0]) + np.array([0.8, 0.9, 0.7]) * x ** np.array([0.8, 1, 1.3])
    np.testing.assert_allclose(change.apply(image), expected, atol=1e-4)


@pytest.mark.parametrize("name", KINDS)
def test_kinds_of_tone_are_pure_and_recorded(picture: MakeImage, name: str) -> None:
    image = picture()
    kept = image.copy()
    for seed in range(10):
        change = KINDS[name](np.random.default_rng(seed), 1.0)
        assert change == KINDS[name](np.random.default_rng(seed), 1.0)
        assert change != KINDS[name](np.random.default_rng(seed + 99), 1.0)
        assert all(f < c for f, c in zip(change.floor, change.ceiling, strict=True))
        out = change.apply(image)
        assert out.min() >= 0 and out.max() <= 1 and out.dtype == np.float32
        note = json.loads(json.dumps(change.params()))
        assert note == {"op": "tone", **{k: note[k] for k in FIELDS}}
        gamma, floor, ceiling = (tuple(note[k]) for k in FIELDS[:3])
        assert tone.Tone(gamma, floor, ceiling, note["saturation"]) == change
    np.testing.assert_array_equal(image, kept)


FIELDS = ("gamma", "floor", "ceiling", "saturation")


@pytest.mark.parametrize("name", ["contrast", "dye", "yellow"])
def test_kinds_of_tone_do_nothing_when_the_amount_is_zero(picture: MakeImage, name: str) -> None:
    out = KINDS[name](np.random.default_rng(0), 0.0).apply(picture())
    # yellowing's ceiling varies by a factor of its amount alone
    np.testing.assert_allclose(out, picture(), atol=2e-4)


def test_monochrome_leaves_no_colour_but_the_tint_and_yellowing_takes_most_from_blue(
    picture: MakeImage,
) -> None:
    out = tone.monochrome(np.random.default_rng(0), 1.0, 0.0).apply(picture())
    np.testing.assert_allclose(out[..., 0], out[..., 2], atol=1e-4)
    sepia = tone.monochrome(np.random.default_rng(0), 1.0, 1.0).apply(picture())
    assert (sepia[..., 0] > sepia[..., 2] + 0.03).all()
    white = np.ones((1, 1, 3), np.float32)
    for seed in range(20):
        r, _, b = tone.yellowing(np.random.default_rng(seed), 1.0).apply(white)[0, 0]
        assert b < r - 0.03


def test_tinted_leaves_no_colour_but_tints_of_many_hues(picture: MakeImage) -> None:
    hues = set[int]()
    for seed in range(30):
        change = tone.tinted(np.random.default_rng(seed), 1.0)
        assert change.saturation == 0
        white = change.apply(np.ones((1, 1, 3), np.float32))[0, 0]
        hues.add(int(white.argmax()))
    assert hues == {0, 1, 2}


def test_gray_on_gray_leaves_little_contrast_at_any_brightness() -> None:
    ramp = np.repeat(np.linspace(0, 1, 50, dtype=np.float32)[None, :, None], 3, 2)
    outs = [tone.gray_on_gray(np.random.default_rng(s), 1.0).apply(ramp) for s in range(30)]
    assert max(float(np.ptp(out)) for out in outs) < 0.8
    middles = [float(out.mean()) for out in outs]
    assert min(middles) < 0.4 and max(middles) > 0.6


def test_any_levels_keep_some_range_and_the_order_of_brightness() -> None:
    ramp = np.repeat(np.linspace(0, 1, 50, dtype=np.float32)[None, :, None], 3, 2)
    spans: list[float] = []
    for seed in range(60):
        change = tone.any_levels(np.random.default_rng(seed))
        assert change == tone.any_levels(np.random.default_rng(seed))
        out = change.apply(ramp)
        assert (np.diff(out, axis=1) >= 0).all() and np.ptp(out, axis=1).min() > 0.08
        spans.append(float(np.ptp(out)))
    assert min(spans) < 0.4 and max(spans) > 0.8


def test_draw_tone_draws_kinds_with_and_without_colour_and_none_at_all() -> None:
    drawn = [tone.draw_tone(np.random.default_rng(seed), 0.8) for seed in range(120)]
    assert drawn == [tone.draw_tone(np.random.default_rng(seed), 0.8) for seed in range(120)]
    plain = sum(change == tone.Tone() for change in drawn)
    gray = sum(change.saturation == 0 for change in drawn)
    assert 5 < plain < 50 and 10 < gray < 70
