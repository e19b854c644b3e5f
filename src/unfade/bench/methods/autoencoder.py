"""Implements a method that encodes photos with an autoencoder and decodes them again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unfade.bench.cases import Case, Cost
from unfade.bench.methods.base import Method
from unfade.bench.methods.in_process import pixels, restore_each, with_pixels
from unfade.bench.methods.ours import Preset
from unfade.degrade.types import Image
from unfade.errors import UsageError
from unfade.imaging import Photo, read_photo
from unfade.manifest import Value, sha256_file
from unfade.models.presets import find_preset

CLEAN = "clean"  # the degradation that it is asked to keep
GIVEN = "given"  # of folders of one's own, which may be clean
_WEIGHTS = "*.safetensors"


def is_autoencoder(folder: Path) -> bool:
    """Whether a folder holds an AutoencoderKL in diffusers' layout."""
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        return config.get("_class_name") == "AutoencoderKL"
    except (OSError, ValueError, AttributeError):
        return False


class Autoencoder:
    """Encodes clean photos and decodes them again; it restores nothing.

    Args:
        name: of the method.
        folder: of an AutoencoderKL, in diffusers' layout.
    """

    takes_whole_case = False

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self._vae: Any = None

    def check(self, cases: Sequence[Case]) -> None:
        """Loads the weights.

        Raises:
            UsageError: a case asks for more than to keep a clean photo.
            WeightsError: the weights are missing or damaged.
        """
        for case in cases:
            if case.degradation not in (CLEAN, GIVEN):
                got = f"the autoencoder {self.name} for {case.table}/{case.name}"
                raise UsageError(got, "clean photos", "name it for 'autoencoder' only")
        if self._vae is None:
            from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

            from unfade.models.folder import load_part

            self._vae = load_part(self.folder, AutoencoderKL)

    def identity(self, case: Case) -> Mapping[str, Value]:
        """The hashes of the weights."""
        files = sorted([*self.folder.glob(_WEIGHTS), self.folder / "config.json"])
        return {"kind": "autoencoder", **{path.name: sha256_file(path) for path in files}}

    def restore_folder(
        self, case: Case, images: Mapping[str, Path], outputs: Path, log: Path
    ) -> Cost | None:
        """Encodes and decodes images (`Method.restore_folder`)."""

        def restore(name: str, path: Path) -> Photo:
            photo = read_photo(path)
            return with_pixels(photo, self._there_and_back(pixels(photo)))

        return restore_each(images, outputs, restore, self.parameters())

    def parameters(self) -> int:
        """The number of its parameters."""
        return sum(parameter.numel() for parameter in self._vae.parameters())

    def _there_and_back(self, image: Image) -> Image:
        """(H, W, 3) [0, 1] -> the same, padded to whole cells of the latent in between."""
        import torch

        from unfade.diffusion.condition import decode, encode
        from unfade.models.patches import downscale_of
        from unfade.models.tensors import from_array

        step = downscale_of(self._vae)
        height, width = image.shape[:2]
        below, right = (-length % step for length in (height, width))
        padded = np.pad(image, ((0, below), (0, right), (0, 0)), mode="reflect")
        with torch.inference_mode():
            x = from_array(padded).permute(2, 0, 1)[None]  # (1, 3, H', W')
            out = decode(self._vae, encode(self._vae, x))[0].permute(1, 2, 0).numpy()
        return np.clip(out[:height, :width], 0, 1).astype(np.float32, copy=False)


def own_autoencoders(methods: Sequence[Method], cases: Sequence[Case]) -> list[Method]:
    """The autoencoders of our presets, each once, by the first preset that has it.

    Args:
        cases: that the presets are to restore, at least one.
    """
    by_folder: dict[Path, Method] = {}
    for method in methods:
        if isinstance(method, Preset):
            options = method.options(cases[0])
            preset_folder = find_preset(options.preset).folder
            folder = Path(preset_folder if options.base is None else options.base) / "vae"
            if is_autoencoder(folder):
                name = f"{method.name}'s autoencoder"
                by_folder.setdefault(folder.resolve(), Autoencoder(name, folder))
    return [*by_folder.values()]
