"""The Python interface: loads a restorer, restores photos."""

from __future__ import annotations

import functools
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unfade._version import __version__
from unfade.colours import ColourRegion
from unfade.errors import UsageError
from unfade.inputs import load
from unfade.manifest import checkout, now, peak_memory_mib, sha256_file, versions
from unfade.options import (
    MAX_PIXELS,
    Auto,
    Dtype,
    ExistingColours,
    Prediction,
    Reach,
    RestoreOptions,
    Sensitivity,
    Task,
    Tone,
)
from unfade.timing import StageTimer
from unfade.types import Progress, Restored

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from unfade.inputs import Source
    from unfade.manifest import InputRecord, Manifest, Value
    from unfade.pipeline.consistency import ContentConsistency
    from unfade.pipeline.request import Request
    from unfade.pipeline.stages import Stages

    Files = str | Path | Sequence[str | Path]

logger = logging.getLogger(__name__)


class Restorer:
    """Weights ready to restore photos. Make one with `Restorer.from_pretrained`.

    The first stage is in memory; the diffusion model is loaded for the first photo that needs it.
    """

    def __init__(self, stages: Stages, *, preset: str | Path, device: str) -> None:
        self._stages = stages
        self.preset = preset
        self.device = device

    @classmethod
    def from_pretrained(
        cls,
        preset: str | Path = "compact",
        *,
        device: str = "auto",
        base: str | Path | None = None,
        controlnet: str | Path | None = None,
        prediction: Prediction | None = None,
        dtype: Dtype = "auto",
        offload: bool = False,
        compiled: bool = False,
    ) -> Restorer:
        """Loads a preset.

        Args:
            preset: "compact", "sd21" (Stable Diffusion 2.1), or a folder with weights.
            device: "auto", "cpu", "cuda", "cuda:1" or "mps".
            base: a base model in place of the preset's: a folder in diffusers' layout, a
                .safetensors file, or ID@REVISION on the hub. Without a ControlNet it fills damage.
            controlnet: a ControlNet in place of the preset's: a folder, a .safetensors file or
                ID@REVISION.
            prediction: what the base model predicts, "epsilon" or "v"; None is what its files say.
            dtype: of the diffusion model's weights: "fp32", "fp16", "bf16", or "auto": by what the
                device computes fast.
            offload: keep each network of the diffusion model off the device while it does not run.
            compiled: let torch.compile translate the diffusion model: faster steps after minutes.

        Raises:
            UsageError: no such preset or device.
            WeightsError: weights that are missing, damaged, or not the expected ones.
        """
        from unfade.pipeline.stages import Stages

        stages = Stages.from_pretrained(
            preset, device=device, base=base, controlnet=controlnet, prediction=prediction,
            dtype=dtype, offload=offload, compiled=compiled,
        )  # fmt: skip
        return cls(stages, preset=preset, device=device)

    @property
    def weights(self) -> dict[str, str]:
        """The SHA-256 of each file of weights of the first stage."""
        return dict(self._stages.first_stage.weights)

    @property
    def diffuses(self) -> bool:
        """Whether the preset has a diffusion model."""
        return not self._stages.diffusion.weights.missing

    @property
    def weighs_fidelity(self) -> bool:
        """Whether the diffusion model has a CFW, which the fidelity option needs."""
        return self._stages.diffusion.weights.cfw is not None

    @property
    def adds_texture(self) -> bool:
        """Whether the enlarger adds texture at a fidelity below 1."""
        upscaler = self._stages.upscaler
        return upscaler is not None and upscaler.adds_texture

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks that the weights support."""
        return self._stages.tasks

    def takes_part(self, options: RestoreOptions) -> bool:
        """Whether the diffusion model may be used for some photo with these options."""
        return self._stages.diffusion.may_be_used(self._with_restorer_settings(options))

    @property
    def threshold(self) -> float:
        """The probability, 0..1, from which a pixel is damaged, at normal sensitivity."""
        return self._stages.first_stage.threshold

    @property
    def thresholds(self) -> dict[Sensitivity, float]:
        """The probability, 0..1, from which a pixel is damaged, by sensitivity."""
        return dict(self._stages.first_stage.thresholds)

    def weights_for(self, options: RestoreOptions) -> dict[str, str]:
        """The SHA-256 of each file of weights that these options use.

        Raises:
            UsageError: a base model without a ControlNet is asked for more than to fill damage.
            WeightsError: the options ask for the diffusion model, and it is not there or damaged.
        """
        diffusion, options = self._stages.diffusion, self._with_restorer_settings(options)
        diffusion.require(options)
        if diffusion.is_needed(options):
            diffusion.weights.verify()
        return self._stages.weights_for(options)

    def restore(
        self,
        photo: Source,
        *,
        task: Task = "old-photo",
        mask: str | Path = "auto",
        only_damage: bool = False,
        tone: Tone | None = None,
        prompt: str = "",
        negative_prompt: str = "",
        guidance: float | None = None,
        self_condition: float = 0.0,
        scale: float | None = None,
        colours: Sequence[tuple[str | Path, str]] = (),
        existing_colours: ExistingColours | None = None,
        saturation: float = 1.0,
        fidelity: float | Auto = "auto",
        posterior_mean: float | Auto = "auto",
        vae_residual: float | Auto = "auto",
        eta: float = 0.0,
        paper: bool = False,
        strength: float | Auto = "auto",
        reach: Reach | None = None,
        steps: int | Auto = "auto",
        seed: int = 0,
        variants: int = 1,
        tile: int = 1024,
        sensitivity: Sensitivity = "normal",
        threshold: float | None = None,
        protect: Files = (),
        max_pixels: int = MAX_PIXELS,
        progress: Progress | None = None,
    ) -> Restored:
        """Restores one photo.

        Args:
            photo: a file, a Pillow image, an array (uint8 or uint16, (H, W) or (H, W, C) in
                sRGB), or a `Photo`.
            task: "old-photo" mends damage and fading, "super-resolution" enlarges, "colorize"
                gives a gray photo colours.
            mask: where the damage is: "auto" finds it, "none" fills nothing, or a picture's file,
                white = damaged.
            only_damage: leave every pixel outside the damage as it is.
            tone: "auto" mends faded tone and cast, "keep" leaves them; None goes by the task.
            prompt: of colorize: what is in the photo, such as "a red dress".
            scale: of super-resolution, 1..64; None is 4.
            colours: regions and what colour they get, such as [("dress.png", "red")]: a mask's
                file, and one of `colours.WORDS` or #rrggbb.
            existing_colours: of colorize, for a photo that has colours: "refresh" or "replace".
            saturation: of colorize, 0..2: how lively the colours are.
            strength: 0..1, how much the diffusion model may change; "auto" goes by the damage.
            seed: of its noise.
            variants: how many results from different noise, 1..100.
            sensitivity: "low", "normal" or "high": how much counts as damage.
            protect: one picture's file or several, white = never touched.
            max_pixels: a photo with more is refused before it is decoded.
            negative_prompt, guidance, self_condition, fidelity, posterior_mean, vae_residual, eta,
                paper, reach, steps, tile, threshold: rarely needed; see `RestoreOptions`.
            progress: called with the stage and the share of the work that is done, 0..1.

        Raises:
            InputError: the photo or the mask cannot be read, or they do not fit.
            UsageError: an option makes no sense, or not for this task or these weights.
            WeightsError: the task needs a diffusion model that is not there, or is damaged.
        """
        regions = tuple(ColourRegion(Path(file), colour) for file, colour in colours)
        options = RestoreOptions(
            task=task, mask=_mask_option(mask), only_damage=only_damage, tone=tone, prompt=prompt,
            negative_prompt=negative_prompt, guidance=guidance, self_condition=self_condition,
            scale=scale, colour_regions=regions, existing_colours=existing_colours,
            saturation=saturation, fidelity=fidelity, posterior_mean=posterior_mean,
            vae_residual=vae_residual, eta=eta, paper=paper, strength=strength, reach=reach,
            steps=steps, seed=seed, variants=variants, tile=tile, sensitivity=sensitivity,
            threshold=threshold, protect=_paths(protect), max_pixels=max_pixels,
        )  # fmt: skip
        return self.run(photo, options, progress=progress)

    def run(
        self, photo: Source, options: RestoreOptions, *,
        found: NDArray[np.uint8] | None = None, progress: Progress | None = None,
    ) -> Restored:  # fmt: skip
        """`restore` with `RestoreOptions`; uses the weights and the device of this restorer.

        Args:
            found: the result of `detect` with `soft` for this photo, (H, W) uint8, which mask
                "auto" then uses.
        """
        from unfade.pipeline import tasks
        from unfade.pipeline.consistency import content_consistency
        from unfade.pipeline.protect import OTHER_TONE, restore_protected
        from unfade.pipeline.region_colours import with_region_colours
        from unfade.pipeline.request import resolve

        stages, timer = self._stages, StageTimer(progress)
        options = self._with_restorer_settings(options)
        stages.diffusion.require(options)
        if stages.diffusion.is_needed(options):  # the weights fail before a photo is read
            with timer.stage("load", 0.0, 0.0):
                stages.diffusion.load()
        with timer.stage("read", 0.0, 0.02):
            source, image, record = load(photo, options.max_pixels)
        request = resolve(image, options, stages, timer, found)
        images = tasks.restore(request, stages, timer)
        if len(images) < options.variants:
            logger.warning(
                "one result in place of %d, as all would be alike: %s",
                options.variants, _no_variants_reason(request),
            )  # fmt: skip
        change = restore_protected(images, image, request.protected)
        if change > OTHER_TONE and options.task == "old-photo" and options.tone != "keep":
            logger.warning(
                "the protected part keeps the photo's tone, and the rest got another one; "
                "tone='keep' leaves the tone as it is everywhere"
            )
        with timer.stage("align", 1.0, 1.0):
            consistency = content_consistency(request, images)
        if request.region_colours:  # after the comparison: they were asked for, not invented
            with timer.stage("hint", 1.0, 1.0):
                images = with_region_colours(images, request.region_colours)
                restore_protected(images, image, request.protected)
        manifest = self._manifest(request, record, timer)
        numbers = range(1, len(images) + 1) if len(images) > 1 else [None]
        results = [
            Restored(
                result, request.mask, measured.alignment, _of_variant(manifest, measured, number),
                source, measured.similarity_grid,
            )
            for result, measured, number in zip(images, consistency, numbers, strict=True)
        ]  # fmt: skip
        return replace(results[0], variants=tuple(results[1:]))

    def _manifest(self, request: Request, record: InputRecord, timer: StageTimer) -> Manifest:
        """The manifest of a photo, without the results of single variants."""
        commit, dirty = checkout()
        return {
            "unfade": __version__,
            "commit": commit,
            "dirty": dirty,
            "created": now(),
            "command": None,
            "options": self.record(request.options),
            "weights": self._stages.weights_for(request.options),
            "versions": versions(),
            "device": str(self._stages.first_stage.device),
            "input": record,
            "output": None,
            "damaged": request.damaged,
            "alignment": None,
            "variant": None,
            "diffusion": request.diffusion_record,
            "colours": request.colours_record,
            "seconds": {name: round(value, 3) for name, value in timer.seconds.items()},
            "peak_memory_mib": peak_memory_mib(),
        }

    def _with_restorer_settings(self, options: RestoreOptions) -> RestoreOptions:
        """The same options with this restorer's weights and device."""
        stage = self._stages.diffusion
        return replace(
            options, preset=self.preset, base=stage.weights.base,
            controlnet=stage.weights.controlnet, prediction=stage.weights.prediction,
            dtype=stage.dtype, offload=stage.offload, compiled=stage.compiled, device=self.device,
        )  # fmt: skip

    def record(self, options: RestoreOptions) -> dict[str, Value]:
        """The options for a manifest, with this restorer's weights and defaults."""
        from unfade.pipeline.request import resolve_threshold

        resolved = self._with_restorer_settings(options)
        digest = None if isinstance(options.mask, str) else sha256_file(options.mask)
        return resolved.record(
            threshold=resolve_threshold(options, self.thresholds),
            diffuses=self._stages.diffusion.may_be_used(options),
            mask_sha256=digest,
            colour_sha256=[sha256_file(region.mask) for region in options.colour_regions],
            protect_sha256=[sha256_file(path) for path in options.protect],
        )

    def has_colours(self, photo: Source, *, max_pixels: int = MAX_PIXELS) -> bool:
        """Whether a photo has colours: throughout, or hand-tinted in parts.

        A gray photo has none, and neither has one that is toned throughout, such as sepia.

        Args:
            photo, max_pixels: as for `restore`.

        Raises:
            InputError: the photo cannot be read.
        """
        from unfade.pipeline.tone import has_colours

        return has_colours(load(photo, max_pixels)[1])

    def detect(
        self,
        photo: Source,
        *,
        soft: bool = False,
        sensitivity: Sensitivity = "normal",
        threshold: float | None = None,
        protect: Files = (),
        tile: int = 1024,
        max_pixels: int = MAX_PIXELS,
        progress: Progress | None = None,
    ) -> NDArray[np.uint8]:
        """Finds the damage in a photo.

        Args:
            photo: as for `restore`.
            soft: give probabilities, 255 = certain, in place of 0 and 255.
            sensitivity: how much counts as damage (`RestoreOptions`).
            threshold: probability from which a pixel is damaged, in place of the sensitivity's.
            protect: masks, white = protected: nothing there is damage.
            tile: side of a tile in pixels.
            max_pixels: a photo with more is refused before it is decoded.
            progress: called with the stage and the share of the work that is done.

        Returns:
            (H, W) uint8.

        Raises:
            InputError: the photo or a mask cannot be read, or they do not fit.
            UsageError: an option makes no sense.
        """
        from unfade.masks import harden
        from unfade.pipeline.request import detect_damage, resolve_threshold

        options = RestoreOptions(
            sensitivity=sensitivity,
            threshold=threshold,
            protect=_paths(protect),
            tile=tile,
            max_pixels=max_pixels,
        )
        timer = StageTimer(progress)
        with timer.stage("read", 0.0, 0.05):
            _, image, _ = load(photo, options.max_pixels)
        with timer.stage("detect", 0.05, 1.0) as share:
            mask = detect_damage(image, options, self._stages.first_stage, share)
        return mask if soft else harden(mask, resolve_threshold(options, self.thresholds))


def restore(
    photo: str | Path,
    out: str | Path,
    *,
    preset: str | Path = "compact",
    base: str | Path | None = None,
    controlnet: str | Path | None = None,
    device: str = "auto",
    task: Task = "old-photo",
    mask: str | Path = "auto",
    only_damage: bool = False,
    tone: Tone | None = None,
    prompt: str = "",
    scale: float | None = None,
    existing_colours: ExistingColours | None = None,
    fidelity: float | Auto = "auto",
    strength: float | Auto = "auto",
    seed: int = 0,
    tile: int = 1024,
    sensitivity: Sensitivity = "normal",
    threshold: float | None = None,
    protect: Files = (),
    max_pixels: int = MAX_PIXELS,
    quality: int | None = None,
) -> Restored:
    """Restores the photo in one file into another, with a manifest beside it.

    The weights stay in memory for the next call. For the options see `RestoreOptions`; the rarer
    ones are those of `Restorer.restore`. `quality` is that of a JPEG or lossy WebP, 1..100; None
    follows the input's (`write_photo`).

    Raises:
        InputError, OutputError: a file cannot be read or written.
        UsageError: an option makes no sense, or `out` is the photo itself.
        WeightsError: weights that are missing, damaged, or not the expected ones.
    """
    photo, out = Path(photo), Path(out)
    if out.exists() and photo.exists() and out.samefile(photo):
        raise UsageError("the photo itself", "another name for the result", "change it", path=out)
    restored = _loaded(preset, base, controlnet, device).restore(
        photo, task=task, mask=mask, only_damage=only_damage, tone=tone, prompt=prompt, scale=scale,
        existing_colours=existing_colours, fidelity=fidelity, strength=strength, seed=seed,
        tile=tile, sensitivity=sensitivity, threshold=threshold, protect=protect,
        max_pixels=max_pixels,
    )  # fmt: skip
    manifest = restored.save(out, quality=quality)
    return replace(restored, manifest=manifest)


@functools.lru_cache(maxsize=1)
def _loaded(
    preset: str | Path, base: str | Path | None, controlnet: str | Path | None, device: str
) -> Restorer:
    return Restorer.from_pretrained(preset, device=device, base=base, controlnet=controlnet)


def _mask_option(mask: str | Path) -> Any:
    return mask if mask in ("auto", "none") else Path(mask)


def _paths(files: Files) -> tuple[Path, ...]:
    """One file, or several, as paths."""
    return (Path(files),) if isinstance(files, (str, Path)) else tuple(map(Path, files))


def _no_variants_reason(request: Request) -> str:
    """The reason why a photo has no variants, and which options would give some."""
    if request.refreshes:
        return "its colours are refreshed; existing_colours='replace' finds new ones for each"
    if request.options.task == "old-photo" and not request.damaged:
        return "nothing was to be filled"
    return "the generative model was not needed; strength=0.5 has each drawn anew"


def _of_variant(manifest: Manifest, measured: ContentConsistency, number: int | None) -> Manifest:
    """The manifest of one result; of several variants this is number 1, 2, ..."""
    variant = manifest.copy()
    variant["alignment"], variant["variant"] = measured.alignment, number
    return variant
