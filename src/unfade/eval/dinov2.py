"""Computes the DINOv2 distance of two pictures, and DINOv2 features for alignment.

Source: Oquab et al., DINOv2: Learning Robust Visual Features without Supervision (2023).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from unfade.eval.images import Image, require_same_size
from unfade.eval.pretrained import as_tensor, from_folder, normalised, resized
from unfade.eval.weights import require
from unfade.pipeline.alignment import Features

SIDE = 224  # pixels of the short side that the network sees
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Dinov2:
    """The network, as an encoder of patches; see `load_dinov2`."""

    network: Any  # transformers' Dinov2Model
    patch: int  # pixels

    def __call__(self, image: Image) -> Features:
        """(H, W, 3) sRGB [0, 1] -> (h, w, D): the features of each patch of 14 pixels."""
        x = self._input(image)  # (1, 3, h * patch, w * patch)
        rows, columns = (side // self.patch for side in x.shape[2:])
        tokens = self._tokens(x)[0, 1:]  # (h * w, D)
        return tokens.reshape(rows, columns, -1).cpu().numpy()

    def class_token(self, image: Image) -> Tensor:
        """(H, W, 3) -> (D,): the class token, which stands for the whole picture."""
        return self._tokens(self._input(image))[0, 0]

    def _tokens(self, x: Tensor) -> Tensor:
        with torch.inference_mode():
            return cast(Tensor, self.network(pixel_values=x).last_hidden_state)

    def _input(self, image: Image) -> Tensor:
        """The whole picture, short side 224, sides rounded to whole patches."""
        x = as_tensor(image, self.network)
        scale = SIDE / min(x.shape[2:])
        height, width = (
            max(1, round(side * scale / self.patch)) * self.patch for side in x.shape[2:]
        )
        return normalised(resized(x, height, width), _MEAN, _DEVIATION)


def load_dinov2() -> Dinov2:
    """The network from the folder of metrics, through transformers.

    Raises:
        WeightsError: the weights are missing or are others.
    """
    folder = require("dinov2") / "dinov2"
    from transformers import Dinov2Model

    network = from_folder(Dinov2Model, folder)
    return Dinov2(network.eval().requires_grad_(False), int(network.config.patch_size))


def dinov2_distance(image: Image, target: Image, network: Dinov2) -> float:
    """One less the cosine between the class tokens of two pictures: 0 for equal ones, at most 2.

    Args:
        image, target: (H, W, 3) sRGB [0, 1].
        network: from `load_dinov2`.

    Raises:
        InputError: the sizes differ.
    """
    require_same_size(image, target)
    tokens = network.class_token(image), network.class_token(target)
    return max(0.0, 1 - float(torch.cosine_similarity(*tokens, dim=0)))
