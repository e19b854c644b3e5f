"""A ControlNet of another width or depth than its UNet's encoder.

ControlNet's zero convolutions (arXiv 2302.05543, 3.1) keep the number of channels; here they
project the channels of the ControlNet to those of the UNet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

from diffusers.configuration_utils import (
    register_to_config,  # pyright: ignore[reportUnknownVariableType]
)
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn

from unfade.errors import UsageError


class ScaledControlNet(ControlNetModel):
    """A ControlNet whose residuals are projected to the widths of a UNet.

    Its `config` answers as that of a ControlNet for this UNet does.

    Attributes:
        controlnet: the ControlNet, without zero convolutions of its own.
        project: one for each residual of the UNet's encoder.
    """

    @register_to_config
    def __init__(self, inner: dict[str, Any], unet_widths: Sequence[int], unet_layers: int) -> None:
        """An untrained one, which changes nothing.

        Args:
            inner: configuration of the ControlNet.
            unet_widths: channels of the UNet at each level.
            unet_layers: residual blocks of the UNet's encoder at each level.
        """
        super(ControlNetModel, self).__init__()
        network = cast(Any, ControlNetModel).from_config(inner)
        network.controlnet_down_blocks = nn.ModuleList(
            nn.Identity() for _ in network.controlnet_down_blocks
        )
        network.controlnet_mid_block = nn.Identity()
        self.controlnet = network
        widths, layers = (
            list(network.config.block_out_channels),
            int(network.config.layers_per_block),
        )
        channels = _channels(widths, layers)
        self._sources = _sources(len(widths), layers, unet_layers)
        unet_channels = _channels(list(unet_widths), unet_layers)
        self.project = nn.ModuleList(
            _zero(channels[source], channel)
            for source, channel in zip(self._sources, unet_channels, strict=True)
        )
        self.project_middle = _zero(widths[-1], unet_widths[-1])
        config_values = {
            key: value for key, value in network.config.items() if not key.startswith("_")
        }
        cast(Any, self).register_to_config(
            **config_values | {"block_out_channels": list(unet_widths)}
        )

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]: fewer ways to be called
        self, sample: Tensor, timestep: Tensor, *, encoder_hidden_states: Tensor,
        controlnet_cond: Tensor, return_dict: bool = False,
    ) -> tuple[tuple[Tensor, ...], Tensor]:  # fmt: skip
        """As a ControlNet: (N, C, h, w), (N,), text (N, L, D) and the condition -> the residuals.

        Returns:
            One (N, C', h', w') for each residual of the UNet's encoder, and that of its middle.
        """
        del return_dict
        down, middle = self.controlnet(
            sample, timestep, encoder_hidden_states=encoder_hidden_states,
            controlnet_cond=controlnet_cond, return_dict=False,
        )  # fmt: skip
        projected = tuple(
            conv(down[source]) for conv, source in zip(self.project, self._sources, strict=True)
        )
        return projected, self.project_middle(middle)


def scaled_controlnet(
    unet: UNet2DConditionModel, block_widths: Sequence[int], block_layers: int,
    conditioning_channels: int, condition_widths: Sequence[int],
) -> ScaledControlNet:  # fmt: skip
    """An untrained ControlNet with random weights, which changes nothing.

    Args:
        block_widths: channels at each level, as many levels as the UNet has.
        block_layers: residual blocks at each level.
        conditioning_channels: those of the condition.
        condition_widths: of its embedding (`models.compact.build_controlnet`).

    Raises:
        UsageError: widths or layers that do not fit the UNet.
    """
    config = cast(Any, unet).config
    widths, groups = list(config.block_out_channels), int(config.norm_num_groups)
    if len(block_widths) != len(widths):
        got, expected = f"block_widths = {list(block_widths)}", f"{len(widths)} widths"
        raise UsageError(got, expected, "give one for each level of the UNet")
    if block_layers < 1 or any(width < groups or width % groups for width in block_widths):
        got = f"block_widths = {list(block_widths)}, block_layers = {block_layers}"
        raise UsageError(got, f"multiples of {groups}, and 1 layer or more", "change the recipe")
    head_counts = (
        config.num_attention_heads or config.attention_head_dim
    )  # the number, by its old name
    heads = [head_counts] * len(widths) if isinstance(head_counts, int) else list(head_counts)
    pairs = zip(heads, widths, block_widths, strict=True)
    new_heads = [_heads(count, width, block_width) for count, width, block_width in pairs]
    inner = ControlNetModel.from_unet(
        unet, load_weights_from_unet=False, conditioning_channels=conditioning_channels,
        conditioning_embedding_out_channels=tuple(condition_widths),
    )  # fmt: skip
    config_values: dict[str, Any] = dict(cast(Any, inner).config)
    config_values |= {
        "block_out_channels": list(block_widths), "layers_per_block": block_layers,
        "attention_head_dim": new_heads, "num_attention_heads": None,
    }  # fmt: skip
    shape = {key: value for key, value in config_values.items() if not key.startswith("_")}
    return ScaledControlNet(shape, widths, int(config.layers_per_block))


def _heads(count: int, width: int, block_width: int) -> int:
    """How many attention heads of about the UNet's size a level has; they divide its width."""
    maximum = max(1, count * block_width // width)
    return next(heads for heads in range(maximum, 0, -1) if block_width % heads == 0)


def _channels(widths: Sequence[int], layers: int) -> list[int]:
    """Of each residual of an encoder: of its first convolution, its layers and its halvings."""
    channels = [widths[0]]
    for level, width in enumerate(widths):
        channels += [width] * (layers + int(level < len(widths) - 1))
    return channels


def _sources(levels: int, layers: int, unet_layers: int) -> list[int]:
    """Which residual of the ControlNet goes to each of the UNet's; the last of as deep a share."""
    sources, first = [0], 1
    for level in range(levels):
        deep = (math.ceil((j + 1) * layers / unet_layers) for j in range(unet_layers))
        sources += [first + depth - 1 for depth in deep]
        first += layers
        if level < levels - 1:
            sources.append(first)
            first += 1
    return sources


def _zero(in_channels: int, out_channels: int) -> nn.Conv2d:
    conv = nn.Conv2d(in_channels, out_channels, 1)
    nn.init.zeros_(conv.weight)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv
