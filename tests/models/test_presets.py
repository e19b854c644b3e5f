from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from torch import nn

from unfade.errors import UsageError, WeightsError
from unfade.models import presets
from unfade.models.checkpoint import save_model


@pytest.fixture
def folder(tiny: Callable[[str], nn.Module], tmp_path: Path) -> Path:
    for name in ("scratch", "stage1", "tone"):
        save_model(tmp_path / f"{name}.safetensors", tiny(name))  # pyright: ignore[reportArgumentType]
    presets.write_manifest(tmp_path)
    return tmp_path


def test_find_preset_takes_a_sealed_folder(folder: Path) -> None:
    found = presets.find_preset(folder)
    assert found.folder == folder and sorted(found.sha256) == sorted(presets.FILES)
    assert all(len(digest) == 64 for digest in found.sha256.values())


def test_find_preset_refuses_a_file_that_changed(folder: Path) -> None:
    path = folder / "stage1.safetensors"
    code = bytearray(path.read_bytes())
    code[-1] ^= 1
    path.write_bytes(code)
    with pytest.raises(WeightsError, match=r"stage1\.safetensors: got sha256"):
        presets.find_preset(folder)


def test_find_preset_refuses_a_missing_file(folder: Path) -> None:
    (folder / "tone.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"tone\.safetensors: got a missing file"):
        presets.find_preset(folder)


def test_find_preset_refuses_a_file_that_is_not_listed(folder: Path) -> None:
    listed = json.loads((folder / presets.MANIFEST).read_text())
    del listed["sha256"]["scratch.safetensors"]
    (folder / presets.MANIFEST).write_text(json.dumps(listed))
    with pytest.raises(WeightsError, match=r"scratch\.safetensors"):
        presets.find_preset(folder)


@pytest.mark.parametrize("text", [None, "", "{}", "[]", '{"sha256": []}', '{"sha256": "x"}'])
def test_find_preset_refuses_a_folder_that_is_not_sealed(folder: Path, text: str | None) -> None:
    if text is None:
        (folder / presets.MANIFEST).unlink()
    else:
        (folder / presets.MANIFEST).write_text(text)
    with pytest.raises(WeightsError, match="list of hashes"):
        presets.find_preset(folder)


def test_find_preset_refuses_an_unknown_name() -> None:
    with pytest.raises(UsageError, match=r"'sparkling'.*compact"):
        presets.find_preset("sparkling")


def test_find_preset_says_so_when_shipped_weights_are_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(presets, "weights_folder", lambda: tmp_path / "none")
    with pytest.raises(WeightsError, match="install the package again"):
        presets.find_preset("compact")
