"""Computes MUSIQ with pyiqa (extra `iqa-nc`: pyiqa's licence forbids commercial use)."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import torch

from unfade.errors import UsageError
from unfade.eval.images import Image
from unfade.eval.pretrained import as_tensor
from unfade.eval.weights import MUSIQ, require


def load_musiq(device: str = "cpu") -> Callable[[Image], float]:
    """MUSIQ (Ke et al., 2021) trained on KonIQ-10k: about 0 to 100, more is better.

    Args:
        device: where it runs.

    Raises:
        UsageError: pyiqa is not installed.
        WeightsError: the weights are missing.
    """
    path = require("musiq") / MUSIQ
    if importlib.util.find_spec("pyiqa") is None:
        fix = "pip install '.[iqa-nc]' in a clone of unfade (CC BY-NC-SA: non-commercial use only)"
        raise UsageError("no pyiqa", "pyiqa for musiq", fix)
    pyiqa: Any = importlib.import_module("pyiqa")
    network = pyiqa.create_metric("musiq", device=device, pretrained_model_path=str(path))

    def score(image: Image) -> float:
        with torch.inference_mode():
            return float(network(as_tensor(image).to(device)))

    return score
