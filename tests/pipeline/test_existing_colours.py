"""Colouring a photo that has colours: they are refreshed, unless they are to be replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from unfade.api import Restorer
from unfade.imaging import Photo, read_photo
from unfade.options import RestoreOptions, Task
from unfade.pipeline.tone import has_colours

Levels = NDArray[np.float64]  # (H, W, 3), sRGB in 0..1


def scene(saturation: float = 1.0) -> Levels:
    """(96, 128, 3): shades of gray with a red, a green and a blue part."""
    y, x = np.mgrid[:96, :128].astype(np.float64)
    gray = 0.25 + 0.004 * x + 0.05 * np.sin(y / 5)
    rgb = np.repeat(gray[..., None], 3, 2)
    for left, colour in ((8, (0.3, -0.08, -0.08)), (48, (-0.1, 0.1, -0.1)), (88, (-0.1, 0, 0.3))):
        rgb[20:80, left : left + 32] += saturation * np.array(colour)
    return rgb


def faded(rgb: Levels) -> Levels:
    """Less contrast, and a yellow cast."""
    return (0.6 * rgb + 0.25) * (1, 0.95, 0.85)


def hand_tinted(share: float) -> Levels:
    """A gray photo with a rosy rectangle of this share, faded, with grain."""
    rgb = scene(0).astype(np.float32)
    height, width = (round(side * share**0.5) for side in rgb.shape[:2])
    part = rgb[30 : 30 + height, 40 : 40 + width]
    lab = cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_RGB2LAB) + np.array(
        (0, 22, 12), np.float32
    )
    part[...] = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    aged = (0.68 * rgb + 0.18) * (1, 0.98, 0.92)
    noise = np.random.default_rng(0).normal(0, 0.01, rgb.shape)
    return np.asarray(aged + noise, np.float64)


def stored(rgb: Levels) -> NDArray[np.uint8]:
    return np.rint(255 * rgb.clip(0, 1)).astype(np.uint8)


def chroma(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Lab's a and b, (H, W, 2)."""
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return np.asarray(lab[..., 1:], np.float32)


@pytest.fixture
def photo_of(tmp_path: Path) -> Callable[[Levels], Photo]:
    def make(rgb: Levels) -> Photo:
        cv2.imwrite(str(tmp_path / "a.png"), stored(rgb)[..., ::-1])
        return read_photo(tmp_path / "a.png")

    return make


_GRAY = scene(0).repeat(4, 0).repeat(4, 1)  # grain is smaller than a cell of the thumbnail
_GRAIN = np.random.default_rng(0).normal(0, 0.03, _GRAY.shape)


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [
        (scene(), True), (faded(scene()), True), (faded(scene(0.4)), True),
        (hand_tinted(0.02), True), (hand_tinted(0.05), True),
        (_GRAY, False), (_GRAY + _GRAIN, False),
        (faded(_GRAY), False), (0.8 * _GRAY ** (0.9, 1, 1.15) * (1, 0.92, 0.78), False),
        (_GRAY * (0.85, 0.95, 1) + _GRAIN, False),
    ],
    ids=["colours", "faded", "pale", "tinted 2 %", "tinted 5 %", "gray", "grain", "yellowed",
         "sepia", "blue tone"],
)  # fmt: skip
def test_colours_are_told_from_gray_and_from_a_tint(
    photo_of: Callable[[Levels], Photo], rgb: Levels, expected: bool
) -> None:
    assert has_colours(photo_of(rgb)) is expected


def test_colours_in_the_damage_do_not_count(photo_of: Callable[[Levels], Photo]) -> None:
    rgb, mask = scene(0), np.zeros((96, 128), np.uint8)
    rgb[40:60, 30:90] = (0.8, 0.6, 0.1)  # tape
    mask[38:62, 28:92] = 255
    photo = photo_of(rgb)
    assert has_colours(photo) and not has_colours(photo, mask)


@pytest.mark.parametrize("aged", [faded(scene()), faded(scene(0.6))], ids=["faded", "pale"])
def test_faded_colours_are_refreshed_and_keep_their_hues(restorer: Restorer, aged: Levels) -> None:
    out = restorer.restore(stored(aged), task="colorize", mask="none", existing_colours="refresh")
    assert out.manifest["colours"] == {"refreshed": True, "saturation": 1.0}
    assert out.manifest["diffusion"] is None
    assert out.manifest["options"]["existing_colours"] == "refresh"
    before, after = chroma(stored(scene())), chroma(out.to_numpy())
    for left in (8, 48, 88):  # red, green, blue
        place = slice(30, 70), slice(left + 8, left + 24)
        asked, got = before[place].mean((0, 1)), after[place].mean((0, 1))
        cosine = asked @ got / np.linalg.norm(asked) / np.linalg.norm(got)
        assert cosine > np.cos(np.radians(30))
    was = np.linalg.norm(chroma(stored(aged)), axis=2).mean()
    assert np.linalg.norm(after, axis=2).mean() > 0.9 * was


def test_replacing_looks_at_the_luminance_alone(restorer: Restorer) -> None:
    given: dict[str, Any] = {"task": "colorize", "mask": "none", "existing_colours": "replace"}
    out = restorer.restore(stored(scene()), **given)
    assert out.manifest["options"]["existing_colours"] == "replace"
    assert "refreshed" not in (out.manifest["colours"] or {})
    red = chroma(out.to_numpy())[30:70, 16:32].mean((0, 1))
    core = chroma(stored(scene()))[30:70, 16:32].mean((0, 1))
    assert np.linalg.norm(red - core) > 10  # nobody could have known


@pytest.mark.parametrize("task", ["colorize", "old-photo"])
@pytest.mark.parametrize("share", [0.02, 0.05])
def test_hand_tinted_part_keeps_its_colour(restorer: Restorer, task: Task, share: float) -> None:
    aged = stored(hand_tinted(share))
    out = restorer.restore(aged, task=task, mask="none")
    place = slice(32, 42), slice(42, 56)
    was, got = (np.linalg.norm(chroma(x)[place].mean((0, 1))) for x in (aged, out.to_numpy()))
    assert was > 10 and got >= 0.8 * was


def test_a_photo_that_is_sepia_throughout_becomes_neutral(restorer: Restorer) -> None:
    sepia = stored(0.8 * scene(0) ** (0.9, 1, 1.15) * (1, 0.92, 0.78))
    out = restorer.restore(sepia, mask="none").to_numpy()
    was, got = (np.linalg.norm(chroma(x), axis=2).mean() for x in (sepia, out))
    assert was > 8 and got < 0.5


def test_saturation_counts_for_refreshed_colours(restorer: Restorer) -> None:
    given: dict[str, Any] = {"task": "colorize", "mask": "none", "existing_colours": "refresh"}
    usual, half = (
        np.linalg.norm(
            chroma(restorer.restore(stored(scene()), saturation=s, **given).to_numpy()), axis=2
        ).mean()
        for s in (1.0, 0.5)
    )
    assert half == pytest.approx(0.5 * usual, rel=0.05)


def test_refreshing_is_told_where_nobody_asked_for_it(
    restorer: Restorer, caplog: pytest.LogCaptureFixture
) -> None:
    restorer.restore(stored(scene()), task="colorize", mask="none", prompt="a dress")
    told = " ".join(record.getMessage() for record in caplog.records)
    assert "this photo has colours: they were refreshed; existing_colours='replace'" in told
    assert "no effect: prompt" in told
    caplog.clear()
    restorer.restore(stored(scene(0)), task="colorize", mask="none")
    restorer.restore(
        stored(scene()), task="colorize", mask="none", existing_colours="refresh"
    )  # fmt: skip
    assert not caplog.records


def test_refreshing_mends_only_the_damage_that_it_is_asked_to(
    restorer: Restorer, caplog: pytest.LogCaptureFixture
) -> None:
    scratched = stored(scene())
    scratched[:, 60:62] = 250
    found = np.zeros(scratched.shape[:2], np.uint8)
    found[:, 60:62] = 255
    options = RestoreOptions(task="colorize", existing_colours="refresh", tone="keep")
    kept = restorer.run(scratched, options, found=found)
    assert kept.mask is None and kept.manifest["damaged"] is None
    assert kept.to_numpy()[:, 60].mean() > 225
    assert "1.56 % of this photo looks damaged and was left as it is; task=" in caplog.text
    mended = restorer.run(scratched, replace(options, only_damage=True), found=found)
    assert mended.manifest["damaged"] == pytest.approx(2 / 128, abs=1e-6)
    assert mended.to_numpy()[:, 60].mean() < 180
