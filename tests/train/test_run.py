from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from unfade.data.sources import CleanPhoto
from unfade.errors import InputError, UsageError
from unfade.models.checkpoint import load_model
from unfade.models.tone import ToneNet
from unfade.train.run import train_task

RECIPE = """
[loop]
steps = 3
batch = 2
warmup = 1
workers = 0

[model]
widths = [8, 8, 8, 8]
hidden = 8
"""


@pytest.fixture
def data(tmp_path: Path, photos: list[CleanPhoto]) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for photo in photos[:3]:
        (folder / f"{photo.key}.png").write_bytes(photo.code)
    return folder


def test_train_task_writes_weights_that_load(data: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "tone.toml"
    recipe.write_text(RECIPE)
    steps: list[tuple[int, int]] = []
    path = train_task(
        "tone", data, tmp_path / "run", recipe, progress=lambda n, of, _: steps.append((n, of))
    )
    assert path == tmp_path / "run" / "tone.safetensors"
    assert load_model(path, ToneNet).config.widths == [8, 8, 8, 8]
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert "steps = 3" in (tmp_path / "run" / "recipe.toml").read_text()


def test_train_task_refuses_wrong_names(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'colour'.*scratch, stage1, tone"):
        train_task("colour", data, tmp_path / "run")
    for name in ("prior", "controlnet", "cfw"):
        with pytest.raises(UsageError, match="no base"):
            train_task(name, data, tmp_path / "run")
    with pytest.raises(InputError, match="no such folder"):
        train_task("tone", tmp_path / "none", tmp_path / "run")
    (tmp_path / "r.toml").write_text("[loop]\nspeed = 3\n")
    with pytest.raises(UsageError, match="speed"):
        train_task("tone", data, tmp_path / "run", tmp_path / "r.toml")


SMALL = """
[loop]
steps = 2
batch = 2
workers = 0
"""
VIEWS = """
[views]
sides = [32]
size = 32
"""
VAE = """
size = 32
[model]
patch = 2
widths = [8, 8]
latent_channels = 4
groups = 2
"""
PRIOR = """
least = 1
[unet]
widths = [8, 16]
heads = [1, 2]
latent_channels = 4
text_width = 8
groups = 4

[text]
width = 8
layers = 1
heads = 2
length = 8
"""
PAIRED = """
[pairs]
first_stage = false
"""


def test_train_task_builds_the_diffusion_model_part_by_part(data: Path, tmp_path: Path) -> None:
    def run(name: str, text: str, **inputs: Any) -> Path:
        recipe = tmp_path / f"{name}.toml"
        recipe.write_text(text + SMALL)
        seen: list[int] = []
        path = train_task(
            name, data, tmp_path / name, recipe, progress=lambda n, of, _: seen.append(of), **inputs
        )
        manifest = json.loads((tmp_path / name / "run.json").read_text())
        assert manifest["task"] == name and manifest["photos"] == 3
        assert len(manifest["weights"]) >= 2 and seen[-1] == 2
        return path

    cache = tmp_path / "cache"
    vae = run("vae", VAE)
    assert vae == tmp_path / "vae" / "vae"
    base = str(run("prior", PRIOR + VIEWS, base=str(tmp_path / "vae"), cache=cache))
    net = run("controlnet", "widths = [4, 8, 8]" + PAIRED + VIEWS, base=base, cache=cache)
    cfw = run("cfw", "hidden = [8]" + PAIRED + VIEWS, base=base, controlnet=str(net), cache=cache)
    assert (cfw / "config.json").exists()
    assert len(list(cache.iterdir())) == 1  # the latents of one autoencoder, made once


def test_train_task_loads_no_diffusion_library_for_the_first_stage() -> None:
    code = (
        "import sys, unfade.train.run; "
        "assert not {'diffusers', 'transformers', 'accelerate'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
