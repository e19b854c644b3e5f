"""CLIP-IQA: how much closer a picture is to "Good photo." than to "Bad photo."."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from unfade.eval.images import Image
from unfade.eval.published import as_tensor, from_folder, normalised, resized
from unfade.eval.weights import require

PROMPTS = ("Good photo.", "Bad photo.")
SCALE = 100.0  # CLIP's trained temperature
_MEAN, _DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class ClipIqa:
    """The image half of CLIP and the two prompts; see `load_clip_iqa`."""

    network: Any  # transformers' CLIPModel
    prompts: Tensor  # (2, D), of unit length
    side: int  # pixels


def load_clip_iqa() -> ClipIqa:
    """CLIP from the folder of metrics, through transformers.

    Raises:
        WeightsError: the weights are missing or are others.
    """
    folder = require("clip") / "clip"
    from transformers import CLIPModel, CLIPTokenizer

    network, tokenizer = from_folder(CLIPModel, folder), from_folder(CLIPTokenizer, folder)
    tokens = tokenizer(list(PROMPTS), padding=True, return_tensors="pt")
    with torch.inference_mode():
        text: Tensor = network.get_text_features(**tokens).pooler_output  # (2, D)
    side = int(network.config.vision_config.image_size)
    return ClipIqa(network.eval().requires_grad_(False), F.normalize(text), side)


def clip_iqa(image: Image, clip: ClipIqa) -> float:
    """CLIP-IQA with antonym prompts, Wang, Chan and Loy (2023), Eq. 3; in [0, 1], more is better.

    With ViT-B/16, as torchmetrics offers it; the paper has a ResNet-50 without positions, whose
    values differ. The short side is made 224 pixels, and the middle is looked at.

    Args:
        image: (H, W, 3) sRGB [0, 1].
        clip: from `load_clip_iqa`.
    """
    x = as_tensor(image)
    height, width = x.shape[2:]
    scale = clip.side / min(height, width)
    x = resized(x, *(max(clip.side, round(side * scale)) for side in (height, width)))
    top, left = ((side - clip.side) // 2 for side in x.shape[2:])
    x = x[..., top : top + clip.side, left : left + clip.side]  # (1, 3, side, side)
    with torch.inference_mode():
        pixels = normalised(x, _MEAN, _DEVIATION)
        found: Tensor = clip.network.get_image_features(pixel_values=pixels).pooler_output
        cosine = F.normalize(found) @ clip.prompts.T  # (1, 2)
        return float(F.softmax(SCALE * cosine, 1)[0, 0])
