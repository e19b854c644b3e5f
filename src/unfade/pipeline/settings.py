"""Settings of the diffusion model for one photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from unfade.errors import UsageError

ColourFix = Literal["none", "wavelet", "adain"]


@dataclass(frozen=True)
class DiffusionSettings:
    """Settings of one restoration. UsageError for values out of range.

    Attributes:
        steps: of DDIM; 1 is one-step prediction.
        strength: 0..1, the noise to start from; 1 is pure noise, less keeps some of the photo.
        prompt: what is in the photo, "" for nothing.
        negative_prompt: what is not.
        guidance: scale of classifier-free guidance; 1 is none. Other values cost a second pass,
            if the two prompts differ.
        self_condition: 0..1, the share of the condition that the running estimate takes over
            from the second step on (IIDE at sampling time).
        fidelity: 0..1, w, the weight of controllable feature wrapping (StableSR, arXiv
            2305.07015, Eq. 3).
        posterior_mean: 0..1, the share of the posterior mean in the result; at 1 sampling
            ends after the first step, which gives that mean.
        vae_residual: 0..1, the share of the photo's reconstruction error of the autoencoder that
            is added to the result.
        eta: 0..1, the share of fresh noise in each step: 0 is DDIM, 1 ancestral sampling.
        colour_fix: method that transfers the low-frequency colours of the input.
        keep_luminance: use only the chroma of the model's result.
        seed: of the noise, >= 0.
        tile: side of a tile in pixels; memory grows with it.
        overlap: pixels that neighbouring tiles share at least.
    """

    steps: int = 20
    strength: float = 1.0
    prompt: str = ""
    negative_prompt: str = ""
    guidance: float = 4.0
    self_condition: float = 0.0
    fidelity: float = 0.0
    posterior_mean: float = 0.0
    vae_residual: float = 0.0
    eta: float = 0.0
    colour_fix: ColourFix = "none"
    keep_luminance: bool = False
    seed: int = 0
    tile: int = 512
    overlap: int = 64

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise UsageError(f"{self.steps} steps", "1 or more", "try 20")
        shares = ("strength", "self_condition", "fidelity", "posterior_mean", "vae_residual", "eta")
        for name in shares:
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise UsageError(f"{name} {value}", "0 to 1", "try 0.5")
        if not 0 <= self.guidance <= 100:
            raise UsageError(f"guidance {self.guidance}", "0 to 100", "try 4")
        if self.seed < 0:
            raise UsageError(f"seed {self.seed}", "a whole number from 0", "change it")
        if self.tile < 64 or not 0 <= self.overlap <= self.tile // 2:
            got = f"tile {self.tile} and overlap {self.overlap}"
            raise UsageError(got, "64 or more, and at most half of that", "try 512 and 64")
        if self.colour_fix != "none" and self.keep_luminance:
            got = f"colour_fix {self.colour_fix!r} with keep_luminance"
            raise UsageError(got, "one of the two", "leave the colour fix out")

    @property
    def guided(self) -> bool:
        """Whether a second pass is needed."""
        return self.prompt != self.negative_prompt and self.guidance != 1
