from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from unfade.diffusion.condition import ConditionKind
from unfade.errors import WeightsError
from unfade.models.compact import build_controlnet
from unfade.models.folder import Base, save_base, save_part
from unfade.models.presets import write_manifest
from unfade.pipeline.load import load_pipeline
from unfade.pipeline.weights import DiffusionWeights

CPU = torch.device("cpu")


def test_preset_is_loaded_with_its_cfw_which_may_be_missing(
    tiny_preset: Path, tmp_path: Path
) -> None:
    networks = load_pipeline(DiffusionWeights.find(tiny_preset), CPU).networks
    assert networks.kind == ConditionKind("pixel", mask=True)
    assert networks.cfw is not None and networks.base.stride == 8
    assert not any(p.requires_grad for p in cast(Any, networks.controlnet).parameters())
    copy = tmp_path / "copy"
    shutil.copytree(tiny_preset, copy)
    shutil.rmtree(copy / "cfw")
    write_manifest(copy)
    assert load_pipeline(DiffusionWeights.find(copy), CPU).networks.cfw is None


def test_base_and_controlnet_come_from_elsewhere(
    tiny_preset: Path, tiny_sd: Base, tmp_path: Path
) -> None:
    save_base(tmp_path / "sd", tiny_sd)
    controlnet = build_controlnet(tiny_sd.unet, mask=False, widths=(4, 4, 8, 8))
    save_part(tmp_path / "net", controlnet)
    weights = DiffusionWeights.find("sd21", base=tmp_path / "sd", controlnet=tmp_path / "net")
    networks = load_pipeline(weights, CPU).networks
    assert cast(Any, networks.base.unet).config.cross_attention_dim == 16
    assert networks.kind == ConditionKind("pixel", mask=False) and networks.cfw is None


def test_controlnet_of_another_base_is_refused(
    tiny_preset: Path, tiny_sd: Base, tmp_path: Path
) -> None:
    save_part(tmp_path / "net", build_controlnet(tiny_sd.unet, widths=(4, 4, 8, 8)))
    weights = DiffusionWeights.find(tiny_preset, controlnet=tmp_path / "net")
    with pytest.raises(WeightsError, match="a ControlNet whose"):
        load_pipeline(weights, CPU)


def test_networks_are_compiled_when_it_is_asked_for(
    tiny_preset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []
    note = lambda self, **_: compiled.append(type(self).__name__)  # noqa: E731
    monkeypatch.setattr(torch.nn.Module, "compile", note)
    load_pipeline(DiffusionWeights.find(tiny_preset), CPU)
    assert compiled == []
    load_pipeline(DiffusionWeights.find(tiny_preset), CPU, compiled=True)
    assert compiled[:3] == ["UNet2DConditionModel", "ControlNetModel", "UNetMidBlock2D"]
    assert set(compiled[3:]) == {"UpDecoderBlock2D"} and len(compiled) == 6
