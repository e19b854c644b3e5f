"""The door: load a restorer, restore photos."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unfade._version import __version__
from unfade.clock import Clock
from unfade.colours import ColourRegion
from unfade.errors import UsageError
from unfade.inputs import harden, load, share_of
from unfade.manifest import checkout, now, peak_memory_mib, sha256_file, versions
from unfade.options import (
    MAX_PIXELS,
    TASKS,
    Auto,
    Reach,
    RestoreOptions,
    Sensitivity,
    Task,
    Tone,
)
from unfade.types import Progress, Restored

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from unfade.imaging import Photo
    from unfade.inputs import Source
    from unfade.manifest import InputRecord, Manifest, Value
    from unfade.pipeline.agreement import Agreement
    from unfade.pipeline.engine import Engine
    from unfade.pipeline.restore import Mender

    Files = str | Path | Sequence[str | Path]

#: From here on a pixel of a user's own mask counts as damaged, where no threshold is given.
MASK_FILE_THRESHOLD = 0.5


class Restorer:
    """Weights ready to restore photos. Make one with `Restorer.from_pretrained`.

    The first stage is in memory; the diffusion model is loaded for the first photo that needs it.
    """

    def __init__(self, mender: Mender, engine: Engine, *, preset: str | Path, device: str) -> None:
        self._mender = mender
        self._engine = engine
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
    ) -> Restorer:
        """Loads a preset.

        Args:
            preset: "compact", "sd21" (Stable Diffusion 2.1 with a ControlNet of yours), or a
                folder with weights.
            device: "auto", "cpu", "cuda", "cuda:1" or "mps".
            base: a base model in place of the preset's: a folder in diffusers' layout, a
                .safetensors file, or ID@REVISION on the hub.
            controlnet: a ControlNet in place of the preset's: a folder or ID@REVISION.

        Raises:
            UsageError: no such preset or device.
            WeightsError: weights that are missing, damaged, or not the expected ones.
        """
        from unfade.pipeline.engine import Engine
        from unfade.pipeline.restore import Mender
        from unfade.pipeline.weights import DiffusionWeights

        weights = DiffusionWeights.find(preset, base=base, controlnet=controlnet)
        mender = Mender.from_pretrained(preset, device=device)
        return cls(mender, Engine(weights, mender.device), preset=preset, device=device)

    @property
    def weights(self) -> dict[str, str]:
        """The SHA-256 of each file of weights of the first stage."""
        return dict(self._mender.weights)

    @property
    def diffuses(self) -> bool:
        """Whether the diffusion model is there. Without it nothing is coloured."""
        return not self._engine.weights.missing

    @property
    def weighs_fidelity(self) -> bool:
        """Whether the diffusion model has the part that a fidelity needs."""
        return self._engine.weights.cfw is not None

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What the weights can do."""
        enlarges = self.diffuses or bool(self._engine.weights.preset.enlarger)
        able = {"super-resolution": enlarges, "colorize": self.diffuses}
        return tuple(task for task in TASKS if able.get(task, True))

    def takes_part(self, options: RestoreOptions) -> bool:
        """Whether some photo may be given to the diffusion model with these options."""
        return self._engine.may_act(options)

    @property
    def threshold(self) -> float:
        """The probability, 0..1, from which a pixel is damaged, at normal sensitivity."""
        return self._mender.threshold

    @property
    def thresholds(self) -> dict[Sensitivity, float]:
        """The probability, 0..1, from which a pixel is damaged, by sensitivity."""
        return dict(self._mender.thresholds)

    def weights_for(self, options: RestoreOptions) -> dict[str, str]:
        """The SHA-256 of each file of weights that restoring with these options goes by.

        Raises:
            UsageError: "sd21" without a ControlNet.
            WeightsError: the options ask for the diffusion model, and it is not there or damaged.
        """
        self._engine.require(options)
        if options.asks_diffusion:
            self._engine.weights.verify()
        return self._weights(options)

    def _weights(self, options: RestoreOptions) -> dict[str, str]:
        weights = self._engine.weights
        own = weights.preset.enlarger if options.task == "super-resolution" else {}
        return self.weights | own | (weights.hashes if self._engine.may_act(options) else {})

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
        fidelity: float | Auto = "auto",
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
            task: to `max_pixels`: see `RestoreOptions`; `mask` may be the name of a file too, and
                `protect` one file or several.
            colours: regions and what colour they get, such as [("dress.png", "red")]: a mask's
                file, and one of `colours.WORDS` or #rrggbb.
            progress: called with the stage and the share of the work that is done, 0..1.

        Raises:
            InputError: the photo or the mask cannot be read, or they do not fit.
            UsageError: an option makes no sense, or not for this task, or "sd21" has no ControlNet.
            WeightsError: the task needs a diffusion model that is not there, or is damaged.
        """
        regions = tuple(ColourRegion(Path(file), colour) for file, colour in colours)
        options = RestoreOptions(
            task=task, mask=_mask_option(mask), only_damage=only_damage, tone=tone, prompt=prompt,
            negative_prompt=negative_prompt, guidance=guidance, self_condition=self_condition,
            scale=scale, colour_regions=regions, fidelity=fidelity, strength=strength, reach=reach,
            steps=steps, seed=seed, variants=variants, tile=tile, sensitivity=sensitivity,
            threshold=threshold, protect=_paths(protect), max_pixels=max_pixels,
        )  # fmt: skip
        return self.run(photo, options, progress=progress)

    def run(
        self, photo: Source, options: RestoreOptions, *, progress: Progress | None = None
    ) -> Restored:
        """`restore` with its options in one piece; the weights and the device are our own."""
        from unfade.pipeline.agreement import agreements
        from unfade.pipeline.hints import read_hints, with_hints
        from unfade.pipeline.protect import put_back

        self._engine.require(options)
        clock = Clock(progress)
        if options.asks_diffusion:  # the weights fail before a photo is read
            with clock.stage("load", 0.0, 0.0):
                self._engine.load()
        with clock.stage("read", 0.0, 0.02):
            source, loaded, record = load(photo, options.max_pixels)
            protected = self._protected(loaded, options)
        mask = self._mask(loaded, options, protected, clock)
        hints = read_hints(loaded, options)
        taken: dict[str, float] | None = None
        if self._engine.may_act(options):
            with clock.stage("measure", 0.3, 0.3):
                taken = self._engine.judge(loaded, mask, options, self._threshold(options))
        if taken is None or taken["strength"] == 0:
            self._engine.tell_idle(options)
            images = self._first_stage(loaded, mask, options, clock)
        else:
            images = self._diffused(loaded, mask, options, taken, clock)
        if protected is not None:
            put_back(images, loaded, protected)
        with clock.stage("align", 1.0, 1.0):
            found = agreements(loaded, images, mask, self._threshold(options), options)
        if hints:  # after the comparison: these colours were asked for, not invented
            with clock.stage("hint", 1.0, 1.0):
                images = with_hints(images, hints)
                if protected is not None:
                    put_back(images, loaded, protected)
        manifest = self._manifest(options, record, clock)
        manifest["damaged"] = None if mask is None else share_of(mask, self._threshold(options))
        manifest["diffusion"] = taken
        numbers = range(1, len(images) + 1) if len(images) > 1 else [None]
        made = [
            Restored(image, mask, one.alignment, _own(manifest, one, number), source, one.places)
            for image, one, number in zip(images, found, numbers, strict=True)
        ]
        return replace(made[0], variants=tuple(made[1:]))

    def _first_stage(
        self, photo: Photo, mask: NDArray[np.uint8] | None, options: RestoreOptions, clock: Clock
    ) -> list[Photo]:
        """What the first stage makes of a photo; without noise all variants are alike."""
        if options.task == "super-resolution":
            with clock.stage("enlarge", 0.1, 1.0):
                return self._engine.enlarge(photo, options, clock.tick)
        with clock.stage("mend", 0.3, 1.0):
            image = self._mender.mend(
                photo, mask, only_damage=options.only_damage,
                tone="auto" if options.mends_tone else "keep", tile=options.tile,
                threshold=self._threshold(options), progress=clock.tick,
            )  # fmt: skip
        return [image] * options.variants

    def _diffused(
        self, photo: Photo, mask: NDArray[np.uint8] | None, options: RestoreOptions,
        taken: dict[str, float], clock: Clock,
    ) -> list[Photo]:  # fmt: skip
        """What the diffusion model makes of a photo."""
        with clock.stage("load", 0.3, 0.3):
            self._engine.load()
        with clock.stage("diffuse", 0.3, 1.0):
            return self._engine.restore(
                self._mender, photo, mask, options, taken, self._threshold(options), clock.tick
            )

    def _manifest(self, options: RestoreOptions, record: InputRecord, clock: Clock) -> Manifest:
        """The manifest of a photo, but for what was found in it."""
        commit, dirty = checkout()
        return {
            "unfade": __version__,
            "commit": commit,
            "dirty": dirty,
            "created": now(),
            "command": None,
            "options": self.record(options),
            "weights": self._weights(options),
            "versions": versions(),
            "device": str(self._mender.device),
            "input": record,
            "output": None,
            "damaged": None,
            "alignment": None,
            "variant": None,
            "diffusion": None,
            "seconds": {name: round(value, 3) for name, value in clock.seconds.items()},
            "peak_memory_mib": peak_memory_mib(),
        }

    def record(self, options: RestoreOptions) -> dict[str, Value]:
        """The options as a manifest holds them: with this restorer's weights and defaults."""
        own = replace(
            options,
            preset=self.preset,
            base=self._engine.weights.base,
            controlnet=self._engine.weights.controlnet,
            device=self.device,
        )
        digest = None if isinstance(options.mask, str) else sha256_file(options.mask)
        return own.record(
            threshold=self._threshold(options),
            mask_sha256=digest,
            colour_sha256=[sha256_file(region.mask) for region in options.colour_regions],
            protect_sha256=[sha256_file(path) for path in options.protect],
        )

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
        options = RestoreOptions(
            sensitivity=sensitivity,
            threshold=threshold,
            protect=_paths(protect),
            tile=tile,
            max_pixels=max_pixels,
        )
        clock = Clock(progress)
        with clock.stage("read", 0.0, 0.05):
            _, loaded, _ = load(photo, options.max_pixels)
            protected = self._protected(loaded, options)
        with clock.stage("detect", 0.05, 1.0):
            mask = self._mender.detect(loaded, tile=options.tile, progress=clock.tick)
        mask = _without(mask, protected)
        return mask if soft else harden(mask, self._threshold(options))

    def _protected(self, photo: Photo, options: RestoreOptions) -> NDArray[np.uint8] | None:
        from unfade.pipeline.protect import read_protected

        return read_protected(photo, options.protect, options.max_pixels)

    def _mask(
        self, photo: Photo, options: RestoreOptions, protected: NDArray[np.uint8] | None,
        clock: Clock,
    ) -> NDArray[np.uint8] | None:  # fmt: skip
        """Where the damage is, (H, W) 0..255, or None where nothing is to be filled."""
        if options.search == "none":
            return None
        if options.search == "auto":
            with clock.stage("detect", 0.02, 0.3):
                mask = self._mender.detect(photo, tile=options.tile, progress=clock.tick)
            return _without(mask, protected)
        from unfade.imaging import read_mask

        with clock.stage("read", 0.02, 0.3):
            size = (photo.height, photo.width)
            mask = read_mask(options.search, size=size, max_pixels=options.max_pixels)
        return _without(harden(mask, self._threshold(options)), protected)

    def _threshold(self, options: RestoreOptions) -> float:
        if options.threshold is not None:
            return options.threshold
        if isinstance(options.search, Path):
            return MASK_FILE_THRESHOLD
        return self._mender.thresholds[options.sensitivity]


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
    fidelity: float | Auto = "auto",
    strength: float | Auto = "auto",
    seed: int = 0,
    tile: int = 1024,
    sensitivity: Sensitivity = "normal",
    threshold: float | None = None,
    protect: Files = (),
    max_pixels: int = MAX_PIXELS,
    quality: int = 95,
) -> Restored:
    """Restores the photo in one file into another, with a manifest beside it.

    The weights stay in memory for the next call. For the options see `RestoreOptions`; the rarer
    ones are those of `Restorer.restore`. `quality` is that of a JPEG or lossy WebP.

    Raises:
        InputError, OutputError: a file cannot be read or written.
        UsageError: an option makes no sense, or `out` is the photo itself.
        WeightsError: weights that are missing, damaged, or not the expected ones.
    """
    photo, out = Path(photo), Path(out)
    if out.exists() and photo.exists() and out.samefile(photo):
        raise UsageError("the photo itself as the output", "another name", "change it", path=out)
    restored = _loaded(preset, base, controlnet, device).restore(
        photo, task=task, mask=mask, only_damage=only_damage, tone=tone, prompt=prompt, scale=scale,
        fidelity=fidelity, strength=strength, seed=seed, tile=tile, sensitivity=sensitivity,
        threshold=threshold, protect=protect, max_pixels=max_pixels,
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


def _without(mask: NDArray[np.uint8], protected: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """The mask, changed in place, with no damage where something is protected."""
    if protected is not None:
        mask[protected > 0] = 0
    return mask


def _own(manifest: Manifest, found: Agreement, number: int | None) -> Manifest:
    """The manifest of one result, of several the variant of this number, from 1."""
    own = manifest.copy()
    own["alignment"], own["variant"] = found.alignment, number
    return own
