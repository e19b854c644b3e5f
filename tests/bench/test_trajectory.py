from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from unfade.bench.cases import Case
from unfade.bench.methods.names import parse_methods
from unfade.bench.methods.ours import Preset
from unfade.bench.trajectory import AFTER, Estimates
from unfade.errors import UsageError
from unfade.options import RestoreOptions
from unfade.pipeline.load import load_pipeline
from unfade.pipeline.settings import DiffusionSettings
from unfade.pipeline.weights import DiffusionWeights


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """One photo of 40 x 52 pixels, three steps."""
    (tmp_path / "in").mkdir()
    noise = np.random.default_rng(0).integers(30, 220, (5, 7, 3), dtype=np.uint8)
    photo = cv2.resize(noise, (52, 40), interpolation=cv2.INTER_CUBIC)
    assert cv2.imwrite(str(tmp_path / "in" / "a.png"), photo)
    options = RestoreOptions(mask="none", tone="keep", strength=1.0, steps=3, seed=4)
    return Case("t", "Set", "blur", tmp_path / "in", None, options, AFTER, 1.0)


@pytest.fixture
def method(tiny_preset: Path) -> Estimates:
    (preset,) = parse_methods([f"tiny={tiny_preset}:device=cpu"])
    assert isinstance(preset, Preset)
    return Estimates(preset)


def estimate(method: Estimates, case: Case, step: float, out: Path) -> np.ndarray:
    """(40, 52, 3) BGR, 0..255, after a step."""
    own = replace(case, value=step)
    method.check([own])
    method.restore_folder(own, {"a": case.inputs / "a.png"}, out, out / "log")
    made = cv2.imread(str(out / "a.png"))
    assert made is not None
    return made.astype(np.float64)


def test_the_last_estimate_is_what_the_pipeline_gives(
    method: Estimates, case: Case, tiny_preset: Path, tmp_path: Path
) -> None:
    last = estimate(method, case, 3, tmp_path)
    image = cv2.imread(str(case.inputs / "a.png"))
    assert image is not None
    x = torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)[None].float() / 255
    pipeline = load_pipeline(DiffusionWeights.find(tiny_preset), torch.device("cpu"))
    made = pipeline(x, settings=DiffusionSettings(steps=3, seed=4)).images[0]
    expected = made.permute(1, 2, 0).numpy()[..., ::-1] * 255
    assert np.abs(last - expected).max() < 4  # the pipeline decodes in another precision
    assert np.abs(estimate(method, case, 1, tmp_path) - expected).max() > 4


def test_paper_mode_sees_the_enlarged_photo_itself(
    case: Case, tiny_preset: Path, tmp_path: Path
) -> None:
    (preset,) = parse_methods([f"tiny={tiny_preset}:device=cpu,paper=true"])
    assert isinstance(preset, Preset)
    options = RestoreOptions(task="super-resolution", scale=2, steps=3, seed=4)
    last = estimate(Estimates(preset), replace(case, options=options), 3, tmp_path)
    image = cv2.imread(str(case.inputs / "a.png"))
    assert image is not None
    large = cv2.resize(image.astype(np.float32) / 255, (104, 80), interpolation=cv2.INTER_CUBIC)
    x = torch.from_numpy(large.clip(0, 1)[..., ::-1].copy()).permute(2, 0, 1)[None]
    pipeline = load_pipeline(DiffusionWeights.find(tiny_preset), torch.device("cpu"))
    made = pipeline(x, settings=DiffusionSettings(steps=3, seed=4)).images[0]
    expected = made.permute(1, 2, 0).numpy()[..., ::-1] * 255
    assert last.shape == (80, 104, 3) and np.abs(last - expected).max() < 4


def test_steps_are_told_apart_and_those_not_on_the_way_refused(
    method: Estimates, case: Case
) -> None:
    with pytest.raises(UsageError, match="step 4"):
        method.check([replace(case, value=4.0)])
    method.check([case])
    assert method.identity(case) != method.identity(replace(case, value=2.0))
