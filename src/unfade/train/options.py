"""Defines the settings of training recipes (TOML)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from unfade.config import renamed_field
from unfade.data.colour import ColourOptions
from unfade.data.enlarging import SmallOptions
from unfade.data.pairs import PairOptions
from unfade.errors import UsageError
from unfade.models.colouriser import ColouriserConfig
from unfade.models.enlarger import EnlargerConfig
from unfade.models.inference import Layout, Precision
from unfade.models.scratch import ScratchConfig
from unfade.models.stage1 import Stage1Config
from unfade.models.tone import ToneConfig


@dataclass(frozen=True)
class LoopOptions:
    """Settings of the training loop, for all tasks. UsageError if a value is out of range.

    Attributes:
        steps: optimizer steps in all; the cosine schedule ends there.
        batch: samples a step, of all processes and micro-batches together.
        accumulate: micro-batches that a process parts its share of a step into; less memory.
        checkpointing: networks that can forget activations and compute them again; less memory.
        rate: peak learning rate, reached after `warmup` steps.
        encoder_rate: factor on the rate of a network's `encoder`, which knows much already.
        schedule: "cosine" falls to 1 % of the peak, "constant" stays there.
        clip: largest gradient norm.
        ema: decay of the averaged weights, which are the ones exported.
        weight_averaging: share of the start weights in the exported weights, which are averages
            of both: fine-tuned weights alone are worse on photos unlike those of the training
            (WiSE-FT, arXiv 2109.01903).
        seed: of data order, crops, degradations and initial weights.
        workers: processes that prepare data.
        save_every, validate_every: steps between checkpoints and between validations, which
            also export the averaged weights.
        states: checkpoints that are kept: state.safetensors, the last, and state-STEP.safetensors.
        exports: exported weights of earlier validations that are kept, with -STEP after their name.
        frozen_norms: use the statistics that batch normalisation has, and leave them as they are:
            those of a few faded crops are unlike those of the photos that are restored.
        compiled: let torch.compile translate the network: a third less time a step, after one or
            two minutes; a C++ compiler must be installed.
        moments: of AdamW, in which type: "bf16" takes 4 bytes a weight less, rounded at random so
            that their means stay right.
        precision: of convolutions and products; "auto" is bf16 on hardware that has it.
        attention: "plain" is quicker than torch's fused one on processors where there are few
            places to attend to, and takes memory that grows with their square.
        layout: of activations; "contiguous" is quicker for small latents on processors.
    """

    steps: int = 10000
    batch: int = 8
    accumulate: int = 1
    checkpointing: bool = False
    rate: float = 5e-4
    encoder_rate: float = 1.0
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup: int = 200
    weight_decay: float = 1e-4
    clip: float = 1.0
    ema: float = 0.998
    weight_averaging: float = renamed_field("kept", 0.0)
    seed: int = 0
    workers: int = 1
    save_every: int = 200
    validate_every: int = renamed_field("show_every", 1000)
    states: int = 1
    exports: int = 0
    frozen_norms: bool = False
    compiled: bool = False
    moments: Literal["fp32", "bf16"] = "fp32"
    precision: Precision = "auto"
    attention: Literal["fused", "plain"] = "fused"
    layout: Layout = "channels_last"

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "accumulate", "save_every", "validate_every", "states"):
            self._check(name, getattr(self, name) >= 1, "1 or more")
        for name in (
            "rate",
            "encoder_rate",
            "warmup",
            "weight_decay",
            "seed",
            "workers",
            "exports",
        ):
            self._check(name, getattr(self, name) >= 0, "0 or more")
        for name in ("ema", "weight_averaging"):
            self._check(name, 0 <= getattr(self, name) <= 1, "0 to 1")
        self._check("clip", self.clip > 0, "more than 0")

    def _check(self, name: str, sound: bool, expected: str) -> None:
        if not sound:
            got = f"loop.{name} = {getattr(self, name)}"
            raise UsageError(got, expected, "change it in the recipe")


@dataclass(frozen=True)
class ScratchRecipe:
    """`unfade train scratch`.

    Attributes:
        hard_negatives: share of the photos that hard pairs are drawn from: those on which the
            start weights give the strongest false alarms.
        error_weight: how much more a pixel of damage counts for each unit of its mean square
            error ([0, 1] squared) in the damaged photo: a bright crack that is missed costs more
            than a faint one.
        recall: added to the weight of damaged pixels in the cross-entropy; 0 asks for the
            fewest errors, more for fewer misses at the price of false alarms.
        imagenet: give the encoder ImageNet's weights if there are no start weights.
    """

    loop: LoopOptions = field(default_factory=LoopOptions)
    pairs: PairOptions = field(default_factory=PairOptions)
    model: ScratchConfig = field(default_factory=ScratchConfig)
    hard_negatives: float = renamed_field("alarms", 0.12)
    error_weight: float = 0.0
    recall: float = 1.5
    imagenet: bool = True


@dataclass(frozen=True)
class Stage1Recipe:
    """`unfade train stage1`.

    Attributes:
        local: train the U-Net and the head; without it the head alone, which is quick in large
            batches and a start for both.
        found: share of the masks that the compact preset's detector predicts, as restoring
            erases it; the rest are the true ones, made imperfect.
        structure: weight of 1 - SSIM in the loss.
    """

    loop: LoopOptions = field(default_factory=LoopOptions)
    pairs: PairOptions = field(default_factory=PairOptions)
    model: Stage1Config = field(default_factory=Stage1Config)
    local: bool = True
    found: float = 0.0
    structure: float = 0.0


@dataclass(frozen=True)
class ToneRecipe:
    """`unfade train tone`.

    Attributes:
        clean: share of the thumbnails that did not fade.
    """

    loop: LoopOptions = field(default_factory=LoopOptions)
    model: ToneConfig = field(default_factory=ToneConfig)
    clean: float = 0.35


@dataclass(frozen=True)
class ColourRecipe:
    """`unfade train colour`.

    Attributes:
        rebalance: 0 counts every pixel alike, 1 rare colours as much as Zhang et al. (2016) do:
            livelier, and further off in the mean. What is not rebalanced in training can be when
            photos are coloured (`liveliness` of `pipeline.colourise`).
        least: a word of the captions that occurs less often is unknown.
        vocabulary: how many words there are at most.
        imagenet: whether the encoder starts from ImageNet's weights.
    """

    loop: LoopOptions = field(default_factory=LoopOptions)
    samples: ColourOptions = field(default_factory=ColourOptions)
    model: ColouriserConfig = field(default_factory=ColouriserConfig)
    rebalance: float = 0.0
    least: int = 2
    vocabulary: int = 2500
    imagenet: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.rebalance <= 1:
            got = f"rebalance = {self.rebalance:g}"
            raise UsageError(got, "0 to 1", "change it in the recipe")


@dataclass(frozen=True)
class EnlargerRecipe:
    """`unfade train enlarger`.

    Attributes:
        structure: weight of 1 - SSIM in the loss.
    """

    loop: LoopOptions = field(default_factory=LoopOptions)
    pairs: SmallOptions = field(default_factory=SmallOptions)
    model: EnlargerConfig = field(default_factory=EnlargerConfig)
    structure: float = 0.0
