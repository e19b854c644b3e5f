"""The door: load a restorer, restore photos."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unfade._version import __version__
from unfade.errors import UsageError
from unfade.manifest import checkout, now, peak_memory_mib, sha256_file, versions
from unfade.types import (
    MAX_PIXELS,
    RESERVED_PRESETS,
    Progress,
    Restored,
    RestoreOptions,
    Task,
    Tone,
    refuse_reserved,
    reserved,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from unfade.imaging import Photo
    from unfade.manifest import InputRecord, Manifest, Value
    from unfade.pipeline.restore import Mender

    Source = str | Path | Image.Image | NDArray[Any] | Photo

#: From here on a pixel of a user's own mask counts as damaged, where no threshold is given.
MASK_FILE_THRESHOLD = 0.5


class Restorer:
    """Weights in memory, ready to restore photos. Make one with `Restorer.from_pretrained`."""

    def __init__(self, mender: Mender, *, preset: str | Path, device: str) -> None:
        self._mender = mender
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
            preset: "compact", or a folder with weights.
            device: "auto", "cpu", "cuda", "cuda:1" or "mps".
            base: reserved for the diffusion model.
            controlnet: reserved for the diffusion model.

        Raises:
            UsageError: no such preset or device, or a reserved argument.
            WeightsError: weights that are missing, damaged, or not the expected ones.
        """
        refuse_reserved({"base": base, "controlnet": controlnet})
        if preset in RESERVED_PRESETS:
            raise reserved(f"preset {preset!r}")
        from unfade.pipeline.restore import Mender

        return cls(Mender.from_pretrained(preset, device=device), preset=preset, device=device)

    @property
    def weights(self) -> dict[str, str]:
        """The SHA-256 of each file of weights."""
        return dict(self._mender.weights)

    def restore(
        self,
        photo: Source,
        *,
        task: Task = "old-photo",
        mask: str | Path = "auto",
        only_damage: bool = False,
        tone: Tone = "auto",
        tile: int = 1024,
        threshold: float | None = None,
        seed: int = 0,
        max_pixels: int = MAX_PIXELS,
        progress: Progress | None = None,
        prompt: str | None = None,
        negative_prompt: str | None = None,
        guidance: float | None = None,
        self_condition: float | None = None,
        scale: int | None = None,
        fidelity: float | None = None,
        strength: float | None = None,
        steps: int | None = None,
        variants: int | None = None,
    ) -> Restored:
        """Restores one photo.

        Args:
            photo: a file, a Pillow image, an array (uint8 or uint16, (H, W) or (H, W, C) in
                sRGB), or a `Photo`.
            task: to `max_pixels`: see `RestoreOptions`; `mask` may be the name of a file too.
            progress: called with the stage and the share of the work that is done, 0..1.
            prompt: this and what follows is reserved for the diffusion model.

        Raises:
            InputError: the photo or the mask cannot be read, or they do not fit.
            UsageError: an option makes no sense or is reserved.
        """
        refuse_reserved(
            {
                "prompt": prompt,
                "negative_prompt": negative_prompt,
                "guidance": guidance,
                "self_condition": self_condition,
                "scale": scale,
                "fidelity": fidelity,
                "strength": strength,
                "steps": steps,
                "variants": variants,
            }
        )
        options = RestoreOptions(
            task=task,
            mask=_mask_option(mask),
            only_damage=only_damage,
            tone=tone,
            tile=tile,
            threshold=threshold,
            seed=seed,
            max_pixels=max_pixels,
        )
        return self.run(photo, options, progress=progress)

    def run(
        self, photo: Source, options: RestoreOptions, *, progress: Progress | None = None
    ) -> Restored:
        """`restore` with its options in one piece; preset and device are the restorer's own."""
        clock = _Clock(progress)
        with clock.stage("read", 0.0, 0.02):
            source, loaded, record = _load(photo, options.max_pixels)
        mask = self._mask(loaded, options, clock)
        with clock.stage("mend", 0.3, 1.0):
            image = self._mender.mend(
                loaded,
                mask,
                only_damage=options.only_damage,
                tone=options.tone,
                tile=options.tile,
                threshold=self._threshold(options),
                progress=clock.tick,
            )
        share = None if mask is None else _share(mask, self._threshold(options))
        commit, dirty = checkout()
        manifest: Manifest = {
            "unfade": __version__,
            "commit": commit,
            "dirty": dirty,
            "created": now(),
            "command": None,
            "options": self.record(options),
            "weights": self.weights,
            "versions": versions(),
            "device": str(getattr(self._mender, "device", self.device)),
            "input": record,
            "output": None,
            "damaged": share,
            "alignment": None,
            "seconds": {name: round(value, 3) for name, value in clock.seconds.items()},
            "peak_memory_mib": peak_memory_mib(),
        }
        return Restored(image, mask, None, manifest, source)

    def record(self, options: RestoreOptions) -> dict[str, Value]:
        """The options as a manifest holds them: with this restorer's preset and defaults."""
        own = replace(options, preset=self.preset, device=self.device)
        digest = None if isinstance(options.mask, str) else sha256_file(options.mask)
        return own.record(threshold=self._threshold(options), mask_sha256=digest)

    def detect(
        self,
        photo: Source,
        *,
        soft: bool = False,
        threshold: float | None = None,
        tile: int = 1024,
        max_pixels: int = MAX_PIXELS,
        progress: Progress | None = None,
    ) -> NDArray[np.uint8]:
        """Finds the damage in a photo.

        Args:
            photo: as for `restore`.
            soft: give probabilities, 255 = certain, in place of 0 and 255.
            threshold: probability from which a pixel is damaged; None is the detector's default.
            tile: side of a tile in pixels.
            max_pixels: a photo with more is refused before it is decoded.
            progress: called with the stage and the share of the work that is done.

        Returns:
            (H, W) uint8.

        Raises:
            InputError: the photo cannot be read.
            UsageError: an option makes no sense.
        """
        options = RestoreOptions(threshold=threshold, tile=tile, max_pixels=max_pixels)
        clock = _Clock(progress)
        with clock.stage("read", 0.0, 0.05):
            _, loaded, _ = _load(photo, options.max_pixels)
        with clock.stage("detect", 0.05, 1.0):
            mask = self._mender.detect(loaded, tile=options.tile, progress=clock.tick)
        return mask if soft else _harden(mask, self._threshold(options))

    def _mask(
        self, photo: Photo, options: RestoreOptions, clock: _Clock
    ) -> NDArray[np.uint8] | None:
        """Where the damage is, (H, W) 0..255, or None where nothing is to be filled."""
        if options.mask == "none":
            return None
        if options.mask == "auto":
            with clock.stage("detect", 0.02, 0.3):
                return self._mender.detect(photo, tile=options.tile, progress=clock.tick)
        from unfade.imaging import read_mask

        with clock.stage("read", 0.02, 0.3):
            size = (photo.height, photo.width)
            mask = read_mask(options.mask, size=size, max_pixels=options.max_pixels)
        return _harden(mask, self._threshold(options))

    def _threshold(self, options: RestoreOptions) -> float:
        if options.threshold is not None:
            return options.threshold
        return self._mender.threshold if options.mask in ("auto", "none") else MASK_FILE_THRESHOLD


def restore(
    photo: str | Path,
    out: str | Path,
    *,
    preset: str | Path = "compact",
    device: str = "auto",
    mask: str | Path = "auto",
    only_damage: bool = False,
    tone: Tone = "auto",
    tile: int = 1024,
    threshold: float | None = None,
    max_pixels: int = MAX_PIXELS,
    quality: int = 95,
) -> Restored:
    """Restores the photo in one file into another, with a manifest beside it.

    The preset stays in memory for the next call. For the options see `RestoreOptions`; `quality`
    is that of a JPEG or lossy WebP.

    Raises:
        InputError, OutputError: a file cannot be read or written.
        UsageError: an option makes no sense, or `out` is the photo itself.
        WeightsError: weights that are missing, damaged, or not the expected ones.
    """
    photo, out = Path(photo), Path(out)
    if out.exists() and photo.exists() and out.samefile(photo):
        raise UsageError("the photo itself as the output", "another name", "change it", path=out)
    restored = _loaded(preset, device).restore(
        photo,
        mask=mask,
        only_damage=only_damage,
        tone=tone,
        tile=tile,
        threshold=threshold,
        max_pixels=max_pixels,
    )
    manifest = restored.save(out, quality=quality)
    return replace(restored, manifest=manifest)


@functools.lru_cache(maxsize=1)
def _loaded(preset: str | Path, device: str) -> Restorer:
    return Restorer.from_pretrained(preset, device=device)


# --- parts -----------------------------------------------------------------------------------


class _Clock:
    """Times the stages of one photo and reports how far it is, as one share that only grows."""

    def __init__(self, progress: Progress | None) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress
        self._begin, self._end = 0.0, 1.0
        self._share = 0.0
        self._last = time.perf_counter()

    @contextlib.contextmanager
    def stage(self, name: str, begin: float, end: float) -> Generator[None]:
        """A stage that takes the work from `begin` to `end`; `tick` may divide it further."""
        self._begin, self._end = begin, end
        self._last = time.perf_counter()
        self._report(name, 0.0)
        yield
        self.tick(name, 1.0)

    def tick(self, name: str, share: float) -> None:
        """The time since the last tick went into `name`; `share` of the stage is done."""
        moment = time.perf_counter()
        self.seconds[name] = self.seconds.get(name, 0.0) + moment - self._last
        self._last = moment
        self._report(name, share)

    def _report(self, name: str, share: float) -> None:
        done = self._begin + (self._end - self._begin) * min(max(share, 0.0), 1.0)
        self._share = max(self._share, done)
        if self._progress is not None:
            self._progress(name, self._share)


def _mask_option(mask: str | Path) -> Any:
    return mask if mask in ("auto", "none") else Path(mask)


def _load(photo: Source, max_pixels: int) -> tuple[Path | None, Photo, InputRecord]:
    """The file it came from, the photo, and its record."""
    from unfade.imaging import Photo, read_photo

    if isinstance(photo, (str, Path)):
        path = Path(photo)
        loaded = read_photo(path, max_pixels=max_pixels)
        digest, size = sha256_file(path), path.stat().st_size
        name = path.name
    else:
        import numpy as np

        from unfade import convert

        if isinstance(photo, Photo):
            loaded = photo
        elif isinstance(photo, np.ndarray):
            loaded = convert.from_array(photo, max_pixels=max_pixels)
        else:
            loaded = convert.from_pillow(photo, max_pixels=max_pixels)
        digest, size = convert.fingerprint(loaded)
        path, name = None, None
    return (
        path,
        loaded,
        {
            "name": name,
            "sha256": digest,
            "bytes": size,
            "width": loaded.width,
            "height": loaded.height,
        },
    )


def _level(threshold: float) -> int:
    """The least mask value, 1..255, that reaches a threshold in 0..1."""
    return max(1, min(255, -int(-threshold * 255 // 1)))


def _harden(mask: NDArray[np.uint8], threshold: float) -> NDArray[np.uint8]:
    """A soft mask as 0 and 255."""
    import numpy as np

    return np.multiply(mask >= _level(threshold), np.uint8(255), dtype=np.uint8)


def _share(mask: NDArray[np.uint8], threshold: float) -> float:
    """The share of pixels that reach the threshold."""
    import numpy as np

    return round(float(np.count_nonzero(mask >= _level(threshold))) / mask.size, 6)
