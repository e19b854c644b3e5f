from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat
from skimage.data import brick, grass, gravel

from unfade.errors import InputError, UsageError, WeightsError
from unfade.eval.niqe import NiqeModel, fit_niqe, load_niqe, niqe, save_niqe

Photos = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def clean(photos: Photos) -> list[np.ndarray]:
    """Sharp pictures of whole blocks, enough to learn from."""
    textures = [np.repeat(f()[..., None], 3, axis=2) for f in (brick, grass, gravel)]
    sharp = [np.ascontiguousarray(t[:480, :480], np.float32) / np.float32(255) for t in textures]
    return [*sharp, photos["astronaut"][:480, :480], photos["coffee"][:384, :576]]


@pytest.fixture(scope="module")
def own(clean: list[np.ndarray]) -> NiqeModel:
    return fit_niqe(clean)


def worse(photo: np.ndarray) -> dict[str, list[np.ndarray]]:
    """Kinds of damage, each from none to much."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(photo.shape).astype(np.float32)
    return {
        "blur": [photo, *(cv2.GaussianBlur(photo, (0, 0), s) for s in (1, 3))],
        "noise": [photo, *(np.clip(photo + s * noise, 0, 1) for s in (0.1, 0.3))],
    }


@pytest.mark.parametrize("name", ["astronaut", "coffee", "cat"])
@pytest.mark.parametrize("kind", ["blur", "noise"])
def test_shipped_model_ranks_clean_before_damaged(photos: Photos, name: str, kind: str) -> None:
    model = load_niqe()
    values = [niqe(image, model) for image in worse(photos[name])[kind]]
    assert values == sorted(values) and 2 < values[0] < 6.5


@pytest.mark.parametrize("kind", ["blur", "noise"])
def test_fitted_model_ranks_clean_before_damaged(
    photo: np.ndarray, own: NiqeModel, kind: str
) -> None:
    first, *others = (niqe(image, own) for image in worse(photo)[kind])
    assert first < min(others)


def test_score_equals_the_formula(photo: np.ndarray, own: NiqeModel) -> None:
    from unfade.eval.scene_statistics import scene_statistics

    features = scene_statistics(photo).features
    off = features.mean(0) - own.mean
    tail_mean = (np.cov(features.T) + own.covariance) / 2
    expected = np.sqrt(off @ np.linalg.solve(tail_mean, off))
    assert niqe(photo, own) == pytest.approx(expected, rel=1e-6)


def test_fit_is_the_same_every_time_and_in_any_order(
    clean: list[np.ndarray], own: NiqeModel
) -> None:
    assert np.array_equal(fit_niqe(clean).covariance, own.covariance)
    again = fit_niqe(reversed(clean))
    assert np.allclose(again.mean, own.mean) and np.allclose(again.covariance, own.covariance)


def test_blurred_parts_teach_nothing(clean: list[np.ndarray], own: NiqeModel) -> None:
    soft = [cv2.GaussianBlur(p[-96:], (0, 0), 6) for p in clean]
    with_soft = [np.concatenate([p, s]) for p, s in zip(clean, soft, strict=True)]
    assert np.allclose(fit_niqe(with_soft).mean, own.mean, atol=0.03)
    blurred = [cv2.GaussianBlur(p, (0, 0), 6) for p in clean]
    assert not np.allclose(fit_niqe(clean + blurred).mean, own.mean, atol=0.03)


def test_fit_asks_for_more_when_there_are_too_few_blocks(photo: np.ndarray) -> None:
    with pytest.raises(InputError, match="more than 36"):
        fit_niqe([photo[:96, :192], photo[:50]])


def test_score_is_refused_when_nothing_has_contrast() -> None:
    with pytest.raises(InputError, match="leave this metric out"):
        niqe(np.full((200, 200, 3), 0.5, np.float32), load_niqe())


def test_model_comes_back_from_its_file_which_is_an_npz(own: NiqeModel, tmp_path: Path) -> None:
    save_niqe(tmp_path / "a.npz", own)
    save_niqe(tmp_path / "b.npz", own)
    again = load_niqe(tmp_path / "a.npz")
    assert np.array_equal(again.mean, own.mean)
    assert np.array_equal(again.covariance, own.covariance)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with pytest.raises(UsageError, match=r"\.npz"):
        save_niqe(tmp_path / "model.mat", own)


def test_published_layouts_are_read(own: NiqeModel, tmp_path: Path) -> None:
    savemat(
        tmp_path / "modelparameters.mat",
        {"mu_prisparam": own.mean[None], "cov_prisparam": own.covariance},
    )
    np.savez(
        tmp_path / "niqe_pris_params.npz",
        mu_pris_param=own.mean[None],
        cov_pris_param=own.covariance,
        gaussian_window=np.ones((7, 7)),
    )
    for name in ("modelparameters.mat", "niqe_pris_params.npz"):
        assert np.array_equal(load_niqe(tmp_path / name).covariance, own.covariance)


@pytest.mark.parametrize("name", ["none.npz", "text.npz", "other.npz", "small.npz", "model.txt"])
def test_what_is_no_model_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "other.npz", weights=np.ones(3))
    np.savez(tmp_path / "small.npz", mu_pris_param=np.ones(3), cov_pris_param=np.ones((3, 3)))
    with pytest.raises(WeightsError, match="--fit-niqe"):
        load_niqe(tmp_path / name)
