from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from unfade.data.sources import CleanPhoto
from unfade.degrade.stencils import Stencil
from unfade.errors import UsageError
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
    recipe.write_text(RECIPE.replace("[loop]", "[loop]\nvalidate_every = 1\nexports = 1"))
    steps: list[tuple[int, int]] = []
    path = train_task(
        "tone", data, tmp_path / "run", recipe, progress=lambda n, of, _: steps.append((n, of))
    )
    assert path == tmp_path / "run" / "tone.safetensors"
    assert load_model(path, ToneNet).config.widths == [8, 8, 8, 8]
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert "steps = 3" in (tmp_path / "run" / "recipe.toml").read_text()
    exported = sorted(p.name for p in (tmp_path / "run").glob("tone*"))
    assert exported == ["tone-000002.safetensors", "tone.safetensors"]


def test_train_task_keeps_a_share_of_the_weights_it_started_from(
    data: Path, tmp_path: Path
) -> None:
    recipe, averaging = tmp_path / "tone.toml", tmp_path / "averaging.toml"
    recipe.write_text(RECIPE)
    averaging.write_text(RECIPE.replace("[loop]", "[loop]\nweight_averaging = 0.5"))
    start = train_task("tone", data, tmp_path / "start", recipe)
    plain = load_file(train_task("tone", data, tmp_path / "plain", recipe, start=start))
    mixed = load_file(train_task("tone", data, tmp_path / "mixed", averaging, start=start))
    old = load_file(start)
    for k in old:
        torch.testing.assert_close(
            mixed[k].float(), (old[k].float() + plain[k].float()) / 2, atol=1e-3, rtol=1e-3
        )
    assert any(not torch.equal(old[k], plain[k]) for k in old)
    with pytest.raises(UsageError, match=r"no weights to start from.*--start"):
        train_task("tone", data, tmp_path / "without", averaging)
    assert not (tmp_path / "without").exists()


def test_train_task_refuses_wrong_names(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'colours'.*scratch, stage1, tone"):
        train_task("colours", data, tmp_path / "run")
    for name in ("prior", "controlnet", "cfw"):
        with pytest.raises(UsageError, match="no base"):
            train_task(name, data, tmp_path / "run")


HARD = """
hard_negatives = 0.7
imagenet = false
[loop]
steps = 4
batch = 2
warmup = 1
workers = 0
save_every = 2
[model]
stages = 2
detail = 4
widths = [4, 4]
blocks = [1, 1]
[pairs]
size = 32
hard = {hard}
"""


@pytest.fixture
def hard(data: Path, tmp_path: Path) -> Callable[..., Path]:
    """Trains the detector with this share of hard pairs, which need weights to start from."""

    def run(name: str, share: float, **inputs: Any) -> Path:
        recipe = tmp_path / "scratch.toml"
        recipe.write_text(HARD.format(hard=share))
        return train_task("scratch", data, tmp_path / name, recipe, **inputs)

    return run


def test_a_decoder_alone_needs_weights_to_start_from(data: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "vae.toml"
    recipe.write_text("decoder_only = true")
    with pytest.raises(UsageError, match=r"no weights to start from.*--start.*decoder_only"):
        train_task("vae", data, tmp_path / "run", recipe)
    assert not (tmp_path / "run").exists()


def test_hard_pairs_need_weights_to_start_from(hard: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no weights to start from.*--start.*hard = 0"):
        hard("run", 0.5)
    assert not (tmp_path / "run").exists()


def test_training_on_hard_pairs_ends_the_same_when_it_was_stopped(
    hard: Callable[..., Path], tmp_path: Path
) -> None:
    start = hard("plain", 0.0)
    seen: list[tuple[int, int]] = []
    whole = hard("whole", 0.5, start=start, progress=lambda n, of, _: seen.append((n, of)))
    assert seen == [(1, 3), (2, 3), (3, 3), *((n, 4) for n in range(1, 5))]  # photos, then steps

    def stop(done: int, total: int, figures: dict[str, float]) -> None:
        if (done, total) == (3, 4):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hard("broken", 0.5, start=start, progress=stop)
    seen.clear()
    broken = hard("broken", 0.5, start=start, progress=lambda n, of, _: seen.append((n, of)))
    assert seen == [(3, 4), (4, 4)]  # hard negatives are cached, and two steps were saved
    easy = hard("easy", 0.0, start=start)
    expected, same, other = (load_file(path) for path in (whole, broken, easy))
    assert all(torch.equal(expected[k], same[k]) for k in expected | same)
    assert any(not torch.equal(expected[k], other[k]) for k in expected)


@pytest.fixture
def damage(tmp_path: Path, stencils: list[Stencil]) -> Path:
    """A folder of shapes of real damage."""
    for stencil in stencils:
        path = tmp_path / "damage" / stencil.kind / "0.png"
        path.parent.mkdir(parents=True)
        path.write_bytes(stencil.code)
    return tmp_path / "damage"


def test_training_takes_shapes_of_real_damage(
    hard: Callable[..., Path], tmp_path: Path, damage: Path
) -> None:
    with_, without = hard("with", 0.0, damage=damage), hard("without", 0.0)
    one, other = load_file(with_), load_file(without)
    assert any(not torch.equal(one[k], other[k]) for k in one)


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
