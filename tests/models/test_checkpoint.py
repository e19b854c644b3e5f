from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from unfade.errors import UsageError, WeightsError
from unfade.models.blocks import UNet
from unfade.models.checkpoint import load_model, pick_device, save_model
from unfade.models.scratch import ScratchConfig, ScratchDetector
from unfade.models.stage1 import Stage1Net
from unfade.models.tone import ToneNet

Tiny = Callable[[str], nn.Module]
CLASSES = {"scratch": ScratchDetector, "stage1": Stage1Net, "tone": ToneNet}


@pytest.mark.parametrize("name", CLASSES)
def test_load_model_gives_back_what_was_saved(tiny: Tiny, tmp_path: Path, name: str) -> None:
    model = tiny(name)
    save_model(tmp_path / "w.safetensors", model)  # pyright: ignore[reportArgumentType]
    loaded = load_model(tmp_path / "w.safetensors", CLASSES[name])
    assert loaded.config == model.config and type(loaded) is CLASSES[name]
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())
    for (key, a), (other, b) in zip(
        model.state_dict().items(), loaded.state_dict().items(), strict=True
    ):
        assert key == other and a.dtype == b.dtype
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-6)


def test_saved_weights_are_half_precision_and_readable_by_all(tiny: Tiny, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_model(path, tiny("stage1"))  # pyright: ignore[reportArgumentType]
    dtypes = {k: v.dtype for k, v in load_file(path).items() if not k.endswith("tracked")}
    assert set(dtypes.values()) == {torch.float16}
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert sorted(p.name for p in tmp_path.iterdir()) == ["plain", "w.safetensors"]


def test_load_model_refuses_missing_tensors_and_another_kind(tiny: Tiny, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_model(path, tiny("scratch"))  # pyright: ignore[reportArgumentType]
    with pytest.raises(WeightsError, match="ScratchDetector, expected weights of Stage1Net"):
        load_model(path, Stage1Net)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match="another program"):
        load_model(path, Stage1Net)
    model = tiny("scratch")
    tensors = {k: v.clone() for k, v in model.state_dict().items()}
    del tensors["leave.bias"]
    config = json.dumps(asdict(ScratchConfig(2, 4, [4, 4], [1, 1])))
    save_file(tensors, tmp_path / "w", {"kind": "ScratchDetector", "config": config})
    with pytest.raises(WeightsError, match="do not fit"):
        load_model(tmp_path / "w", ScratchDetector)


@pytest.mark.parametrize("length", [0, 4, 100, -1])
def test_load_model_refuses_a_truncated_file(tiny: Tiny, tmp_path: Path, length: int) -> None:
    path = tmp_path / "w.safetensors"
    save_model(path, tiny("scratch"))  # pyright: ignore[reportArgumentType]
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(WeightsError, match="unreadable weights"):
        load_model(path, ScratchDetector)


def test_load_model_refuses_a_missing_file_or_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(WeightsError, match="unreadable weights"):
            load_model(path, ScratchDetector)


@pytest.mark.parametrize(
    "config",
    [
        "no json", "[]", "{}", '{"widths": []}', '{"widths": [8, 8], "blocks": [1]}',
        '{"stages": 2, "detail": 4, "widths": [5, 4], "blocks": [1, 1]}', '{"colour": "red"}',
        '{"stages": 3, "detail": 4, "widths": [4, 4], "blocks": [1, 1]}', '{"stages": 0}',
    ],
)  # fmt: skip
def test_load_model_refuses_a_configuration_that_does_not_fit(
    tiny: Tiny, tmp_path: Path, config: str
) -> None:
    path = tmp_path / "w.safetensors"
    tensors = {k: v.clone() for k, v in tiny("scratch").state_dict().items()}
    save_file(tensors, path, {"kind": "ScratchDetector", "config": config})
    with pytest.raises(WeightsError, match="do not fit"):
        load_model(path, ScratchDetector)


def test_load_model_refuses_a_detector_of_an_earlier_version(tmp_path: Path) -> None:
    path = tmp_path / "scratch.safetensors"
    old = UNet(3, 2, [8, 8], [1, 1], norm=True)
    tensors = {f"net.{k}": v.clone() for k, v in old.state_dict().items()}
    config = json.dumps({"widths": [8, 8], "blocks": [1, 1], "threshold": 0.5})
    save_file(tensors, path, {"kind": "ScratchDetector", "config": config})
    with pytest.raises(WeightsError) as caught:
        load_model(path, ScratchDetector)
    text = str(caught.value)
    assert "\n" not in text and len(text) < 400
    assert "do not fit" in text and "use weights of this version of unfade" in text
    assert str(path) in text


def test_pick_device_knows_this_machine() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type in ("cpu", "cuda", "mps")
    for name in ("abacus", "cuda:99"):
        with pytest.raises(UsageError, match=name):
            pick_device(name)
