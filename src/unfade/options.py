"""The options of a restoration, checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, cast

from unfade.colours import ColourRegion, with_words
from unfade.errors import UsageError
from unfade.manifest import Value

Task = Literal["old-photo", "super-resolution", "colorize"]
Tone = Literal["auto", "keep"]
Auto = Literal["auto"]
Reach = Literal["damage", "all"]
Sensitivity = Literal["low", "normal", "high"]
ExistingColours = Literal["refresh", "replace"]
Prediction = Literal["epsilon", "v"]
Dtype = Literal["auto", "fp32", "fp16", "bf16"]

TASKS: tuple[Task, ...] = ("old-photo", "super-resolution", "colorize")
TONES = ("auto", "keep")
REACHES = ("damage", "all")
SENSITIVITIES: tuple[Sensitivity, ...] = ("low", "normal", "high")
EXISTING_COLOURS: tuple[ExistingColours, ...] = ("refresh", "replace")
PREDICTIONS: tuple[Prediction, ...] = ("epsilon", "v")
DTYPES: tuple[Dtype, ...] = ("auto", "fp32", "fp16", "bf16")

#: More pixels than this are refused before anything is decoded.
MAX_PIXELS = 300_000_000
MIN_TILE = 64
#: The default scale of super-resolution.
SCALE = 4.0
MAX_STEPS = 1000
MAX_VARIANTS = 100
#: The default guidance with a prompt.
GUIDANCE = 4.0

#: Options that only the diffusion model supports.
_DIFFUSION = ("prompt", "negative_prompt", "guidance", "self_condition", "steps", "variants",
              "fidelity", "posterior_mean", "vae_residual", "eta", "paper", "reach")  # fmt: skip
#: Options that the published method fixes.
NOT_PUBLISHED = ("only_damage", "tone", "strength", "posterior_mean", "vae_residual", "reach",
                  "self_condition", "saturation", "colour_regions")  # fmt: skip
#: Options of the diffusion model that a task's first stage supports, too.
_FIRST_STAGE = {"colorize": ("prompt", "guidance", "variants"), "super-resolution": ("fidelity",)}
#: Options that a task does not support, and what to do instead.
_UNSUPPORTED = {
    "old-photo": {
        "scale": "restore the photo first, then enlarge the result with task='super-resolution'",
        "saturation": "leave it out: it is that of the colours which task='colorize' finds",
        "existing_colours": "leave it out: only task='colorize' replaces colours",
    },
    "colorize": {
        "scale": "colour the photo first, then enlarge the result with task='super-resolution'",
    },
    "super-resolution": dict.fromkeys(
        ("prompt", "negative_prompt", "guidance"),
        "leave it out: enlarging adds nothing that a text names; task='colorize' takes a prompt",
    )
    | dict.fromkeys(
        ("only_damage", "threshold", "sensitivity", "protect", "tone"),
        "leave it out: damage and tone are mended by task='old-photo', before enlarging",
    )
    | {
        "colour_regions": "give colours by task='old-photo' or task='colorize', before enlarging",
        "saturation": "leave it out: it is that of the colours which task='colorize' finds",
        "existing_colours": "leave it out: only task='colorize' replaces colours",
    },
}


@dataclass(frozen=True)
class RestoreOptions:
    """The options of a restoration. UsageError for values that are invalid, also for the task.

    Attributes:
        task: "old-photo" mends damage and fading, "super-resolution" enlarges, "colorize" gives a
            gray photo colours.
        mask: where the damage is: "auto" finds it, "none" fills nothing, a path names a mask
            (any format, the photo's size, white = damaged). Super-resolution looks for none.
        only_damage: leave every pixel outside the (feathered) mask as it is, bit for bit, but for
            regions that get a colour.
        tone: "auto" mends faded tone and cast, "keep" leaves them; None is "auto" for old photos
            and else "keep".
        prompt: what is in the photo, "" for nothing.
        negative_prompt: what is not.
        guidance: 0..100, how much the prompts count; None is GUIDANCE where there are any.
        self_condition: 0..1, the share of the condition that the model's running estimate takes
            over from the second step on.
        scale: of super-resolution, 1 or more; None is SCALE there.
        colour_regions: regions and their colours, in this order (`pipeline.region_colours`). A
            network that colours the photo gets them as input, too.
        existing_colours: of colorize, for a photo that has colours: "refresh" keeps its hues,
            corrects fading and cast, and mends damage only where `mask`, `only_damage`,
            `sensitivity` or `threshold` asks for it; "replace" finds new colours from the luminance
            alone. None is "refresh", and warns.
        saturation: of colorize, 0..2: factor on the predicted chroma.
        fidelity: 0..1, the weight w of controllable feature wrapping (StableSR, arXiv 2305.07015);
            "auto": the preset's own, else by the damage measured. That is 0 for colorize, which
            keeps the luminance anyway: more takes its colours away. Of super-resolution without
            the diffusion model, where the enlarger has a branch for texture (`train.texture`; the
            one that ships has none): 1, which "auto" is, adds none of it, and 0 all.
        posterior_mean: 0..1, the share of the posterior mean in the result; at 1 one step is run,
            which gives that mean. "auto" as for fidelity.
        vae_residual: 0..1, the share of the photo's reconstruction error of the autoencoder that is
            added to the result. "auto" as for fidelity.
        eta: 0..1, the share of fresh noise in each step: 0 is DDIM, 1 ancestral sampling.
        paper: IIDE as it was published (arXiv 2505.18674, IV-A): the model sees the photo itself
            and its mask, no first stage, no correction of tone or colour; it samples from pure
            noise, in 50 steps unless `steps` says else; feature wrapping for super-resolution.
        strength: 0..1, how much the diffusion model may change; 0 leaves it out; "auto": the
            preset's own, for old photos by the damage that is measured.
        reach: where the result of the diffusion model is taken: "damage", in the (feathered) mask,
            so that the rest is the first stage's, or "all". None is "damage" for old photos,
            unless a ControlNet is named; the other tasks know "all" alone.
        steps: of the diffusion model; 1 is one-step prediction; "auto": as many as its preset
            asks for, else 20.
        seed: of its noise, >= 0.
        variants: results from different noise, or other likely colours, 1 or more.
        tile: side of a tile in pixels; memory grows with it. The diffusion model's are smaller
            (`pipeline.tasks.steps.diffused_bands`). From 256 on, the first stage's result does not
            depend on it.
        sensitivity: how much the detector counts as damage: "low" only what is clear, "high"
            what is doubtful too. Each is a threshold of the detector.
        threshold: probability from which a pixel counts as damaged, 0..1, in place of the
            sensitivity's; None is the sensitivity's, and 0.5 for a mask from a file.
        protect: masks (as `mask`, white = protected) of pixels that keep their exact value and do
            not count as damage.
        max_pixels: a photo or mask with more is refused before it is decoded, and so is a result.
        preset: "compact", "sd21", or a folder with weights.
        base: a base model in place of the preset's: a folder, a .safetensors file, ID@REVISION.
            Without a ControlNet it fills damage.
        controlnet: a ControlNet in place of the preset's: a folder, a .safetensors file or
            ID@REVISION.
        prediction: what the base model predicts, "epsilon" (the noise) or "v"; None is what its
            files say.
        dtype: of the diffusion model's weights: "fp32", "fp16", "bf16"; "auto" by the device.
        offload: keep each network of the diffusion model off the device while it does not run.
        compiled: let torch.compile translate the diffusion model: faster steps after minutes.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
    """

    task: Task = "old-photo"
    mask: Literal["auto", "none"] | Path = "auto"
    only_damage: bool = False
    tone: Tone | None = None
    prompt: str = ""
    negative_prompt: str = ""
    guidance: float | None = None
    self_condition: float = 0.0
    scale: float | None = None
    colour_regions: tuple[ColourRegion, ...] = ()
    existing_colours: ExistingColours | None = None
    saturation: float = 1.0
    fidelity: float | Auto = "auto"
    posterior_mean: float | Auto = "auto"
    vae_residual: float | Auto = "auto"
    eta: float = 0.0
    paper: bool = False
    strength: float | Auto = "auto"
    reach: Reach | None = None
    steps: int | Auto = "auto"
    seed: int = 0
    variants: int = 1
    tile: int = 1024
    sensitivity: Sensitivity = "normal"
    threshold: float | None = None
    protect: tuple[Path, ...] = ()
    max_pixels: int = MAX_PIXELS
    preset: str | Path = "compact"
    base: str | Path | None = None
    controlnet: str | Path | None = None
    prediction: Prediction | None = None
    dtype: Dtype = "auto"
    offload: bool = False
    compiled: bool = False
    device: str = "auto"

    def __post_init__(self) -> None:
        _check_choice("task", self.task, TASKS)
        if self.tone is not None:
            _check_choice("tone", self.tone, TONES)
        if self.reach is not None:
            _check_choice("reach", self.reach, REACHES)
        if self.prediction is not None:
            _check_choice("prediction", self.prediction, PREDICTIONS)
        if self.existing_colours is not None:
            _check_choice("existing_colours", self.existing_colours, EXISTING_COLOURS)
        _check_choice("dtype", self.dtype, DTYPES)
        if isinstance(self.mask, str) and self.mask not in ("auto", "none"):
            got = f"mask {self.mask!r}"
            raise UsageError(got, "'auto', 'none' or a Path", "give a file as a pathlib.Path")
        self._check_sensitivity()
        for file in cast(tuple[object, ...], self.protect):
            if not isinstance(file, Path):
                got = f"a protected region {file!r}"
                raise UsageError(got, "a Path", "give each file as a pathlib.Path")
        self._check_numbers()
        self._check_sources()
        self._check_task()

    def _check_sensitivity(self) -> None:
        _check_choice("sensitivity", self.sensitivity, SENSITIVITIES)
        if self.sensitivity == "normal" or self.task == "super-resolution":
            return
        got = f"sensitivity {self.sensitivity!r}"
        if self.threshold is not None:
            fix = "leave one of the two out: the sensitivity is a threshold by name"
            raise UsageError(f"{got} and threshold {self.threshold}", "one of the two", fix)
        if self.mask != "auto":
            fix = "leave one of the two out: the detector does not run"
            raise UsageError(f"{got} with mask '{self.mask}'", "mask 'auto'", fix)

    def _check_numbers(self) -> None:
        if self.steps != "auto":
            _check_whole("steps", self.steps, 1, MAX_STEPS, "'auto' or ")
        _check_whole("seed", self.seed, 0)
        _check_whole("variants", self.variants, 1, MAX_VARIANTS)
        _check_whole("tile", self.tile, MIN_TILE)
        _check_whole("max_pixels", self.max_pixels, 1)
        _check_number("self_condition", self.self_condition, 0, 1)
        _check_number("saturation", self.saturation, 0, 2)
        if self.guidance is not None:
            _check_number("guidance", self.guidance, 0, 100)
        if self.scale is not None:
            _check_number("scale", self.scale, 1, 64)
        _check_number("eta", self.eta, 0, 1)
        for name in ("fidelity", "posterior_mean", "vae_residual", "strength"):
            value = getattr(self, name)
            if value != "auto":
                _check_number(name, value, 0, 1, "'auto' or ")
        if self.threshold is not None and not 0.0 < self.threshold < 1.0:
            raise UsageError(f"threshold {self.threshold}", "between 0 and 1", "try 0.5")

    def _check_sources(self) -> None:
        for name, value in (("preset", self.preset), ("base", self.base),
                            ("controlnet", self.controlnet)):  # fmt: skip
            if value is not None and not str(value):
                raise UsageError(f"an empty {name}", "a name or a path", "name one")
        if not self.device:
            raise UsageError("an empty device", "'auto', 'cpu', 'cuda' or 'mps'", "name one")

    def _check_task(self) -> None:
        for name, fix in _UNSUPPORTED[self.task].items():
            if name in self.changed:
                got = f"{self._option_text(name)} with task {self.task!r}"
                raise UsageError(got, "an option of this task", fix)
        if self.task == "super-resolution" and isinstance(self.mask, Path):
            fix = "leave it out: damage is mended by task='old-photo', before enlarging"
            raise UsageError("a mask with task 'super-resolution'", "no mask", fix)
        if self.only_damage and self.mask == "none" and not self.colour_regions:
            got = "only damage, with mask 'none'"
            raise UsageError(got, "damage to mend", "leave one of the two out: it changes nothing")
        conflicting = [name for name in NOT_PUBLISHED if self.paper and name in self.changed]
        if conflicting:
            got = f"{self._option_text(conflicting[0])} with paper"
            fix = "leave one of the two out: the published method has a value of its own"
            raise UsageError(got, "one of the two", fix)
        if self.guidance is not None and not self.prompted:
            fix = "add a prompt or a negative prompt, or leave guidance out"
            raise UsageError(f"guidance {self.guidance} without a prompt", "a prompt", fix)
        if self.reach == "damage" and self.task != "old-photo":
            got = f"reach 'damage' with task {self.task!r}"
            raise UsageError(got, "'all': the whole photo is asked for", "leave the reach out")
        unused = self.for_diffusion
        if self.strength == 0 and unused:
            got = f"{self._option_text(unused[0])} with strength 0"
            fix = "leave one of the two out: strength 0 does without the diffusion model"
            raise UsageError(got, "a strength above 0", fix)

    def _option_text(self, name: str) -> str:
        """An option for an error: its name in words, with its value if that is short."""
        value, words = getattr(self, name), name.replace("_", " ")
        short = isinstance(value, (str, int, float)) and not isinstance(value, bool)
        return f"{words} {value!r}" if short else words

    @property
    def changed(self) -> set[str]:
        """The names of the options that differ from their defaults."""
        return {f.name for f in fields(self) if getattr(self, f.name) != f.default}

    @property
    def given(self) -> set[str]:
        """The name of `changed` before version 0.2."""
        return self.changed

    @property
    def for_diffusion(self) -> list[str]:
        """The names of the changed options that only the diffusion model supports."""
        supported = _FIRST_STAGE.get(self.task, ())
        return [name for name in _DIFFUSION if name in self.changed and name not in supported]

    @property
    def refreshes_colours(self) -> bool:
        """Whether colourising keeps the hues of a photo that has colours.

        The published method ignores the photo's colours.
        """
        return self.task == "colorize" and self.existing_colours != "replace" and not self.paper

    @property
    def asks_mending(self) -> bool:
        """Whether the options themselves ask to mend damage, where colours are refreshed."""
        return not self.changed.isdisjoint({"mask", "only_damage", "sensitivity", "threshold"})

    @property
    def for_new_colours(self) -> list[str]:
        """The names of the changed options that have no effect if colours are refreshed."""
        changed = self.changed - {"variants"}  # `unfade.api` says more of them
        return [name for name in ("strength", *_DIFFUSION) if name in changed]

    @property
    def prompted(self) -> bool:
        """Whether there is any text to guide the model."""
        return bool(self.full_prompt or self.negative_prompt)

    @property
    def full_prompt(self) -> str:
        """The prompt of the diffusion model: for colorize it also names the regions' colours.

        The rest of the photo is then predicted to match the colours of the regions.
        """
        regions = self.colour_regions if self.task == "colorize" else ()
        return with_words(self.prompt, regions)

    @property
    def asks_diffusion(self) -> bool:
        """Whether the options themselves ask for the diffusion model."""
        if self.strength != "auto":
            return self.strength > 0
        return bool(self.for_diffusion)

    @property
    def search(self) -> Literal["auto", "none"] | Path:
        """The mask option; "none" for tasks without a mask."""
        no_mask = self.task == "super-resolution" or (self.paper and self.task == "colorize")
        return "none" if no_mask else self.mask

    @property
    def within_damage(self) -> bool:
        """Whether the diffusion model's result is used in the damage alone.

        With a ControlNet named by the user it is used everywhere.
        """
        if self.task != "old-photo" or self.paper:
            return False
        return self.reach == "damage" or (self.reach is None and self.controlnet is None)

    @property
    def mends_tone(self) -> bool:
        """Whether faded tone and cast are corrected."""
        if self.paper:
            return False
        return self.tone == "auto" or (self.tone is None and self.task == "old-photo")

    @property
    def _existing_colours(self) -> ExistingColours | None:
        """What happens to a photo's colours; None unless the task is colorize."""
        if self.task != "colorize":
            return None
        return "refresh" if self.refreshes_colours else "replace"

    @property
    def _is_sensitive(self) -> bool:
        """Whether the sensitivity decides what counts as damage."""
        return self.search == "auto" and self.threshold is None

    def record(
        self,
        *,
        threshold: float,
        diffuses: bool,
        mask_sha256: str | None,
        colour_sha256: Sequence[str] = (),
        protect_sha256: Sequence[str] = (),
    ) -> dict[str, Value]:
        """The options for a manifest: defaults resolved, mask files with their hashes.

        Args:
            threshold: the detector's default, 0..1, where the options name none.
            diffuses: whether the diffusion model may take part.
            mask_sha256: of the mask file, None where there is none.
            colour_sha256: of the masks of the colour regions.
            protect_sha256: of the masks of what is protected.
        """
        prompted = self.prompted and diffuses
        guidance = GUIDANCE if self.guidance is None and prompted else self.guidance
        scale = SCALE if self.scale is None and self.task == "super-resolution" else self.scale
        return {
            "task": self.task,
            "preset": str(self.preset),
            "base": None if self.base is None else str(self.base),
            "controlnet": None if self.controlnet is None else str(self.controlnet),
            "prediction": self.prediction,
            "dtype": self.dtype,
            "offload": self.offload,
            "compiled": self.compiled,
            "mask": str(self.search),
            "mask_sha256": mask_sha256,
            "only_damage": self.only_damage,
            "tone": "auto" if self.mends_tone else "keep",
            "prompt": self.prompt,
            "full_prompt": self.full_prompt,
            "negative_prompt": self.negative_prompt,
            "guidance": guidance,
            "self_condition": self.self_condition,
            "scale": scale,
            "colour_regions": [region.text for region in self.colour_regions],
            "colour_sha256": [*colour_sha256],
            "existing_colours": self._existing_colours,
            "saturation": self.saturation,
            "fidelity": self.fidelity,
            "posterior_mean": self.posterior_mean,
            "vae_residual": self.vae_residual,
            "eta": self.eta,
            "paper": self.paper,
            "strength": self.strength,
            "reach": "damage" if self.within_damage else "all",
            "steps": self.steps,
            "seed": self.seed,
            "variants": self.variants,
            "tile": self.tile,
            "sensitivity": self.sensitivity if self._is_sensitive else None,
            "threshold": threshold if self.threshold is None else self.threshold,
            "protect": [str(path) for path in self.protect],
            "protect_sha256": [*protect_sha256],
            "max_pixels": self.max_pixels,
            "device": self.device,
        }


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        expected = "one of " + ", ".join(repr(c) for c in choices)
        got = f"{name.replace('_', ' ')} {value!r}"
        raise UsageError(got, expected, "choose one of them")


def _check_whole(
    name: str, value: object, minimum: int, maximum: int | None = None, prefix: str = ""
) -> None:
    valid = isinstance(value, int) and not isinstance(value, bool) and value >= minimum
    if not valid or (maximum is not None and isinstance(value, int) and value > maximum):
        expected = f"{prefix}a whole number from {minimum}" + (
            "" if maximum is None else f" to {maximum}"
        )
        raise UsageError(f"{name.replace('_', ' ')} {value!r}", expected, "change it")


def _check_number(
    name: str, value: object, minimum: float, maximum: float, prefix: str = ""
) -> None:
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
    if not minimum <= number <= maximum:
        expected = f"{prefix}a number from {minimum:g} to {maximum:g}"
        raise UsageError(f"{name.replace('_', ' ')} {value!r}", expected, "change it")
