from __future__ import annotations

from pathlib import Path

import pytest

from unfade.cli.train import trial_lines
from unfade.data.sources import CleanPhoto
from unfade.models.folder import Base, save_base
from unfade.train import dry_run
from unfade.train.inputs import Inputs

RECIPE = """
widths = [4, 8, 8]
[loop]
steps = 3000
batch = 2
workers = 0
[views]
sides = [32]
size = 16
[pairs]
first_stage = false
"""


def test_a_trial_measures_a_training_and_keeps_nothing(
    photos: list[CleanPhoto], base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dry_run, "_PHOTOS", 3)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "data").mkdir()
    for photo in photos:
        (tmp_path / "data" / f"{photo.key}.png").write_bytes(photo.code)
    (tmp_path / "r.toml").write_text(RECIPE)
    save_base(tmp_path / "base", base)
    before = set(tmp_path.iterdir())
    inputs = Inputs(tmp_path / "r.toml", base=str(tmp_path / "base"))
    trial = dry_run.dry_run("controlnet", [tmp_path / "data"], inputs)
    assert set(tmp_path.iterdir()) == before
    assert (trial.batch, trial.steps, trial.processes) == (2, 3000, 1)
    assert (trial.photos, trial.cached) == (6, 3)
    assert trial.samples_per_s > 0 and 0.1 < trial.peak_gib < 100
    steps_s = trial.left_s - trial.all_cache_s
    assert steps_s == pytest.approx(3000 * 2 / trial.samples_per_s)
    assert trial.all_cache_s == pytest.approx(2 * trial.cache_s) and trial.cache_s > 0
    # 32 x 40 pixels with their colours, and two views of latents in fp16 with the cells' colours
    assert trial.cache_gib * 2**30 > 3 * (32 * 40 * 3 + 2 * 8 * 10 * (4 * 2 + 1))


def test_a_trial_is_told_in_a_few_lines() -> None:
    trial = dry_run.Trial(
        samples_per_s=8.0,
        batch=16,
        processes=2,
        steps=7200,
        device="cuda:0",
        peak_gib=21.04,
        photos=3450,
        cached=32,
        cache_s=3.2,
        cache_gib=0.064,
    )
    assert trial_lines(trial) == [
        "samples a second   8.00 (2.00 s for each step of 16, 2 processes)",
        "peak memory        21.0 GiB on cuda:0, validation left out",
        "caching            3450 photos: 6 min, 6.9 GiB on disk",
        "time to the end    4 h 6 min for 7200 steps",
    ]
