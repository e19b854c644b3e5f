"""CLIP-IQA on tiny random weights in transformers' layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPConfig, CLIPModel

from unfade.errors import WeightsError
from unfade.eval import weights
from unfade.eval.clip_iqa import PROMPTS, clip_iqa, load_clip_iqa
from unfade.models.folder import Base

TINY = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


@pytest.fixture
def folder(tiny_sd: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    torch.manual_seed(0)
    config = CLIPConfig(
        text_config={**TINY, "vocab_size": 516, "max_position_embeddings": 77, "eos_token_id": 515},
        vision_config={**TINY, "image_size": 32, "patch_size": 16},
        projection_dim=8,
    )
    model = CLIPModel(config)
    model.text_model.final_layer_norm.bias.data.fill_(20)  # the prompts are then nearly alike
    model.save_pretrained(tmp_path / "clip")
    tiny_sd.tokenizer.save_pretrained(tmp_path / "clip")
    return tmp_path / "clip"


def test_value_is_the_share_of_the_good_prompt(photo: np.ndarray, folder: Path) -> None:
    clip = load_clip_iqa()
    model = CLIPModel.from_pretrained(folder).eval()
    from transformers import CLIPTokenizer

    tokens = CLIPTokenizer.from_pretrained(folder)(list(PROMPTS), padding=True, return_tensors="pt")
    mean = np.array([0.48145466, 0.4578275, 0.40821073])
    deviation = np.array([0.26862954, 0.26130258, 0.27577711])
    image = photo[50:82, 60:92]  # the network's own size: nothing is resized
    pixels = torch.from_numpy((image - mean) / deviation).permute(2, 0, 1)[None].float()
    with torch.inference_mode():
        out = model(**tokens, pixel_values=pixels)
        cosine = out.image_embeds @ out.text_embeds.T
    expected = float((100 * cosine).softmax(1)[0, 0])
    assert clip_iqa(image, clip) == pytest.approx(expected, abs=1e-4)
    assert 0.01 < expected < 0.99 and expected != 0.5


def test_middle_of_a_larger_picture_is_looked_at(photo: np.ndarray, folder: Path) -> None:
    clip = load_clip_iqa()
    wide = photo[:32, :96]
    assert clip_iqa(wide, clip) == pytest.approx(clip_iqa(wide[:, 32:64], clip), abs=1e-5)


def test_missing_tokenizer_is_told(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    with pytest.raises(WeightsError, match="clip-vit-base-patch16"):
        load_clip_iqa()
