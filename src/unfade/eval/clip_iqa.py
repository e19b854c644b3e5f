"""Computes CLIP-IQA: the similarity of a picture to "Good photo." against "Bad photo."."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from unfade.errors import WeightsError
from unfade.eval.clip_resnet import STRIDE, ClipResNet
from unfade.eval.images import Image, require_side
from unfade.eval.pretrained import as_tensor, from_folder, load_pretrained, normalised, read_state
from unfade.eval.weights import CLIP, CLIP_CONFIG, require

PROMPTS = ("Good photo.", "Bad photo.")
_POSITIONS = "attnpool.positional_embedding"
_MEAN, _DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class ClipIqa:
    """CLIP's image encoder and the two prompts; see `load_clip_iqa`."""

    encoder: ClipResNet
    prompts: Tensor  # (2, D), of unit length
    scale: float  # CLIP's trained temperature, the factor of cosines


def load_clip_iqa() -> ClipIqa:
    """CLIP's ResNet-50 from the folder of metrics, in the layout of OpenCLIP.

    Raises:
        WeightsError: the weights are missing or are others.
    """
    folder = require("clip-rn50")
    path = folder / CLIP
    config, state = _read_config(folder / CLIP_CONFIG), read_state(path)
    if not {"logit_scale", "token_embedding.weight"} <= {*state}:
        raise _unexpected(path, "no text encoder")
    prompts = _embedded(config, state, path)
    vision = config["vision_cfg"]
    encoder = ClipResNet(vision["layers"], vision["width"], config["embed_dim"])
    visual = {
        key.removeprefix("visual."): x for key, x in state.items() if key.startswith("visual.")
    }
    visual.pop(_POSITIONS, None)
    load_pretrained(encoder, path, visual)
    return ClipIqa(encoder, prompts, float(state["logit_scale"].exp()))


def clip_iqa(image: Image, clip: ClipIqa) -> float:
    """CLIP-IQA with antonym prompts, Wang, Chan and Loy (2023), Eq. 3; in [0, 1], more is better.

    As published: ResNet-50 without positional embedding, on the whole picture at its own size.

    Args:
        image: (H, W, 3) sRGB [0, 1].
        clip: from `load_clip_iqa`.

    Raises:
        NotApplicable: a side has fewer than 32 pixels.
    """
    require_side(image, STRIDE, "CLIP-IQA")
    with torch.inference_mode():
        x = normalised(as_tensor(image, clip.encoder), _MEAN, _DEVIATION)
        features = clip.encoder(x)  # (1, D)
        cosine = F.normalize(features) @ clip.prompts.to(x.device).T  # (1, 2)
        return float(F.softmax(clip.scale * cosine, 1)[0, 0])


def _read_config(path: Path) -> dict[str, Any]:
    """The shape of the two encoders, as OpenCLIP writes it."""
    try:
        config = json.loads(path.read_text("utf-8"))["model_cfg"]
        sizes = config["embed_dim"], config["vision_cfg"]["width"], config["text_cfg"]["heads"]
        if len(config["vision_cfg"]["layers"]) != 4 or not all(isinstance(n, int) for n in sizes):
            raise ValueError("no ResNet")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unexpected(path, str(error).strip() or type(error).__name__) from error
    return cast(dict[str, Any], config)


def _embedded(config: dict[str, Any], state: dict[str, Tensor], path: Path) -> Tensor:
    """The prompts by CLIP's text encoder, which transformers has: (2, D), of unit length."""
    from diffusers.loaders import single_file_utils
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer

    tokenizer = from_folder(CLIPTokenizer, path.parent)
    text = config["text_cfg"]
    network: Any = CLIPTextModelWithProjection(
        CLIPTextConfig(
            vocab_size=text["vocab_size"],
            hidden_size=text["width"],
            intermediate_size=4 * text["width"],
            num_hidden_layers=text["layers"],
            num_attention_heads=text["heads"],
            max_position_embeddings=text["context_length"],
            projection_dim=config["embed_dim"],
            hidden_act="quick_gelu",
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    utils = cast(Any, single_file_utils)
    load_pretrained(network, path, utils.convert_open_clip_checkpoint(network, state, prefix=""))
    tokens = tokenizer(list(PROMPTS), padding=True, return_tensors="pt")
    with torch.inference_mode():
        return F.normalize(network(**tokens).text_embeds)


def _unexpected(path: Path, reason: str) -> WeightsError:
    fix = "fetch the file again: `unfade models` says how"
    return WeightsError(f"weights that do not fit ({reason})", "CLIP's ResNet-50", fix, path=path)
