"""The diffusion networks of the compact preset: diffusers' own classes at a small size.

Together with the CFW they hold under 18 million parameters, 36 MB in fp16. A builder draws its
weights from torch's global generator: seed it for weights that can be made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from transformers import CLIPTextConfig, CLIPTextModel

from unfade.errors import UsageError
from unfade.models.scaled_controlnet import scaled_controlnet

Space = Literal["pixel", "latent"]  # what a ControlNet sees: the photo, or its scaled latent
Spacing = Literal["trailing", "leading"]
Prediction = Literal["epsilon", "v_prediction"]

TRAIN_STEPS = 1000  # T
#: Channels of the condition's embedding, each but the first at half the size of the one before.
CONDITION_WIDTHS = (16, 32, 96, 256)


@dataclass(frozen=True)
class VaeConfig:
    """Shape of the autoencoder; it makes photos smaller by patch * 2^(len(widths) - 1).

    Squares of pixels are folded into channels first (`models.patches`): all layers then work at
    an eighth of the resolution, and few of their products are lost to wide, thin activations.
    There is no attention at the bottom: its cost grows with the square of the tile, and a tile
    would see another picture than the whole photo does.

    Attributes:
        patch: side in pixels of the squares that become channels; 1 folds nothing.
        widths: channels at 1, 1/2, 1/4, ... of the folded resolution.
        layers: residual blocks at each level of the encoder; the decoder has one more.
        latent_channels: channels of the latent.
        groups: groups of each group normalisation; divides every width.
    """

    patch: int = 8
    widths: list[int] = field(default_factory=lambda: [160])
    layers: int = 1
    latent_channels: int = 16
    groups: int = 1

    @property
    def downscale(self) -> int:
        """The width of a latent cell in pixels."""
        return self.patch * 2 ** (len(self.widths) - 1)


@dataclass(frozen=True)
class UnetConfig:
    """Shape of the text-conditioned UNet. Its finest level has no attention: too many pixels.

    Attributes:
        widths: channels at 1, 1/2, 1/4, ... of the latent's resolution.
        heads: attention heads at each level; a width is a multiple of its heads.
        layers: residual blocks at each level of the encoder; the decoder has one more.
        latent_channels: those of the autoencoder.
        text_width: those of the text encoder.
        groups: groups of each group normalisation; divides every width.
    """

    widths: list[int] = field(default_factory=lambda: [64, 128, 160])
    heads: list[int] = field(default_factory=lambda: [2, 4, 5])
    layers: int = 1
    latent_channels: int = 16
    text_width: int = 128
    groups: int = 16


@dataclass(frozen=True)
class TextConfig:
    """Shape of the text encoder.

    Attributes:
        width: channels of a token's embedding.
        layers: transformer layers.
        heads: attention heads; they divide the width.
        length: tokens of a prompt, those that begin and end it included.
    """

    width: int = 128
    layers: int = 4
    heads: int = 4
    length: int = 48


def build_vae(config: VaeConfig) -> AutoencoderKL:
    """An untrained autoencoder: (N, 3 P^2, H/P, W/P) in [-1, 1] <-> (N, C, H/8, W/8).

    Its `scaling_factor` is 1; whoever trains it sets one that gives latents unit variance, by
    `vae.register_to_config(scaling_factor=...)`.
    """
    levels = len(config.widths)
    return AutoencoderKL(
        in_channels=3 * config.patch**2,
        out_channels=3 * config.patch**2,
        down_block_types=cast(Any, ("DownEncoderBlock2D",) * levels),
        up_block_types=cast(Any, ("UpDecoderBlock2D",) * levels),
        block_out_channels=cast(Any, tuple(config.widths)),
        layers_per_block=config.layers,
        latent_channels=config.latent_channels,
        norm_num_groups=config.groups,
        sample_size=256,
        scaling_factor=1.0,
        force_upcast=False,
        mid_block_add_attention=False,
    )


def build_unet(config: UnetConfig) -> UNet2DConditionModel:
    """An untrained UNet: zt (N, C, h, w), t (N,), text (N, L, text_width) -> eps (N, C, h, w).

    h and w are multiples of 2^(len(widths) - 1).
    """
    below = len(config.widths) - 1
    return UNet2DConditionModel(
        sample_size=32,
        in_channels=config.latent_channels,
        out_channels=config.latent_channels,
        down_block_types=("DownBlock2D", *("CrossAttnDownBlock2D",) * below),
        up_block_types=(*("CrossAttnUpBlock2D",) * below, "UpBlock2D"),
        block_out_channels=tuple(config.widths),
        layers_per_block=config.layers,
        cross_attention_dim=config.text_width,
        attention_head_dim=cast(Any, tuple(config.heads)),  # taken as the number of heads
        norm_num_groups=config.groups,
        use_linear_projection=True,
    )


def build_text_encoder(config: TextConfig, vocabulary: int) -> CLIPTextModel:
    """An untrained text encoder of CLIP's architecture: tokens (N, L) -> (N, L, width).

    Args:
        vocabulary: words that the tokenizer knows, special ones included (`len(tokenizer)`).
    """
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=config.width,
            intermediate_size=4 * config.width,
            projection_dim=config.width,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            max_position_embeddings=config.length,
            pad_token_id=0,  # the ids that `vocabulary.build_tokenizer` gives
            bos_token_id=2,
            eos_token_id=3,
        )
    )


def build_controlnet(
    unet: UNet2DConditionModel,
    *,
    space: Space = "pixel",
    mask: bool = False,
    widths: Sequence[int] = CONDITION_WIDTHS,
    block_widths: Sequence[int] = (),
    block_layers: int = 0,
) -> ControlNetModel:
    """An untrained ControlNet: a copy of the UNet's encoder whose output is zero.

    Its class and layout are diffusers' own. In latent space the condition's embedding has one
    width, hence no strided convolution, and sees the latent at its own resolution.

    Args:
        unet: of any preset.
        space: "pixel": the condition is (N, 3, H, W) in [0, 1]; "latent": the scaled latent.
        mask: one channel more, for the scratch mask.
        widths: of the condition's embedding in pixel space; their number less one is how often
            it halves the photo, as often as the autoencoder does.
        block_widths: channels at each level; empty are the UNet's. A ControlNet of another size
            than the UNet's encoder starts from random weights.
        block_layers: residual blocks at each level; 0 is the UNet's number.

    Raises:
        UsageError: widths that are too few for pixel space, or that do not fit the UNet.
    """
    if space == "pixel" and len(widths) < 2:
        got = f"condition widths {tuple(widths)}"
        raise UsageError(got, "two or more in pixel space", "give one for each size")
    config = cast(Any, unet).config
    channels = int(mask) + (3 if space == "pixel" else cast(int, config.in_channels))
    embedding = tuple(widths if space == "pixel" else widths[-1:])
    shape = list(block_widths or config.block_out_channels), block_layers or config.layers_per_block
    if shape != (list(config.block_out_channels), config.layers_per_block):
        return scaled_controlnet(unet, *shape, channels, embedding)
    return ControlNetModel.from_unet(
        unet, conditioning_channels=channels, conditioning_embedding_out_channels=embedding
    )


def build_scheduler(
    *, prediction: Prediction = "epsilon", spacing: Spacing = "trailing"
) -> DDIMScheduler:
    """DDIM over Stable Diffusion's noise: scaled-linear betas 0.00085..0.012.

    Args:
        prediction: what the UNet tells, the noise or v (arXiv 2202.00512). From almost pure noise
            an error in eps weighs fifteen times as much in the estimate of z0, one in v once.
        spacing: "trailing" starts at T - 1 whatever the number of steps, which one-step
            prediction needs; "leading" is what Stable Diffusion ships with.
    """
    return DDIMScheduler(
        num_train_timesteps=TRAIN_STEPS,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type=prediction,
        timestep_spacing=spacing,
    )
