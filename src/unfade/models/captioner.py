"""Captions photos with BLIP (Li et al. 2022) or BLIP-2 (Li et al. 2023), through transformers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from unfade.errors import WeightsError, first_line
from unfade.models.hub import fetched, pinned, quiet_transformers
from unfade.models.inference import weights_dtype

CAPTIONER = "Salesforce/blip-image-captioning-base"
#: The commits that an id without a revision stands for. That of the base model has its weights in
#: safetensors, which its main branch lacks.
REVISIONS = {
    CAPTIONER: "9cfcdbcaccbcadb2b53b36d4b50042c4eeaa0c25",
    "Salesforce/blip-image-captioning-large": "353689b859fcf0523410b1806dace5fb46ecdf41",
    "Salesforce/blip2-opt-2.7b": "c7d6c9f37354a91481abf26893b22ffcb6d10878",
}
_FILES = ("*.json", "vocab.txt", "merges.txt", "*.safetensors")
_NETWORKS = {"blip": "BlipForConditionalGeneration", "blip-2": "Blip2ForConditionalGeneration"}
_BEAMS, _TOKENS = 3, 30  # of the search, as in the authors' demonstration; at most, of a caption


class Captioner:
    """A network that captions photos in English; see `load`."""

    def __init__(self, network: Any, processor: Any, tokenizer: Any) -> None:
        self._network, self._processor, self._tokenizer = network, processor, tokenizer

    @classmethod
    def load(cls, source: str | Path, device: torch.device) -> Captioner:
        """BLIP or BLIP-2 from a folder in transformers' layout, or from the hub.

        Args:
            source: a folder, or ID@REVISION; the ids in `REVISIONS` have their revision built in.

        Raises:
            WeightsError: nothing there, or what is there is damaged or another model.
        """
        path = Path(source)
        if not path.is_dir():
            text = str(source)
            path = fetched(text, _FILES, "model", REVISIONS, lambda why: _nothing(text, why))
        kind = _kind(path)
        import transformers

        library: Any = transformers
        local: dict[str, Any] = {"local_files_only": True}
        try:
            with quiet_transformers():
                network, report = getattr(library, _NETWORKS[kind]).from_pretrained(
                    str(path),
                    use_safetensors=True,
                    output_loading_info=True,
                    dtype=weights_dtype("auto", device),
                    **local,
                )
                processor = library.AutoImageProcessor.from_pretrained(
                    str(path), backend="pil", **local
                )
                tokenizer = library.AutoTokenizer.from_pretrained(str(path), **local)
        except Exception as error:  # whatever a file of another kind makes the reader do
            raise _foreign_weights(path, first_line(error)) from error
        if report["missing_keys"]:
            raise _foreign_weights(path, f"no {min(report['missing_keys'])}")
        return cls(network.eval().requires_grad_(False).to(device), processor, tokenizer)

    def prepare(self, image: NDArray[np.float32]) -> torch.Tensor:
        """(H, W, 3) sRGB [0, 1] -> (3, S, S), the network's input: the whole photo, made square."""
        pixels = Image.fromarray(np.rint(image * 255).astype(np.uint8))
        return cast(torch.Tensor, self._processor(pixels, return_tensors="pt").pixel_values[0])

    def captions(self, inputs: Sequence[torch.Tensor]) -> list[str]:
        """The most likely caption of beam search for each output of `prepare`."""
        pixels = torch.stack([*inputs])  # (N, 3, S, S)
        pixels = pixels.to(self._network.device, self._network.dtype)
        with torch.inference_mode(), quiet_transformers():
            tokens = self._network.generate(
                pixel_values=pixels, num_beams=_BEAMS, max_new_tokens=_TOKENS, do_sample=False
            )
        texts: list[str] = self._tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return [" ".join(text.split()) for text in texts]


def _kind(folder: Path) -> str:
    """The model_type: one of _NETWORKS."""
    try:
        kind = json.loads((folder / "config.json").read_text("utf-8"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _foreign_weights(
            folder, f"no config.json with a model_type: {first_line(error)}"
        ) from error
    if kind not in _NETWORKS:
        raise _foreign_weights(folder, f"model_type {kind}")
    return str(kind)


def _foreign_weights(folder: Path, reason: str) -> WeightsError:
    return WeightsError(
        f"weights that do not fit ({reason})",
        "BLIP or BLIP-2 in transformers' layout, with its tokenizer and *.safetensors",
        "name another folder with --model",
        path=folder,
    )


def _nothing(source: str, reason: str) -> WeightsError:
    name, revision = pinned(source, REVISIONS) or (CAPTIONER, REVISIONS[CAPTIONER])
    folder = name.split("/")[1]
    command = f"hf download {name} --revision {revision} --local-dir {folder}"
    return WeightsError(
        f"no weights at '{source}'{reason}",
        "a folder in transformers' layout, or ID@REVISION on the hub",
        f'fetch them with `{command} --exclude "*.bin" --exclude "*.h5"` and give --model {folder}',
    )
