"""Computes NIQE: the distance of a picture's statistics from those of clean photos."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from unfade.errors import InputError, UsageError, WeightsError
from unfade.eval.images import Image, NotApplicable
from unfade.eval.scene_statistics import FEATURES, scene_statistics
from unfade.files import atomic_file

#: Learnt by --fit-niqe from BSDS500's 300 photos for training and validation (481 x 321,
#: JPEG q92): 1369 sharp blocks of 4500.
SHIPPED = Path(__file__).with_name("niqe_clean.npz")
SHARP = 0.75  # of the sharpest block's sharpness: blocks below it are not learnt from
#: Names of mean and covariance: ours and BasicSR's in an .npz, the authors' in a .mat.
_NAMES = {
    ".npz": ("mu_pris_param", "cov_pris_param"),
    ".mat": ("mu_prisparam", "cov_prisparam"),
}


@dataclass(frozen=True, eq=False)
class NiqeModel:
    """A Gaussian over the features of clean photos' blocks."""

    mean: NDArray[np.float64]  # (36,)
    covariance: NDArray[np.float64]  # (36, 36)


def niqe(image: Image, model: NiqeModel) -> float:
    """Mittal, Soundararajan and Bovik (2013), Eq. 10; from 0 up, less is more natural.

    Values of two models cannot be compared with each other.

    Args:
        image: (H, W, 3) [0, 1].
        model: of clean photos.

    Raises:
        NotApplicable: fewer than two blocks of 96 pixels have any contrast.
    """
    features = _require_finite(scene_statistics(image).features)
    if len(features) < 2:
        got = f"{image.shape[1]} x {image.shape[0]} pixels with {len(features)} blocks of contrast"
        raise NotApplicable(got, "two blocks of 96 x 96 pixels for NIQE", "leave this metric out")
    off = features.mean(0) - model.mean
    tail_mean = (np.cov(features, rowvar=False) + model.covariance) / 2
    return float(np.sqrt(max(0.0, off @ np.linalg.pinv(tail_mean, hermitian=True) @ off)))


def fit_niqe(images: Iterable[Image]) -> NiqeModel:
    """Learns what clean photos look like, from their sharp blocks (section II-B).

    Args:
        images: (H, W, 3) [0, 1] each; those with a side under 96 pixels teach nothing.

    Raises:
        InputError: there are fewer sharp blocks than features, 36.
    """
    learnt: list[NDArray[np.float64]] = []
    for image in images:
        if min(image.shape[:2]) < 96:
            continue
        statistics = scene_statistics(image)
        sharp = statistics.sharpness > SHARP * statistics.sharpness.max()
        learnt.append(_require_finite(statistics.features[sharp]))
    features = np.concatenate([np.empty((0, FEATURES)), *learnt])
    if len(features) <= FEATURES:
        got = f"{len(features)} sharp blocks of 96 x 96 pixels"
        raise InputError(got, f"more than {FEATURES} to learn from", "give more clean photos")
    return NiqeModel(features.mean(0), np.cov(features, rowvar=False))


def save_niqe(path: Path, model: NiqeModel) -> None:
    """Writes a model as .npz, with the names that BasicSR uses.

    Raises:
        UsageError: the name ends in another suffix.
        OutputError: the file cannot be written.
    """
    if path.suffix.lower() != ".npz":
        raise UsageError(f"{path.name} for a NIQE model", "a name in .npz", "choose another name")
    buffer = io.BytesIO()
    np.savez(buffer, mu_pris_param=model.mean[None], cov_pris_param=model.covariance)
    with atomic_file(path) as file:
        file.write(buffer.getvalue())


def load_niqe(path: Path = SHIPPED) -> NiqeModel:
    """Reads a model: one of ours, BasicSR's niqe_pris_params.npz, or the authors' .mat.

    A .mat needs scipy, which the extra `bench` brings.

    Raises:
        UsageError: scipy is not installed.
        WeightsError: the file is missing, or holds no model.
    """
    suffix = path.suffix.lower()
    names = _NAMES.get(suffix)
    if names is None:
        raise _not_a_model(path, suffix or "no suffix")
    try:
        arrays = _read_mat(path) if suffix == ".mat" else _read_npz(path)
        mean, covariance = (np.asarray(arrays[name], np.float64) for name in names)
        model = NiqeModel(mean.reshape(FEATURES), covariance.reshape(FEATURES, FEATURES))
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise _not_a_model(path, str(error) or type(error).__name__) from error
    if not np.isfinite(model.mean).all() or not np.isfinite(model.covariance).all():
        raise _not_a_model(path, "values that are not finite")
    return model


def _not_a_model(path: Path, got: str) -> WeightsError:
    expected = f"a NIQE model (.npz or .mat) of {FEATURES} features"
    fix = "name another file, or fit one: unfade evaluate --reference PHOTOS --fit-niqe FILE.npz"
    return WeightsError(got, expected, fix, path=path)


def _read_npz(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _read_mat(path: Path) -> dict[str, Any]:
    try:
        from scipy import io as scipy_io  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as error:
        fix = "pip install '.[tables]' in a clone of unfade"
        raise UsageError("a .mat, and no scipy", "scipy to read it", fix) from error
    return cast(dict[str, Any], cast(Any, scipy_io).loadmat(path))


def _require_finite(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rows without NaN."""
    return features[np.isfinite(features).all(1)]
