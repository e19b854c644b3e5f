"""Extracts features for distances between sets of photos."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from unfade.errors import UsageError
from unfade.eval.distances import Features
from unfade.eval.images import Image

Source = Literal["patch", "inception"]


@dataclass(frozen=True)
class Extractor:
    """A feature extractor.

    Attributes:
        features: (H, W, 3) sRGB [0, 1] -> (N, D), a row for each patch or for the image.
        standardise: put them in standard deviations of the clean photos' features first.
    """

    features: Callable[[Image], Features]
    standardise: bool = False


def extractors(sources: Iterable[Source], device: str = "cpu") -> dict[Source, Extractor]:
    """The extractors with these names.

    Args:
        device: where networks run.

    Raises:
        WeightsError: "inception" without its weights.
    """
    constructors: dict[Source, Callable[[], Extractor]] = {
        "patch": _patch,
        "inception": lambda: _inception(device),
    }
    return {source: constructors[source]() for source in dict.fromkeys(sources)}


def _patch() -> Extractor:
    from unfade.eval.patches import patch_statistics

    return Extractor(patch_statistics, standardise=True)


def _inception(device: str) -> Extractor:
    from unfade.eval.inception import inception_features, load_inception

    network = load_inception().to(device)
    return Extractor(lambda image: inception_features(image, network))


def read_features(path: Path) -> Features:
    """(N, D) features that any program extracted, from a .npy file.

    Raises:
        UsageError: there is no such file, or it holds no table of numbers.
    """
    try:
        features: Any = np.load(path, allow_pickle=False)
        table = np.asarray(features, np.float64)
    except (OSError, EOFError, ValueError, TypeError) as error:
        got = f"no features ({str(error) or type(error).__name__})"
        raise UsageError(got, "a .npy of numbers, (N, D)", "check the file", path=path) from error
    if table.ndim != 2:
        got = f"an array of shape {table.shape}"
        raise UsageError(got, "(N, D), a row for each image", "reshape it", path=path)
    return table
