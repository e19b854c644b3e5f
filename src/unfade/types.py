"""Defines `Restored`, the result of a restoration: the photo, its manifest, and saving both."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import unfade.manifest as manifests
from unfade.manifest import Manifest, Value
from unfade.options import RestoreOptions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from unfade.imaging import Photo

#: Keys of a record that no option of the command line sets.
_DERIVED = ("mask_sha256", "colour_sha256", "protect_sha256", "full_prompt")
_REPEATED = {"colour_regions": "--colour-region", "protect": "--protect"}

Progress = Callable[[str, float], None]  # (stage, share of the work that is done, 0..1)


@dataclass(frozen=True, eq=False)
class Restored:
    """A restored photo.

    Attributes:
        image: the photo, in the depth and colour space of the input. A gray photo that was
            coloured is sRGB.
        mask: (H, W) uint8 at the input's size, the probability of damage, 255 = certain; what
            reached the threshold was filled. None where nothing was to be filled.
        alignment: content consistency of input and result outside the damage, -1..1, 1 = equal
            (`pipeline.consistency`); None where all was damage.
        manifest: the content of the JSON file.
        source: the file that the photo came from, None where it came from memory.
        similarity_grid: (h, w) float32 -1..1, the similarity of input and result by cell; see
            `alignment_map`.
        variants: the further results, if several variants were requested; empty if the result
            does not depend on noise.
    """

    image: Photo
    mask: NDArray[np.uint8] | None
    alignment: float | None
    manifest: Manifest
    source: Path | None = None
    similarity_grid: NDArray[np.float32] | None = None
    variants: tuple[Restored, ...] = ()

    @property
    def places(self) -> NDArray[np.float32] | None:
        """The name of `similarity_grid` before version 0.2."""
        return self.similarity_grid

    def alignment_map(self, size: tuple[int, int] | None = None) -> NDArray[np.float32] | None:
        """The similarity of input and result around each pixel, -1..1, low where content differs.

        Each call interpolates it from `similarity_grid`, whose cells are 8 pixels wide in a photo
        of 256. Cells that are damage throughout have 1.

        Args:
            size: (height, width) of the map; None is the result's, at four bytes a pixel.

        Returns:
            (height, width) float32; None where the alignment was not measured.
        """
        if self.similarity_grid is None:
            return None
        from unfade.imaging.photo import resize

        return resize(self.similarity_grid, size or (self.image.height, self.image.width))

    def to_numpy(self) -> NDArray[Any]:
        """The photo as an array in sRGB: see `unfade.convert.to_array`."""
        from unfade.convert import to_array

        return to_array(self.image)

    def to_pil(self) -> Image.Image:
        """The photo as a Pillow image in sRGB, 8 bits: see `unfade.convert.to_pillow`."""
        from unfade.convert import to_pillow

        return to_pillow(self.image)

    def save(self, path: str | Path, *, quality: int | None = None) -> Manifest:
        """Writes the photo and its manifest (see `manifest.sidecar`), replacing existing files.

        The suffix selects the format. Each file is written atomically; a photo whose manifest
        cannot be written is removed again. All variants are written (`outputs`).

        Args:
            path: with the suffix of a supported format; missing folders are made.
            quality: of a JPEG or lossy WebP, 1..100; None follows the input (`write_photo`).

        Returns:
            The manifest as written (of several variants the first), with the output and the time
            to write it.

        Raises:
            OutputError: the photo or its manifest cannot be written.
        """
        path = Path(path)
        results = (self, *self.variants)
        pairs = zip(results, self.outputs(path), strict=True)
        manifests_written = [result._write(output, path, quality) for result, output in pairs]
        return manifests_written[0]

    def outputs(self, path: str | Path) -> list[Path]:
        """The photo files that `save` writes: STEM-1, ... if several variants were requested."""
        variants = cast(int, self.manifest["options"].get("variants", 1))
        return numbered(Path(path), variants)[: 1 + len(self.variants)]

    def _write(self, path: Path, requested: Path, quality: int | None) -> Manifest:
        """Writes this photo alone; `requested` is the output that was asked for."""
        from unfade.imaging import write_photo

        manifests.make_folder(path.parent)
        sidecar = manifests.claim(path)
        started = time.perf_counter()
        xmp = manifests.xmp_description(self.manifest)
        write_photo(path, self.image, xmp=xmp, quality=quality)
        try:
            manifest = self.manifest.copy()
            if quality is not None:
                manifest["options"] = {**manifest["options"], "quality": quality}
            manifest["output"] = manifests.record_output(path)
            if self.source is not None:
                manifest["command"] = command(manifest["options"], self.source, requested)
            write_s = round(time.perf_counter() - started, 3)
            manifest["seconds"] = {**manifest["seconds"], "write": write_s}
            manifest["peak_memory_mib"] = manifests.peak_memory_mib()
            manifests.write(sidecar, manifest)
        except BaseException:  # Ctrl-C included: no photo without its manifest
            path.unlink(missing_ok=True)
            raise
        return manifest


def numbered(path: Path, variants: int) -> list[Path]:
    """The files of `variants` results: the path itself, or STEM-1, STEM-2, ... if several."""
    if variants == 1:
        return [path]
    return [path.with_name(f"{path.stem}-{i}{path.suffix}") for i in range(1, variants + 1)]


def command(options: Mapping[str, Value], source: Path, output: Path) -> str:
    """The command line that reproduces a result, from recorded options (`RestoreOptions.record`).

    Options that have their default value are left out.
    """
    recorded = cast(dict[str, Any], options)
    compared = {
        name: recorded[name] for name in ("task", "prompt", "negative_prompt", "controlnet")
    }
    compared["paper"] = recorded.get("paper", False)  # an earlier version had no such option
    defaults = RestoreOptions(**compared).record(threshold=0.0, diffuses=True, mask_sha256=None)
    defaults |= {
        "task": RestoreOptions.task, "prompt": "", "negative_prompt": "", "controlnet": None,
        "paper": False,
    }  # fmt: skip
    words = ["unfade", "restore", "-o", str(output)]
    for name, value in options.items():
        if name in _DERIVED or value is None or value == defaults.get(name):
            continue
        if isinstance(value, list):  # an option that is given several times
            words += [word for text in value for word in (_REPEATED[name], text)]
            continue
        if name == "threshold" and (options["mask"] == "none" or options.get("sensitivity")):
            continue
        flag = "--" + name.replace("_", "-")
        words += [flag] if value is True else [flag, str(value)]
    return shlex.join([*words, "--", str(source)])
