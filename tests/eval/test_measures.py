from __future__ import annotations

import numpy as np
import pytest

from unfade.errors import UsageError
from unfade.eval import metrics
from unfade.eval.images import Protocol, studio_luma
from unfade.eval.measures import NAMES, SET_MEASURES, chosen, measures
from unfade.eval.niqe import NiqeModel, load_niqe, niqe


@pytest.fixture
def worse(photo: np.ndarray) -> np.ndarray:
    noise = 0.05 * np.random.default_rng(0).standard_normal(photo.shape)
    return np.clip(photo + noise, 0, 1).astype(np.float32)


def test_every_name_has_its_measure() -> None:
    known = measures(NAMES, Protocol())
    assert [*known, *SET_MEASURES] == list(NAMES)


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
    assert chosen(["niqe", "psnr", "niqe"]) == ["psnr", "niqe"]
    with pytest.raises(UsageError, match="metric 'lpips'"):
        chosen(["psnr", "lpips"])
    with pytest.raises(UsageError, match="no metric"):
        chosen([])


def test_niqe_takes_the_model_given(photo: np.ndarray) -> None:
    shipped = load_niqe()
    moved = NiqeModel(shipped.mean + 1, shipped.covariance)
    values = [
        measures(["niqe"], Protocol(), model)["niqe"].score(photo, photo)
        for model in (None, shipped, moved)
    ]
    assert values[0] == values[1] == niqe(photo, shipped) != values[2]
