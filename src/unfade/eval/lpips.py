"""Computes LPIPS with AlexNet, from the published weights, without torchvision."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unfade.eval.images import Image, require_same_size, require_side
from unfade.eval.pretrained import as_tensor, load_pretrained, normalised, read_state
from unfade.eval.weights import ALEXNET, LPIPS_HEADS, require

WIDTHS = (64, 192, 384, 256, 256)
_CONVOLUTIONS = (0, 3, 6, 8, 10)  # of the convolutions in torchvision's AlexNet
MIN_SIDE = 32  # pixels: something is left after the last pooling
_MEAN, _DEVIATION = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # for values in [-1, 1]


class Lpips(nn.Module):
    """Learned perceptual image patch similarity, Zhang et al. (2018), Eq. 1, version 0.1.

    Args:
        widths: channels of AlexNet's five convolutions.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        a, b, c, d, e = widths
        self.features = nn.Sequential(  # torchvision's numbers of layers
            nn.Conv2d(3, a, 11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(a, b, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(b, c, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(c, d, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(d, e, 3, padding=1),
            nn.ReLU(),
        )
        self.heads = nn.ModuleList(nn.Conv2d(width, 1, 1, bias=False) for width in widths)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] twice -> (N,) distances, >= 0."""
        total = first.new_zeros(len(first))
        layers = zip(self._unit(first), self._unit(second), self.heads, strict=True)
        for first_features, second_features, head in layers:
            total = total + cast(Tensor, head((first_features - second_features).square())).mean(
                (1, 2, 3)
            )
        return total

    def _unit(self, x: Tensor) -> list[Tensor]:
        """The rectified features, of unit length at each place: (N, C, h, w) each."""
        x = normalised(2 * x - 1, _MEAN, _DEVIATION)
        features: list[Tensor] = []
        for layer in self.features:
            x = cast(Tensor, layer(x))
            if isinstance(layer, nn.ReLU):
                features.append(F.normalize(x, dim=1, eps=1e-10))
        return features


def load_lpips() -> Lpips:
    """The published network.

    Raises:
        WeightsError: the weights are missing or are others.
    """
    folder = require("lpips")
    alexnet, heads = read_state(folder / ALEXNET), read_state(folder / LPIPS_HEADS)
    state = {key: value for key, value in alexnet.items() if key.startswith("features.")}
    for key, value in heads.items():  # "lin0.model.1.weight"
        state[f"heads.{key.removeprefix('lin').split('.')[0]}.weight"] = value
    biases = [state.get(f"features.{position}.bias") for position in _CONVOLUTIONS]
    widths = tuple(len(bias) for bias in biases if bias is not None)
    network = Lpips(widths if len(widths) == len(WIDTHS) else WIDTHS)
    load_pretrained(network, folder / ALEXNET, state)
    return network


def lpips(image: Image, target: Image, network: Lpips) -> float:
    """LPIPS of two pictures: 0 for equal ones, about 1 at most.

    Args:
        image, target: (H, W, 3) sRGB [0, 1], not resized.
        network: from `load_lpips`.

    Raises:
        InputError: the sizes differ, or a side has fewer than 32 pixels.
    """
    require_same_size(image, target)
    require_side(image, MIN_SIDE, "LPIPS")
    with torch.inference_mode():
        return float(network(as_tensor(image, network), as_tensor(target, network)))
