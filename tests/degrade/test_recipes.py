from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from unfade.degrade import MIXTURES, RECIPES, SEVERITIES, UNSEEN, degrade
from unfade.degrade.joint import joint
from unfade.degrade.recipes import severity
from unfade.degrade.types import Image
from unfade.errors import UsageError
from unfade.rng import generator

MakeImage = Callable[..., Image]
DAMAGE = {
    "scratches", "abrasion", "hairs", "cracks", "network", "wrinkles", "fold", "dust", "blots",
    "flakes", "torn", "scribble", "rubbed", "worn_edges", "handwriting", "strip",
}  # fmt: skip
NOISE = {"gaussian", "poisson", "grain", "grain_size"}
ALLOWED = {
    "noise+blur": NOISE | {"blur"},
    "scratches+fading": DAMAGE | {"tone"},
    "compression+noise": NOISE | {"jpeg"},
}


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("level", [*SEVERITIES, *MIXTURES])
def test_degrade_runs_every_recipe_by_name(picture: MakeImage, recipe: str, level: str) -> None:
    if recipe == "deterioration" and level in MIXTURES:
        with pytest.raises(UsageError, match="for deterioration"):
            degrade(picture(), generator(0, "r"), recipe, level=level)
        return
    for number in range(8):
        d = degrade(picture(), generator(0, "r", number), recipe, level=level, scale=2)
        assert d.lq.dtype == np.float32 and d.lq.min() >= 0 and d.lq.max() <= 1
        assert d.params or level not in MIXTURES  # a print may have been kept well


@pytest.mark.parametrize("name", MIXTURES)
def test_mixtures_hold_their_kinds_and_nothing_else(picture: MakeImage, name: str) -> None:
    identity = {
        "op": "tone",
        "gamma": [1] * 3,
        "floor": [0] * 3,
        "ceiling": [1] * 3,
        "saturation": 1,
    }
    ops, damaged = set[str](), 0
    for number in range(100):
        d = degrade(picture(), generator(0, "mix", number), level=name)
        assert {str(n["op"]) for n in d.params} <= ALLOWED[name]
        tones = [n for n in d.params if n["op"] == "tone"]
        assert len(tones) == ("fading" in name) and identity not in tones
        damaged += bool(d.mask.any())
        ops |= {str(n["op"]) for n in d.params}
    assert ops == ALLOWED[name]
    assert damaged > 50 if "scratches" in name else damaged == 0


@pytest.mark.parametrize("name", UNSEEN)
def test_mixtures_that_training_never_drew_hold_two_damages(picture: MakeImage, name: str) -> None:
    hq = picture()
    d = degrade(hq, generator(0, "mix"), level=name)
    assert "+".join(str(note["op"]) for note in d.params) == name
    assert d.lq.shape == hq.shape and d.hq is hq and not d.mask.any()
    if name == "motion+impulse":
        extreme = ((d.lq == 0) | (d.lq == 1)).all(2).mean()
        assert extreme == pytest.approx(float(str(d.params[1]["share"])), rel=0.3)
    else:
        assert len(np.unique(d.lq[..., 0])) <= int(str(d.params[1]["count"]))
    with pytest.raises(UsageError, match="for deterioration"):
        degrade(hq, generator(0, "mix"), "deterioration", level=name)


def test_the_joint_family_is_blur_then_downsampling_then_noise(picture: MakeImage) -> None:
    hq = picture()
    small = joint(hq, generator(0, "j"), blur=4, scale=2).lq
    noisy = joint(hq, generator(0, "j"), blur=4, scale=2, noise=0.05).lq
    assert small.shape == (hq.shape[0] // 2, hq.shape[1] // 2, 3)
    inside = (small > 0.2) & (small < 0.8)  # where nothing is clipped
    assert (noisy - small)[inside].std() == pytest.approx(0.05, rel=0.05)
    plain = joint(hq, generator(0, "j"), scale=2).lq
    assert np.abs(np.diff(small, axis=1)).mean() < np.abs(np.diff(plain, axis=1)).mean()
    assert np.array_equal(joint(hq, generator(0, "j")).lq, hq)


@pytest.mark.parametrize(("values", "words"), [({"scale": 3}, "1, 2 or 4"), ({"noise": 2}, "0 to")])
def test_the_joint_family_refuses_other_values(
    picture: MakeImage, values: dict[str, int], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        joint(picture(), generator(0, "j"), **values)


def test_severities_have_names_and_get_worse(picture: MakeImage) -> None:
    assert severity("light") is SEVERITIES["light"]
    with pytest.raises(UsageError, match=r"'awful'.*moderate.*noise"):
        severity("awful")
    errors: list[float] = []
    for name in ("light", "moderate", "heavy"):
        pairs = [degrade(picture(), generator(0, "s", i), level=name) for i in range(25)]
        errors.append(float(np.mean([np.square(d.lq - d.hq).mean() for d in pairs])))
    assert errors == sorted(errors)


@pytest.mark.parametrize(
    ("recipe", "level", "scale", "words"),
    [
        ("new-photo", "light", 4, "old-photo, deterioration, real-sr"),
        ("old-photo", "awful", 4, "light, moderate"),
        ("real-sr", "light", 3, "2 or 4"),
    ],
)
def test_degrade_refuses_unknown_names(
    picture: MakeImage, recipe: str, level: str, scale: int, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        degrade(picture(), generator(0, "r"), recipe, level=level, scale=scale)
