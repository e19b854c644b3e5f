"""What goes into a restoration and what comes out."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import unfade.manifest as manifests
from unfade.errors import UsageError
from unfade.manifest import Manifest, Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from unfade.imaging import Photo

Task = Literal["old-photo", "super-resolution", "colorize"]
Tone = Literal["auto", "keep"]
Progress = Callable[[str, float], None]  # (stage, share of the work that is done, 0..1)

TASKS = ("old-photo", "super-resolution", "colorize")
TONES = ("auto", "keep")
RESERVED_TASKS = ("super-resolution", "colorize")
RESERVED_PRESETS = ("sd21",)

#: More pixels than this are refused before anything is decoded.
MAX_PIXELS = 300_000_000
MIN_TILE = 64


@dataclass(frozen=True)
class RestoreOptions:
    """How a photo is restored. UsageError where a value makes no sense.

    Attributes:
        task: what is to be mended; "old-photo" so far.
        mask: where the damage is: "auto" finds it, "none" fills nothing, a path names a mask
            (any format, the photo's size, white = damaged).
        only_damage: leave every pixel outside the (feathered) mask as it is, bit for bit.
        tone: "auto" mends faded tone and cast, "keep" leaves them.
        tile: side of a tile in pixels; memory grows with it, the result does not change.
        threshold: probability from which a pixel counts as damaged, 0..1; None is the
            detector's own default.
        seed: for what is random, >= 0. Nothing is yet.
        max_pixels: a photo or mask with more is refused before it is decoded.
        preset: "compact", or a folder with weights.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
    """

    task: Task = "old-photo"
    mask: Literal["auto", "none"] | Path = "auto"
    only_damage: bool = False
    tone: Tone = "auto"
    tile: int = 1024
    threshold: float | None = None
    seed: int = 0
    max_pixels: int = MAX_PIXELS
    preset: str | Path = "compact"
    device: str = "auto"

    def __post_init__(self) -> None:
        _check_choice("task", self.task, TASKS)
        _check_choice("tone", self.tone, TONES)
        if self.task in RESERVED_TASKS:
            raise reserved(f"task {self.task!r}")
        if self.preset in RESERVED_PRESETS:
            raise reserved(f"preset {self.preset!r}")
        if not str(self.preset):
            raise UsageError("an empty preset", "'compact' or a folder", "name one")
        if isinstance(self.mask, str) and self.mask not in ("auto", "none"):
            got = f"mask {self.mask!r}"
            raise UsageError(got, "'auto', 'none' or a Path", "give a file as a pathlib.Path")
        if self.only_damage and self.mask == "none":
            got = "only_damage with mask 'none'"
            raise UsageError(got, "damage to mend", "leave one of the two out: it changes nothing")
        _check_whole("tile", self.tile, MIN_TILE)
        _check_whole("seed", self.seed, 0)
        _check_whole("max_pixels", self.max_pixels, 1)
        if self.threshold is not None and not 0.0 < self.threshold < 1.0:
            raise UsageError(f"threshold {self.threshold}", "between 0 and 1", "try 0.5")
        if not self.device:
            raise UsageError("an empty device", "'auto', 'cpu', 'cuda' or 'mps'", "name one")

    def record(self, *, threshold: float, mask_sha256: str | None) -> dict[str, Value]:
        """The options for a manifest: defaults resolved, a mask file told by its contents.

        Args:
            threshold: the detector's default, 0..1, where the options name none.
            mask_sha256: of the mask file, None where there is none.
        """
        return {
            "task": self.task,
            "preset": str(self.preset),
            "mask": str(self.mask),
            "mask_sha256": mask_sha256,
            "only_damage": self.only_damage,
            "tone": self.tone,
            "tile": self.tile,
            "threshold": threshold if self.threshold is None else self.threshold,
            "seed": self.seed,
            "max_pixels": self.max_pixels,
            "device": self.device,
        }


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        expected = "one of " + ", ".join(repr(c) for c in choices)
        raise UsageError(f"{name} {value!r}", expected, "choose one of them")


def _check_whole(name: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UsageError(f"{name} {value!r}", f"a whole number from {least}", "change it")


def reserved(what: str) -> UsageError:
    """The error for an option that only the diffusion model can obey."""
    return UsageError(
        what,
        "no such option: it is reserved for the diffusion model, which is not part of this version",
        "leave it out",
    )


def refuse_reserved(values: Mapping[str, object]) -> None:
    """UsageError for the first of these options that was given (is not None)."""
    for name, value in values.items():
        if value is not None:
            raise reserved(f"{name} {str(value)!r}")


@dataclass(frozen=True, eq=False)
class Restored:
    """A restored photo.

    Attributes:
        image: the photo, in the depth, colour space and size of the input.
        mask: (H, W) uint8, the probability of damage, 255 = certain; what reached the threshold
            was filled. None where nothing was to be filled.
        alignment: how well the result agrees with the input; None until the diffusion model is
            there.
        manifest: what was done, as it goes into the JSON file.
        source: the file that the photo came from, None where it came from memory.
    """

    image: Photo
    mask: NDArray[np.uint8] | None
    alignment: float | None
    manifest: Manifest
    source: Path | None = None

    def save(self, path: str | Path, *, quality: int = 95) -> Manifest:
        """Writes the photo and its manifest (see `manifest.sidecar`), replacing what is there.

        The format follows the suffix. Each file appears whole or not at all; a photo whose
        manifest cannot be written is removed again.

        Args:
            path: with the suffix of a supported format; missing folders are made.
            quality: of a JPEG or lossy WebP, 95..100.

        Returns:
            The manifest as written, with the output and the time to write it.

        Raises:
            OutputError: the photo or its manifest cannot be written.
        """
        from unfade.imaging import write_photo

        path = Path(path)
        manifests.make_folder(path.parent)
        beside = manifests.claim(path)
        started = time.perf_counter()
        xmp = manifests.xmp_description(self.manifest)
        write_photo(path, self.image, xmp=xmp, quality=quality)
        try:
            manifest = self.manifest.copy()
            manifest["output"] = manifests.record_output(path)
            if self.source is not None:
                manifest["command"] = command(manifest["options"], self.source, path)
            write_s = round(time.perf_counter() - started, 3)
            manifest["seconds"] = {**manifest["seconds"], "write": write_s}
            manifest["peak_memory_mib"] = manifests.peak_memory_mib()
            manifests.write(beside, manifest)
        except BaseException:  # Ctrl-C included: no photo without its manifest
            path.unlink(missing_ok=True)
            raise
        return manifest


def command(options: Mapping[str, Value], source: Path, output: Path) -> str:
    """The command line that makes a result again, from recorded options (`RestoreOptions.record`).

    Options that have their default value are left out.
    """
    standard = RestoreOptions().record(threshold=0.0, mask_sha256=None)
    words = ["unfade", "restore", "-o", str(output)]
    for name, value in options.items():
        if name == "mask_sha256" or value == standard.get(name):
            continue
        if name == "threshold" and options.get("mask") == "none":
            continue
        flag = "--" + name.replace("_", "-")
        words += [flag] if value is True else [flag, str(value)]
    return shlex.join([*words, "--", str(source)])
