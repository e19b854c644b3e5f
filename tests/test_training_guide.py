"""docs/training.md: every command of unfade in it, in their order, from an empty folder."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from unfade.cli.main import run
from unfade.config import load_toml, save_toml
from unfade.imaging import read_photo

if TYPE_CHECKING:
    from unfade.models.folder import Base

ROOT = Path(__file__).parents[1]
MakePhoto = Callable[..., Path]


def commands() -> list[list[str]]:
    text = (ROOT / "docs" / "training.md").read_text("utf-8")
    blocks = "\n".join(re.findall(r"```console\n(.*?)```", text, re.S)).replace("\\\n", " ")
    return [shlex.split(line[2:]) for line in blocks.splitlines() if line.startswith("$ ")]


def small(recipe: Any) -> Any:
    """The same recipe for two steps on photos of 64 pixels."""
    loop = replace(recipe.loop, steps=2, batch=2, accumulate=1, workers=0, warmup=0)
    return replace(recipe, loop=loop, views=replace(recipe.views, sides=[64], size=64))


def test_the_guide_leads_from_photos_to_prints(
    tiny_sd: Base, make_photo: MakePhoto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from unfade.models.folder import save_base
    from unfade.train.cfw import CfwRecipe
    from unfade.train.controlnet import ControlnetRecipe

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("unfade.train.controlnet._VALIDATION_SAMPLES", 2)
    for module in ("controlnet", "cfw"):
        monkeypatch.setattr(f"unfade.train.{module}._GRID_SAMPLES", 2)
    save_base(tmp_path / "sd21", tiny_sd)
    for i in range(4):
        make_photo(f"photos/{i}.png", seed=i)
        (tmp_path / "photos" / f"{i}.txt").write_text("red\n")
    for name in ("scan.jpg", "gray.jpg", "small.jpg"):
        photo = make_photo(name, seed=9)
        if name == "gray.jpg":
            gray = cv2.imread(str(photo), cv2.IMREAD_GRAYSCALE)
            assert gray is not None
            cv2.imwrite(str(photo), gray)
    (tmp_path / "recipes" / "sd21").mkdir(parents=True)
    for path in (ROOT / "recipes" / "sd21").glob("*.toml"):
        kind = CfwRecipe if path.stem == "cfw" else ControlnetRecipe
        save_toml(tmp_path / "recipes" / "sd21" / path.name, small(load_toml(path, kind)))

    done: list[str] = []
    for program, *words in commands():
        if program == "cp":
            shutil.copytree(words[1], words[2])
        if program == "unfade":
            extra = ["--device", "cpu", "--steps", "2"] if words[0] == "restore" else []
            code = run([*words, *extra])
            assert code == 0, (words, capfd.readouterr())
            done.append(words[0])
            if "--dry-run" in words:
                assert "samples a second" in capfd.readouterr().out
                assert not (tmp_path / "runs").exists()
    assert done.count("train") == 5 and done.count("restore") == 4
    prints = {name: read_photo(Path(name)).native for name in (
        "restored/scan.jpg", "faithful/scan.jpg", "coloured/gray.jpg", "large/small.jpg",
    )}  # fmt: skip
    assert prints["large/small.jpg"].shape == (128, 160, 3)
    assert all(prints[n].shape == (64, 80, 3) for n in prints if not n.startswith("large"))
    assert np.ptp(prints["coloured/gray.jpg"], axis=2).max() > 8
    assert not np.array_equal(prints["restored/scan.jpg"], prints["faithful/scan.jpg"])
