"""The first stage for colours: lightness, words and painted regions -> a distribution of chroma.

Colouring as classification (Zhang et al. 2016, arXiv 1603.08511): every cell of four by four pixels
gets a probability for each bin of Lab's a and b. The encoder is a classifier's
(EfficientNet-Lite0), which knows what is in a photo. Words enter by cross-attention at 1/16 and 1/8
of the resolution; painted regions (Zhang et al. 2017, arXiv 1705.02999) enter the decoder at every
level, and attention at 1/16 spreads them over the object.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from unfade.models.blocks import ResBlock
from unfade.models.efficientnet import LiteEncoder
from unfade.models.tensors import from_array
from unfade.models.words import PAD, Encoded, Vocabulary

#: Side in pixels of a cell of the output.
CELL = 4
#: Height and width of the input are multiples of it.
STRIDE = 32
_SCALE = 110.0  # of a and b, where they go into the network
_GRID = 10  # of the bins, in units of a and b (arXiv 1603.08511, 2.1)
_SIGMA = 5.0  # of the soft encoding (the same)
_UNIFORM = 0.5  # share of the uniform distribution in the one that weights come from (the same)
_LARGEST_CHANGE = 0.97  # quantile of the cells: the largest change that a prompt makes
_AROUND = 11  # cells, the side of the square that the shares of chroma are smoothed over
_REGION_CHANNELS = 3  # channels


@dataclass(frozen=True)
class ColouriserConfig:
    """Shape of the colouriser.

    Attributes:
        stages: of the encoder, 6 or 7: both end at 1/32 of the resolution.
        widths: channels of the decoder at 1/4, 1/8 and 1/16 of the resolution.
        heads: of every attention.
        text_width: channels of a word.
        text_layers: transformer layers of the text encoder.
        length: words of a prompt, the one that begins it included.
        words: the vocabulary (`models.words`); training learns it.
        side: short side in pixels that photos are coloured at.
        saturation, liveliness, temperature, guidance, focus, doubtful, certain: how chroma is best
            taken from what the network finds (`pipeline.colourise.ColourSettings`), chosen when it
            was trained.
    """

    stages: int = 6
    widths: list[int] = field(default_factory=lambda: [64, 96, 128])
    heads: int = 4
    text_width: int = 96
    text_layers: int = 2
    length: int = 32
    words: list[str] = field(default_factory=list[str])
    side: int = 224
    saturation: float = 1.0
    liveliness: float = 0.0
    temperature: float = 1.0
    guidance: float = 1.0
    focus: float = 0.0
    doubtful: float = 0.0
    certain: float = 0.0


@lru_cache(maxsize=1)
def bin_centres() -> NDArray[np.float32]:
    """a and b of the bins, (Q, 2): multiples of 10 that some sRGB colour is nearest to."""
    axis = np.linspace(0, 1, 52, dtype=np.float32)
    rgb = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(1, -1, 3)
    lab = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), np.float32)[0]
    return _GRID * np.unique(np.rint(lab[:, 1:] / _GRID), axis=0).astype(np.float32)


class TextEncoder(nn.Module):
    """A small transformer over words (arXiv 1706.03762), with a convolution over neighbours.

    The convolution binds a colour to the noun beside it before attention looks further.
    """

    def __init__(self, count: int, config: ColouriserConfig) -> None:
        super().__init__()
        width = config.text_width
        self.embedding = nn.Embedding(count, width, padding_idx=PAD)
        self.place = nn.Parameter(torch.zeros(config.length, width))
        self.neighbours = nn.Conv1d(width, width, 3, padding=1)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width,
                config.heads,
                2 * width,
                dropout=0.0,
                activation="gelu",
                batch_first=True,
                norm_first=True,
            )
            for _ in range(config.text_layers)
        )
        self.norm = nn.LayerNorm(width)
        nn.init.normal_(self.embedding.weight, std=0.3)
        nn.init.normal_(self.place, std=0.1)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, T) whole numbers -> (N, T, D); the places of `PAD` mean nothing."""
        absent = tokens == PAD  # (N, T)
        h = self.embedding(tokens) + self.place[: tokens.shape[1]]  # (N, T, D)
        h = h.masked_fill(absent[..., None], 0)
        h = h + self.neighbours(h.mT).mT
        for layer in self.layers:
            h = layer(h, src_key_padding_mask=absent)
        return self.norm(h)


class Attention(nn.Module):
    """Attention of cells to words and, where asked for, to each other first; then an MLP."""

    def __init__(self, width: int, text_width: int, heads: int, *, self_attention: bool) -> None:
        super().__init__()
        self.norm_own = nn.LayerNorm(width) if self_attention else None
        self.own = nn.MultiheadAttention(width, heads, batch_first=True) if self_attention else None
        self.norm_text = nn.LayerNorm(width)
        self.text = nn.MultiheadAttention(
            width, heads, kdim=text_width, vdim=text_width, batch_first=True
        )
        self.norm_mlp = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor, words: Tensor, absent: Tensor) -> Tensor:
        """(N, C, H, W), words (N, T, D), absent (N, T) -> (N, C, H, W)."""
        n, c, height, width = x.shape
        h = x.flatten(2).mT  # (N, HW, C)
        if self.own is not None and self.norm_own is not None:
            normalised = self.norm_own(h)
            h = h + self.own(normalised, normalised, normalised, need_weights=False)[0]
        normalised = self.norm_text(h)
        h = h + self.text(normalised, words, words, key_padding_mask=absent, need_weights=False)[0]
        h = h + self.mlp(self.norm_mlp(h))
        return h.mT.reshape(n, c, height, width)


class Colouriser(nn.Module):
    """Lightness, region colours and words -> logits of the bins of chroma.

    Attributes:
        vocabulary: of the prompts.
    """

    def __init__(self, config: ColouriserConfig) -> None:
        super().__init__()
        self.config = config
        self.vocabulary = Vocabulary(config.words)
        self.encoder = LiteEncoder(config.stages)
        self.text = TextEncoder(len(self.vocabulary), config)
        fine, middle, coarse = config.widths
        skips = self.encoder.widths  # at 1/2, 1/4, 1/8, 1/16, 1/32
        self.enter = nn.Conv2d(skips[4] + 2, coarse, 1)
        self.fuse16 = nn.Conv2d(coarse + skips[3] + _REGION_CHANNELS, coarse, 1)
        self.block16 = ResBlock(coarse, norm=True)
        self.attend16 = Attention(coarse, config.text_width, config.heads, self_attention=True)
        self.fuse8 = nn.Conv2d(coarse + skips[2] + _REGION_CHANNELS, middle, 1)
        self.block8 = ResBlock(middle, norm=True)
        self.attend8 = Attention(middle, config.text_width, config.heads, self_attention=False)
        self.fuse4 = nn.Conv2d(middle + skips[1] + _REGION_CHANNELS, fine, 1)
        self.block4 = ResBlock(fine, norm=True)
        centres = from_array(bin_centres())
        self.leave = nn.Conv2d(fine, len(centres), 1)
        self.register_buffer("centres", centres, persistent=False)  # (Q, 2)
        self.register_buffer("log_prior", torch.zeros(len(centres)))  # (Q,)

    def forward(self, light: Tensor, region_colours: Tensor, tokens: Tensor) -> Tensor:
        """Logits of the bins, (N, Q, H / 4, W / 4).

        Args:
            light: (N, 1, H, W), L / 100; H and W are multiples of `STRIDE`.
            region_colours: (N, 3, H, W): a and b of painted pixels, and 1 there; 0 elsewhere.
            tokens: (N, T), from `padded`.
        """
        words, absent = self.text(tokens), tokens == PAD
        features = self.encoder(light.expand(-1, 3, -1, -1))
        h = self.enter(
            torch.cat([features[4], _cell_positions(features[4])], 1)
        )  # (N, C, H/32, W/32)
        h = self.block16(
            self._fuse(self.fuse16, h, features[3], region_colours)
        )  # (N, C, H/16, W/16)
        h = self.attend16(h, words, absent)
        h = self.block8(self._fuse(self.fuse8, h, features[2], region_colours))  # (N, C, H/8, W/8)
        h = self.attend8(h, words, absent)
        h = self.block4(self._fuse(self.fuse4, h, features[1], region_colours))  # (N, C, H/4, W/4)
        return self.leave(h)

    def _fuse(self, fuse: nn.Module, h: Tensor, skip: Tensor, region_colours: Tensor) -> Tensor:
        size = skip.shape[-2:]
        h = F.interpolate(h, size=size, mode="bilinear", align_corners=False)
        return fuse(torch.cat([h, skip, pooled_region_colours(region_colours, size)], 1))

    def encode(self, prompt: str) -> Encoded:
        """A prompt as numbers, with the words that are not known."""
        return self.vocabulary.encode(prompt, self.config.length)

    def set_prior(self, shares: Tensor) -> None:
        """Sets the bias to the frequency of the bins in the training photos, (Q,)."""
        log = (shares / shares.sum()).clamp(min=1e-7).log()
        cast(Tensor, self.log_prior).copy_(log)
        with torch.no_grad():
            self.leave.weight.mul_(0.1)
            cast(nn.Parameter, self.leave.bias).copy_(log)

    def bin_weights(self, exponent: float) -> Tensor:
        """The weight of a pixel of each bin, (Q,), with mean 1 (arXiv 1603.08511, Eq. 4).

        Args:
            exponent: 1 weighs rare colours as the paper does, 0 weighs all alike.
        """
        prior = cast(Tensor, self.log_prior).exp()
        prior = prior / prior.sum()
        mixed = (1 - _UNIFORM) * prior + _UNIFORM / len(prior)
        weights = mixed**-exponent
        return weights / (weights * prior).sum()


def padded(encoded: Encoded, length: int) -> Tensor:
    """Pads or cuts the tokens of a prompt to (T,)."""
    out = torch.full((length,), PAD)
    out[: len(encoded.tokens)] = torch.tensor(encoded.tokens)
    return out


def _cell_positions(features: Tensor) -> Tensor:
    """Row and column of each cell, -1..1, (N, 2, H, W), for prompts such as "blue above"."""
    n, _, height, width = features.shape
    rows = torch.linspace(-1, 1, height, device=features.device, dtype=features.dtype)
    columns = torch.linspace(-1, 1, width, device=features.device, dtype=features.dtype)
    grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))  # (2, H, W)
    return grid.expand(n, -1, -1, -1)


def pooled_region_colours(region_colours: Tensor, size: torch.Size | tuple[int, int]) -> Tensor:
    """Downsamples region colours (N, 3, H, W) to (N, 3, h, w) for the network.

    They are the mean of what is painted of a cell, about -1..1, and how much is painted. A point
    counts in full: a cell of which a quarter is painted is a hint.
    """
    mean = F.adaptive_avg_pool2d(region_colours, (size[0], size[1]))  # (N, 3, h, w)
    share = mean[:, 2:]
    present = (4 * share).clamp(max=1)
    chroma = mean[:, :2] / share.clamp(min=1e-6) / _SCALE
    return torch.cat([chroma * present, present], 1)


def soft_bins(chroma: Tensor, centres: Tensor) -> Tensor:
    """Chroma as shares of the bins, a Gaussian about it (arXiv 1603.08511, 2.2).

    The paper keeps the five nearest bins; what the others have is below a fiftieth.

    Args:
        chroma: (N, 2, H, W); centres: (Q, 2).

    Returns:
        (N, Q, H, W), sums of 1.
    """
    product = torch.einsum("nchw,qc->nqhw", chroma, centres)
    square = centres.square().sum(1)[:, None, None] - 2 * product  # less |chroma|^2
    return (-square / (2 * _SIGMA**2)).softmax(1)


def annealed_mean(logits: Tensor, centres: Tensor, temperature: float = 1.0) -> Tensor:
    """Chroma from logits (arXiv 1603.08511, Eq. 5); 1 is the mean, towards 0 the mode.

    Args:
        logits: (N, Q, H, W); centres: (Q, 2).

    Returns:
        (N, 2, H, W), a and b.
    """
    p = (logits.float() / temperature).softmax(1)
    return torch.einsum("nqhw,qc->nchw", p, centres)


def restraint(logits: Tensor, centres: Tensor, least: float, full: float) -> Tensor:
    """The share of its chroma that each cell keeps, (N, 1, H, W) in 0..1.

    Args:
        least: certainty up to which a cell keeps none.
        full: certainty from which it keeps all; more than `least`.
    """
    share = ((certainty(logits, centres) - least) / (full - least)).clamp(0, 1)
    return _smoothed(share)


def _smoothed(cells: Tensor) -> Tensor:
    """Means over the cells around each: no blotches within an object."""
    return F.avg_pool2d(cells, _AROUND, 1, _AROUND // 2, count_include_pad=False)


def prompt_share(prompted: Tensor, null: Tensor, least: float) -> Tensor:
    """The share of the prompt's effect that each cell gets, (N, 1, H, W) in 0..1.

    A prompt names things, and changes the distribution where they are; what it changes a little
    elsewhere would tint the whole photo. The change is the Kullback-Leibler divergence.

    Args:
        prompted, null: logits (N, Q, H, W) with the prompt and without.
        least: share of the largest change from which a cell gets all of the effect, above 0.
    """
    p, q = prompted.log_softmax(1), null.log_softmax(1)
    change = (p.exp() * (p - q)).sum(1, keepdim=True)  # (N, 1, H, W), nats
    change = _smoothed(F.avg_pool2d(change, 3, 1, 1, count_include_pad=False))
    largest = torch.quantile(change.flatten(1), _LARGEST_CHANGE, dim=1)[:, None, None, None]
    share = (change / (least * largest).clamp(min=1e-6)).clamp(0, 1)
    return share.square() * (3 - 2 * share)


def certainty(logits: Tensor, centres: Tensor) -> Tensor:
    """The agreement of a cell's likely chromas, (N, 1, H, W) in 0..1.

    It is the length of the mean chroma as a share of the mean length, as of directions. Ten units
    are added to both: cells that are surely gray are sure.
    """
    p = logits.float().softmax(1)
    mean = torch.einsum("nqhw,qc->nchw", p, centres).square().sum(1, keepdim=True).sqrt()
    lengths = torch.einsum("nqhw,q->nhw", p, centres.square().sum(1).sqrt())[:, None]
    return (mean + _GRID) / (lengths + _GRID)


def chroma_spread(logits: Tensor, centres: Tensor) -> Tensor:
    """The standard deviation of the likely chromas of each cell, (N, 1, H, W)."""
    p = logits.float().softmax(1)
    mean = torch.einsum("nqhw,qc->nchw", p, centres)  # (N, 2, H, W)
    square = torch.einsum("nqhw,q->nhw", p, centres.square().sum(1))[:, None]
    return (square - mean.square().sum(1, keepdim=True)).clamp(min=0).sqrt()
