from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from unfade.errors import WeightsError
from unfade.manifest import sha256_file
from unfade.models.presets import CFW, DIFFUSION_PARTS, FILES
from unfade.models.sd15 import SD15_ID, SD15_REVISION
from unfade.models.sd21 import SD21_ID, SD21_REVISION
from unfade.pipeline.weights import DiffusionWeights


def test_preset_with_all_parts_is_complete(tiny_preset: Path) -> None:
    found = DiffusionWeights.find(tiny_preset)
    assert found.missing == [] and found.cfw == tiny_preset / CFW
    found.require()
    assert set(found.hashes) == set(found.preset.sha256) - set(FILES)


def test_missing_model_is_told_with_the_way_out(
    first_stage_preset: Path, tiny_preset: Path
) -> None:
    bare = first_stage_preset
    found = DiffusionWeights.find(bare)
    assert found.missing == list(DIFFUSION_PARTS) and found.cfw is None and found.hashes == {}
    with pytest.raises(WeightsError, match=r"no vae/.*preset='sd21' base=") as raised:
        found.require()
    assert raised.value.path == bare
    alone = DiffusionWeights.find(bare, base=tiny_preset)
    assert alone.lacks_controlnet and not alone.missing
    half = DiffusionWeights.find(bare, controlnet=tiny_preset)
    assert "controlnet" not in half.missing and "vae" in half.missing
    DiffusionWeights.find(bare, base=tiny_preset, controlnet=tiny_preset).require()


def test_sd21_works_alone_and_with_a_controlnet(tiny_preset: Path) -> None:
    found = DiffusionWeights.find("sd21")
    found.require()
    assert found.lacks_controlnet and set(found.hashes) == {"base"}
    found = DiffusionWeights.find("sd21", controlnet=tiny_preset / "controlnet")
    found.require()
    assert found.hashes["base"] == f"{SD21_ID}@{SD21_REVISION}"
    path = tiny_preset / "controlnet" / "config.json"
    assert found.hashes["controlnet/config.json"] == sha256_file(path)


def test_parts_from_elsewhere_take_the_place_of_the_presets(
    tiny_preset: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    for part in ("controlnet", CFW):
        shutil.copytree(tiny_preset / part, other / part)
    found = DiffusionWeights.find(tiny_preset, controlnet=other)
    assert found.cfw == other / CFW
    assert {name.split("/")[0] for name in found.hashes} == {*DIFFUSION_PARTS}
    assert "controlnet/cfw/config.json" in found.hashes
    assert "cfw/config.json" not in found.hashes
    found = DiffusionWeights.find(tiny_preset, base=f"a/b@{'0' * 40}")
    assert found.cfw is None  # the preset's own knows the preset's autoencoder
    found.require()
    with pytest.raises(WeightsError, match=r"no cfw/.*fidelity"):
        found.require(cfw=True)
    assert found.hashes["base"] == f"a/b@{'0' * 40}"
    assert found.lacks_controlnet  # the preset's ControlNet knows the preset's own base
    assert set(found.hashes) == {"base"}
    found = DiffusionWeights.find("sd21", base=SD15_ID, prediction="epsilon")
    assert found.hashes == {"base": f"{SD15_ID}@{SD15_REVISION}", "prediction": "epsilon"}


def test_files_of_a_base_are_told_by_their_hashes(tiny_preset: Path, tmp_path: Path) -> None:
    found = DiffusionWeights.find("sd21", base=tiny_preset, controlnet=tiny_preset)
    name = "unet/diffusion_pytorch_model.safetensors"
    assert found.hashes[f"base/{name}"] == sha256_file(tiny_preset / name)
    assert found.hashes["controlnet/controlnet/config.json"]
    pickled = tmp_path / "diffusion_pytorch_model.bin"
    pickled.write_bytes(b"x")
    found = DiffusionWeights.find("sd21", base=tiny_preset, controlnet=tmp_path)
    assert found.hashes[f"controlnet/{pickled.name}"] == sha256_file(pickled)
    path = tmp_path / "sd.safetensors"
    path.write_bytes(b"x")
    found = DiffusionWeights.find(tiny_preset, base=path)
    assert found.hashes["base/sd.safetensors"] == sha256_file(path)


def test_only_what_is_loaded_is_checked(tiny_preset: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(tiny_preset, folder)
    (folder / "unet" / "config.json").write_text("{}")
    with pytest.raises(WeightsError, match=r"unet.*sha256"):
        DiffusionWeights.find(folder).verify()
    DiffusionWeights.find(folder, base=tiny_preset).verify()
