"""Implements a method that runs a network file with spandrel (ESRGAN, SwinIR, HAT, NAFNet, ...)."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from unfade.bench.cases import Case, Cost
from unfade.bench.methods.in_process import (
    in_colours_of_reference,
    pixels,
    resized,
    restore_each,
    with_pixels,
)
from unfade.bench.result_checks import target_size
from unfade.errors import UsageError, WeightsError
from unfade.eval.images import Image
from unfade.imaging import Photo, read_photo
from unfade.manifest import Value, sha256_file
from unfade.models.checkpoint import pick_device
from unfade.models.tensors import from_array

SUFFIXES = (".pth", ".pt", ".ckpt", ".safetensors")


class Network:
    """A network in a file, run on whole pictures.

    What a network makes twice or four times as large as the case asks for is made smaller by
    area; one that only repairs is given the input enlarged by bicubic interpolation.
    """

    takes_whole_case = False

    def __init__(self, name: str, path: Path, device: str = "auto") -> None:
        self.name = name
        self._path = path
        self._device = pick_device(device)
        self._model: Any = None

    def check(self, cases: Sequence[Case]) -> None:
        """Loads the network, by an unpickler that builds nothing but tensors.

        Raises:
            UsageError: spandrel cannot be imported.
            WeightsError: the file is missing, or is no network from picture to picture that
                spandrel knows.
        """
        if self._model is None:
            self._model = _load(self._path, self._device)

    def identity(self, case: Case) -> Mapping[str, Value]:
        """The hash of the file, and the scale."""
        options = case.options
        digest = sha256_file(self._path)
        return {"kind": "network", "sha256": digest, "task": options.task, "scale": options.scale}

    def restore_folder(
        self, case: Case, images: Mapping[str, Path], outputs: Path, log: Path
    ) -> Cost | None:
        """Restores images of one case (`Method.restore_folder`)."""

        def restore(name: str, path: Path) -> Photo:
            photo = read_photo(path)
            result = self._restored(pixels(photo), target_size(case, photo))
            return with_pixels(in_colours_of_reference(case, name, photo), result)

        weights: list[torch.Tensor] = list(self._model.model.parameters())
        return restore_each(images, outputs, restore, sum(w.numel() for w in weights))

    def _restored(self, image: Image, size: tuple[int, int]) -> Image:
        """(H, W, 3) -> (height, width, 3)."""
        scale = int(self._model.scale)
        if scale == 1:
            image = resized(image, size, cv2.INTER_CUBIC)
        if int(self._model.input_channels) == 1:
            planes = [self._run(image[..., c : c + 1]) for c in range(3)]
            return _fit(np.concatenate(planes, 2), size)
        return _fit(self._run(image), size)

    def _run(self, image: Image) -> Image:
        """(H, W, C) -> (scale * H, scale * W, C)."""
        x = from_array(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]
        with torch.inference_mode():
            y: torch.Tensor = self._model(x.to(self._device))  # (1, C, sH, sW)
        return np.ascontiguousarray(y[0].float().cpu().numpy().transpose(1, 2, 0))


def _fit(image: Image, size: tuple[int, int]) -> Image:
    """Smaller by area, larger by bicubic interpolation, or as it is."""
    smaller = image.shape[0] > size[0]
    return resized(image, size, cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)


def _load(path: Path, device: torch.device) -> Any:
    try:
        spandrel: Any = importlib.import_module("spandrel")
    except ImportError as error:
        raise UsageError(
            f"no spandrel ({error})",
            "it, to run network files",
            "pip install '.[bench]' in a clone of unfade; it needs a torchvision that belongs to "
            "the installed torch",
            path=path,
        ) from error
    if not path.is_file():
        raise WeightsError("no such file", "a network", "check the name", path=path)
    try:
        model = spandrel.ModelLoader(device).load_from_file(path)
    except Exception as error:  # many of its own, and torch's
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise WeightsError(
            f"a file that spandrel cannot load ({reason})",
            "a network that it knows",
            "see https://github.com/chaiNNer-org/spandrel for those",
            path=path,
        ) from error
    if not isinstance(model, spandrel.ImageModelDescriptor):
        fix = "use a network that needs the picture alone"
        raise WeightsError("a network that needs a mask", "a picture in, one out", fix, path=path)
    return model.eval()
