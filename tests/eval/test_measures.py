from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unfade.errors import UsageError, WeightsError
from unfade.eval import metrics, weights
from unfade.eval.images import Protocol, studio_luma
from unfade.eval.measures import (
    ALL_NAMES,
    DESCRIPTIONS,
    NAMES,
    REDEGRADED,
    SET_MEASURES,
    Description,
    checked_names,
    measures,
    redegraded_measures,
)
from unfade.eval.niqe import NiqeModel, load_niqe, niqe
from unfade.eval.weights import WEIGHTS


@pytest.fixture
def worse(photo: np.ndarray) -> np.ndarray:
    noise = 0.05 * np.random.default_rng(0).standard_normal(photo.shape)
    return np.clip(photo + noise, 0, 1).astype(np.float32)


def test_every_name_has_its_measure() -> None:
    description = measures(NAMES, Protocol())
    assert [*description, "patch-fd", "patch-kd"] == list(NAMES)
    weighted = {name for weights in WEIGHTS for name in weights.metrics}
    assert {*ALL_NAMES} == {*NAMES} | weighted | {*REDEGRADED} and len({*ALL_NAMES}) == len(
        ALL_NAMES
    )
    assert {*SET_MEASURES} <= {*ALL_NAMES}


def test_a_metric_without_a_function_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DESCRIPTIONS, "vif", Description("VIF", "higher", 4))
    assert [*measures(["psnr", "ssim-lq", "fid"], Protocol())] == ["psnr"]
    with pytest.raises(ValueError, match="metric 'vif'"):
        measures(["psnr", "vif"], Protocol())


def test_better_is_the_way_that_it_says(photo: np.ndarray, worse: np.ndarray) -> None:
    for name, measure in measures(NAMES, Protocol()).items():
        clean, noisy = measure.score(photo, photo), measure.score(worse, photo)
        if measure.better == "higher":
            assert clean > noisy, name
        elif measure.better == "lower":
            assert clean < noisy, name


def test_luma_is_measured_when_the_space_is_y(photo: np.ndarray, worse: np.ndarray) -> None:
    rgb, y = (measures(["psnr"], Protocol(space))["psnr"] for space in ("rgb", "y"))
    assert rgb.score(worse, photo) == metrics.psnr(worse, photo)
    assert y.score(worse, photo) == metrics.psnr(studio_luma(worse), studio_luma(photo))


def test_names_are_ordered_and_checked() -> None:
    assert checked_names(["niqe", "psnr", "niqe"]) == ["psnr", "niqe"]
    with pytest.raises(UsageError, match="metric 'vif'"):
        checked_names(["psnr", "vif"])
    with pytest.raises(UsageError, match="no metric"):
        checked_names([])


def test_niqe_takes_the_model_given(photo: np.ndarray) -> None:
    shipped = load_niqe()
    moved = NiqeModel(shipped.mean + 1, shipped.covariance)
    values = [
        measures(["niqe"], Protocol(), model)["niqe"].score(photo, photo)
        for model in (None, shipped, moved)
    ]
    assert values[0] == values[1] == niqe(photo, shipped) != values[2]


@pytest.mark.parametrize("name", ["lpips", "dinov2", "clip-iqa", "musiq", "fid", "dinov2-lq"])
def test_metric_without_weights_is_refused_at_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    with pytest.raises(WeightsError, match=r"curl|hf download"):
        checked_names(["psnr", name])


def test_comparisons_with_the_input_are_apart(photo: np.ndarray, worse: np.ndarray) -> None:
    assert "ssim-lq" not in measures(ALL_NAMES[:12], Protocol())
    description = redegraded_measures(["ssim-lq", "alignment-lq", "psnr"])
    assert [*description] == ["alignment-lq", "ssim-lq"]
    assert description["ssim-lq"].score(worse, photo) == metrics.ssim(worse, photo)
    assert description["alignment-lq"].score(worse, photo) < description["alignment-lq"].score(
        photo, photo
    )
