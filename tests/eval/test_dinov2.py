"""DINOv2 on tiny random weights in transformers' layout."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from transformers import Dinov2Config, Dinov2Model

from unfade.errors import WeightsError
from unfade.eval import weights
from unfade.eval.dinov2 import dinov2_distance, load_dinov2
from unfade.pipeline.alignment import alignment_map


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    torch.manual_seed(0)
    config = Dinov2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=56, patch_size=14
    )
    Dinov2Model(config).save_pretrained(tmp_path / "dinov2")
    return tmp_path / "dinov2"


def test_distance_is_that_of_the_class_tokens(photo: np.ndarray, folder: Path) -> None:
    network = load_dinov2()
    image, target = photo[:224, :224], photo[60:284, 100:324]
    model = Dinov2Model.from_pretrained(folder).eval()
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    tokens = []
    for picture in (image, target):
        pixels = torch.from_numpy((picture - mean) / deviation).permute(2, 0, 1)[None].float()
        tokens.append(model(pixel_values=pixels).last_hidden_state[0, 0].detach())
    expected = 1 - float(tokens[0] @ tokens[1] / tokens[0].norm() / tokens[1].norm())
    assert dinov2_distance(image, target, network) == pytest.approx(expected, abs=1e-4)
    assert dinov2_distance(image, image, network) == pytest.approx(0, abs=1e-6)


def test_encoder_has_a_place_for_each_patch_of_the_whole_picture(
    photo: np.ndarray, folder: Path
) -> None:
    network = load_dinov2()
    assert network(photo).shape == (16, 24, 16)  # 300 x 451 -> 224 x 336
    other = cv2.GaussianBlur(photo, (0, 0), 3).astype(np.float32)
    assert alignment_map(other, photo, network).shape == photo.shape[:2]


def test_missing_and_other_weights_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    with pytest.raises(WeightsError, match="hf download facebook/dinov2-base"):
        load_dinov2()
    (tmp_path / "dinov2").mkdir()
    (tmp_path / "dinov2/config.json").write_text('{"model_type": "dinov2"}')
    (tmp_path / "dinov2/model.safetensors").write_bytes(b"rubbish")
    with pytest.raises(WeightsError, match="do not fit"):
        load_dinov2()
