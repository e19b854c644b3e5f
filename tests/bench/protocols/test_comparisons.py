"""The protocols that compare methods through the runner of the tables."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from unfade.bench.protocols import colour_methods
from unfade.bench.protocols import colours as colours_protocol
from unfade.bench.protocols import diffusion as diffusion_protocol
from unfade.bench.protocols import super_resolution as super_resolution_protocol
from unfade.bench.protocols.base import Report, column
from unfade.bench.protocols.colour_prompts import caption_pairs, direction, phrase_pairs
from unfade.bench.protocols.colours import colours
from unfade.bench.protocols.diffusion import FIRST, diffusion
from unfade.bench.protocols.super_resolution import one_round, super_resolution
from unfade.data.captions import COLOURS
from unfade.degrade import degrade
from unfade.errors import UsageError
from unfade.eval import metrics
from unfade.rng import generator


def photo(seed: int, height: int, width: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(40, 216, (6, 7, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two photos with captions, and a small one."""
    folder = tmp_path / "photos"
    folder.mkdir()
    lines: list[str] = []
    for index, side in enumerate((264, 264, 96)):
        cv2.imwrite(str(folder / f"{index}.png"), photo(index, side, side + 16))
        lines.append(json.dumps({"file": f"{index}.png", "captions": ["a red dress", "b"]}))
    (folder / "captions.jsonl").write_text("\n".join(lines), "utf-8")
    return folder


def cells(report: Report, title: str) -> dict[str, list[str]]:
    (grid,) = (grid for grid in report.grids if grid.title.startswith(title))
    return {row[0].text: [cell.text for cell in row[1:]] for row in grid.rows}


def test_enlarging_is_measured_on_crops_that_are_large_enough(photos: Path, tmp_path: Path) -> None:
    settings = super_resolution_protocol.Settings(photos, tmp_path / "out", device="cpu")
    report = super_resolution(settings)
    assert report.failures == [] and report.settings["crops"] == 2
    assert {(row.method, row.degradation) for row in report.rows} == {
        (method, kind)
        for method in ("bicubic", "lanczos", "unfade, strength 0")
        for kind in ("one round", "real-sr")
    }
    (row,) = (
        row
        for row in report.rows
        if (row.method, row.degradation, row.image) == ("bicubic", "one round", "1")
    )
    hq = photo(1, 264, 280)[4:260, 12:268, ::-1].astype(np.float32) / np.float32(255)
    lq = np.rint(one_round(hq, generator(0, "one round", 1)) * 255).astype(np.uint8)
    large = cv2.resize(lq.astype(np.float32) / 255, (256, 256), interpolation=cv2.INTER_CUBIC)
    assert row.values["psnr"] == pytest.approx(
        metrics.psnr(np.clip(large, 0, 1).astype(np.float32), hq), abs=0.02
    )
    assert (tmp_path / "out/report.html").is_file()


def test_photos_that_are_too_small_to_enlarge_are_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), photo(0, 100, 100))
    settings = super_resolution_protocol.Settings(tmp_path, tmp_path / "out")
    with pytest.raises(UsageError, match="small photos only"):
        super_resolution(settings)


def test_diffusion_is_compared_with_the_first_stage(
    photos: Path, tmp_path: Path, tiny_preset: Path
) -> None:
    settings = diffusion_protocol.Settings(
        photos,
        tmp_path / "out",
        str(tiny_preset),
        side=128,
        seed=3,
        strengths=(0.5,),
        fidelities=(0.5, 1.0),
        reach="all",
        steps=1,
        device="cpu",
    )
    report = diffusion(settings)
    assert report.failures == []
    names = ("strength 0.5, fidelity 0.5", "strength 0.5, fidelity 1")
    verdict = cells(report, "Variants less the first stage")
    assert tuple(verdict) == names
    gain = column(report.rows, names[0], "psnr").mean() - column(report.rows, FIRST, "psnr").mean()
    assert verdict[names[0]][2] == f"{gain:+.2f}" and verdict[names[0]][3] == "no"
    lq = {row.image: row.values["psnr"] for row in report.rows if row.method == "input"}
    hq = photo(2, 96, 112)[..., ::-1].astype(np.float32) / np.float32(255)
    pair = degrade(hq, generator(3, "2"))
    assert lq["2"] == pytest.approx(metrics.psnr(pair.lq, pair.hq), abs=0.05)


def test_colours_are_measured_with_and_without_prompts(
    photos: Path, tmp_path: Path, tiny_preset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(colour_methods, "SIDE", 64)
    methods = colour_methods.ColourMethods(str(tiny_preset), 0, steps=1, device="cpu")
    settings = colours_protocol.Settings(photos, photos, tmp_path / "out", methods, 2, 3)
    report = colours(settings)
    assert report.failures == []
    errors = [row for row in report.rows if row.degradation == "captions"]
    assert {row.image for row in errors} == {"0", "2"}
    chroma = {
        method: column(errors, method, "chroma").mean()
        for method in ("gray", "mean colour", "no prompt", "caption", "colours named", "the photo")
    }
    assert chroma["the photo"] == 0 < chroma["gray"]
    assert chroma["mean colour"] != chroma["gray"]
    shifts = cells(report, "Pairs of prompts")
    assert shifts["all"][0] == str(int(shifts["caption"][0]) + int(shifts["phrase"][0]))
    again = colours(settings)
    assert again.rows == report.rows


def test_pairs_change_one_colour_word_to_one_of_another_hue() -> None:
    names = np.full((8, 8), COLOURS.index("gray"), np.uint8)
    names[5:] = COLOURS.index("green")
    rng = np.random.default_rng(0)
    (pair,) = caption_pairs("p", ["A green lawn", "a red and green lawn", "snow"], names, rng)
    assert pair.prompts[0] == "a green lawn" and pair.words[0] == "green"
    assert pair.prompts[1] == f"a {pair.words[1]} lawn" and pair.words[1] in ("red", "blue")
    assert pair.region.sum() == 24
    (phrase,) = phrase_pairs("p", names, rng)
    assert phrase.prompts[0] == "green at the bottom" and phrase.region[5:].all()
    assert direction("green", "red") @ direction("red", "green") == pytest.approx(-1)
