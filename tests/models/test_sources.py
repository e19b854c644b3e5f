from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from unfade import manifest as manifests
from unfade.cli.main import run
from unfade.errors import WeightsError
from unfade.models.compact import build_controlnet
from unfade.models.folder import Base, check_fit, save_base, save_part
from unfade.models.presets import weights_folder
from unfade.models.sd15 import SD15_ID, SD15_REVISION
from unfade.models.sd21 import SD21_ID, SD21_REVISION
from unfade.models.sources import find_base, find_controlnet


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and no network."""
    cache = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    return cache


def snapshot(cache: Path, name: str, revision: str) -> Path:
    """Where the cache of the hub keeps a repository."""
    return cache / f"models--{name.replace('/', '--')}" / "snapshots" / revision


def test_find_base_reads_a_folder(tiny_sd: Base, tmp_path: Path) -> None:
    save_base(tmp_path / "sd21", tiny_sd)
    assert find_base(tmp_path / "sd21").stride == tiny_sd.stride


def test_shipped_preset_is_a_base_and_a_controlnet_to_train_on() -> None:
    folder = weights_folder() / "compact"  # other files lie beside the parts
    base = find_base(folder)
    for source in (folder, folder / "controlnet"):
        check_fit(base, find_controlnet(source))
    assert base.downscale == 8


def test_find_base_reads_the_hub_at_the_pinned_revision(tiny_sd: Base, hub: Path) -> None:
    save_base(snapshot(hub, SD21_ID, SD21_REVISION), tiny_sd)
    assert find_base().stride == tiny_sd.stride
    other = "0" * 40
    with pytest.raises(WeightsError, match="no weights at"):
        find_base(f"{SD21_ID}@{other}")
    save_base(snapshot(hub, "a/b", other), tiny_sd)
    assert find_base(f"a/b@{other}").downscale == 8


def test_find_base_says_what_to_fetch_and_asks_for_a_revision(hub: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as raised:
        find_base()
    text = str(raised.value)
    assert f"hf download {SD21_ID} --revision {SD21_REVISION} --local-dir sd21" in text
    assert "base='sd21'" in text and "\n" not in text
    with pytest.raises(WeightsError, match="name the commit"):
        find_base("someone/model")
    path = tmp_path / "model.ckpt"
    path.write_bytes(b"x")
    with pytest.raises(WeightsError, match=r"a \.safetensors file"):
        find_base(path)


@pytest.mark.parametrize("name", ["nowhere", "/no/such/folder", "a/b/c", "model.ckpt", ""])
def test_find_base_refuses_what_is_no_source(hub: Path, name: str) -> None:
    with pytest.raises(WeightsError):
        find_base(name or "some file")


def test_find_controlnet_reads_its_own_folder_a_presets_and_the_hub(
    tiny_sd: Base, tmp_path: Path, hub: Path
) -> None:
    net = build_controlnet(tiny_sd.unet, mask=True)
    save_part(tmp_path / "preset" / "controlnet", net)
    save_part(snapshot(hub, "a/b", "1" * 40), net)
    sources = (tmp_path / "preset", tmp_path / "preset" / "controlnet", f"a/b@{'1' * 40}")
    for source in sources:
        loaded = find_controlnet(source)
        weights = loaded.state_dict()["conv_in.weight"]
        assert torch.equal(weights, net.state_dict()["conv_in.weight"].half().float())
    with pytest.raises(WeightsError, match="controlnet="):
        find_controlnet("nowhere")


def test_ids_of_the_hub_restore_a_photo_from_the_command_line(
    tiny_sd15: Base, hub: Path, make_photo: Callable[..., Path], tmp_path: Path
) -> None:
    save_base(snapshot(hub, SD15_ID, SD15_REVISION), tiny_sd15)
    name, revision = "lllyasviel/control_v11f1e_sd15_tile", "1" * 40
    tile = snapshot(hub, name, revision)
    save_part(tile, build_controlnet(tiny_sd15.unet, widths=(4, 4, 8, 8)))
    weights = tile / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".fp16.safetensors"))  # all that some repositories have
    words = ["restore", str(make_photo("a.png")), "-o", str(tmp_path / "out"), "--mask", "none"]
    words += ["--steps", "1", "--device", "cpu", "--base", SD15_ID, "--controlnet"]
    assert run([*words, name]) == 1  # no commit
    assert run([*words, f"{name}@{revision}"]) == 0
    assert (tmp_path / "out" / "a.png").is_file()
    made_of = manifests.read(tmp_path / "out" / "a.json")["weights"]
    assert made_of["base"] == f"{SD15_ID}@{SD15_REVISION}"
    assert made_of["controlnet"] == f"{name}@{revision}"


class Harm:
    """Runs a command where it is unpickled without restrictions."""

    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.sign),)


def test_pickled_controlnet_is_read_as_tensors_alone(
    tiny_sd: Base, tmp_path: Path, hub: Path
) -> None:
    net = build_controlnet(tiny_sd.unet)
    folder = snapshot(hub, "a/tile", "1" * 40)
    save_part(folder, net)
    weights = folder / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    weights.unlink()
    torch.save(tensors, folder / "diffusion_pytorch_model.bin")
    for source in (folder, f"a/tile@{'1' * 40}"):
        loaded = find_controlnet(source).state_dict()
        assert all(torch.equal(loaded[name], value.float()) for name, value in tensors.items())
    sign = tmp_path / "sign"
    torch.save(tensors | {"x": Harm(sign)}, folder / "diffusion_pytorch_model.bin")
    with pytest.raises(WeightsError, match="unreadable weights"):
        find_controlnet(folder)
    assert not sign.exists()
