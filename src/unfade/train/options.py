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
        steps: number of optimizer steps; the cosine schedule ends with them.
        batch: samples of a step, over all processes and micro-batches.
        accumulate: micro-batches into which a process divides its samples of a step, to save
            memory.
        checkpointing: recompute activations in the backward pass, to save memory.
        rate: peak learning rate, reached after `warmup` steps.
        encoder_rate: factor on the rate of a network's `encoder`, which is pretrained.
        schedule: "cosine" falls to 1 % of the peak, "constant" stays there.
        clip: largest gradient norm.
        ema: decay of the averaged weights, which are the ones exported.
        weight_averaging: share of the start weights in the exported weights, which are averages
            of both: fine-tuned weights alone are worse on photos unlike those of the training
            (WiSE-FT, arXiv 2109.01903).
        seed: seed of data order, crops, degradations and initial weights.
        workers: number of processes that prepare samples.
        save_every, validate_every: steps between checkpoints and between validations, which
            also export the averaged weights.
        states: number of checkpoints on disk: state.safetensors, the last, and earlier ones as
            state-STEP.safetensors.
        exports: number of exported weights of earlier validations on disk, as NAME-STEP.
        frozen_norms: keep the running statistics of batch normalisation: those of a few faded
            crops differ from those of the photos to restore.
        compiled: compile the network with torch.compile: a step takes a third less time, after
            one or two minutes of compiling; needs a C++ compiler.
        moments: dtype of AdamW's moments; "bf16" saves 4 bytes per weight and rounds at random,
            so that the means are unbiased.
        precision: of convolutions and products; "auto" is bf16 on hardware that has it.
        attention: "plain" is faster on CPUs than torch's fused attention for few tokens; its
            memory grows with their square.
        layout: memory layout of activations; "contiguous" is faster for small latents on CPUs.
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

    def _check(self, name: str, valid: bool, expected: str) -> None:
        if not valid:
            got = f"loop.{name} = {getattr(self, name)}"
            raise UsageError(got, expected, "change it in the recipe")


@dataclass(frozen=True)
class ScratchRecipe:
    """`unfade train scratch`.

    Attributes:
        hard_negatives: share of the photos that hard pairs are drawn from: those on which the
            start weights give the strongest false alarms.
        error_weight: weight added to a damaged pixel for each unit of its mean square error
            ([0, 1] squared) in the damaged photo: a missed bright crack costs more than a faint
            one.
        recall: added to the weight of damaged pixels in the cross-entropy; 0 asks for the
            fewest errors, more for fewer misses and more false alarms.
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
        local: train the U-Net and the head; False trains the head alone, which is fast in large
            batches and gives start weights for both.
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
        clean: share of thumbnails that are not faded.
    """

    loop: LoopOptions = field(default_factory=LoopOptions)
    model: ToneConfig = field(default_factory=ToneConfig)
    clean: float = 0.35


@dataclass(frozen=True)
class ColourRecipe:
    """`unfade train colour`.

    Attributes:
        rebalance: 0 gives every pixel the same weight, 1 gives rare colours the weight of Zhang
            et al. (2016): more vivid colours with a larger mean error. `liveliness` of
            `pipeline.colourise` does the same when photos are coloured.
        least: minimum count of a caption word; rarer words are unknown.
        vocabulary: maximum number of words.
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


@dataclass(frozen=True)
class TextureRecipe:
    """`unfade train texture`.

    Attributes:
        fidelity: at which the enlarger is trained: 0 adds all of the texture.
        pixels, features, textures, adversarial: weights of the L1 between pixels, of the distances
            between features and between textures (`train.losses`), and of the discriminator's
            verdict.
    """

    loop: LoopOptions = field(default_factory=LoopOptions)
    pairs: SmallOptions = field(default_factory=SmallOptions)
    model: EnlargerConfig = field(default_factory=lambda: EnlargerConfig(texture=4))
    fidelity: float = 0.0
    pixels: float = 10.0
    features: float = 0.05
    textures: float = 1.0
    adversarial: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.fidelity < 1:
            got = f"fidelity = {self.fidelity:g}"
            raise UsageError(got, "0 to less than 1", "change it in the recipe")
        for name in ("pixels", "features", "textures", "adversarial"):
            if getattr(self, name) < 0:
                got = f"{name} = {getattr(self, name):g}"
                raise UsageError(got, "0 or more", "change it in the recipe")
