from __future__ import annotations

from pathlib import Path

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
    with pytest.raises(UsageError, match=r"'vae'.*scratch, stage1, tone"):
        train_task("vae", data, tmp_path / "run")
    with pytest.raises(InputError, match="no such folder"):
        train_task("tone", tmp_path / "none", tmp_path / "run")
    (tmp_path / "r.toml").write_text("[loop]\nspeed = 3\n")
    with pytest.raises(UsageError, match="speed"):
        train_task("tone", data, tmp_path / "run", tmp_path / "r.toml")
