from __future__ import annotations

import json
import shutil
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


@pytest.mark.parametrize("case", ["changed", "missing", "not listed"])
def test_find_preset_refuses_files_that_are_not_those_of_the_list(folder: Path, case: str) -> None:
    path, listed = folder / "stage1.safetensors", folder / presets.MANIFEST
    if case == "changed":
        code = path.read_bytes()
        path.write_bytes(code[:-1] + bytes([code[-1] ^ 1]))
    elif case == "missing":
        path.unlink()
    else:
        values = json.loads(listed.read_text())
        del values["sha256"][path.name]
        listed.write_text(json.dumps(values))
    told = {"changed": "got sha256", "missing": "got no such file", "not listed": ""}[case]
    with pytest.raises(WeightsError, match=rf"stage1\.safetensors.*{told}"):
        presets.find_preset(folder)


@pytest.mark.parametrize("text", [None, "", "{}", "[]", '{"sha256": []}', '{"sha256": "x"}'])
def test_find_preset_refuses_a_folder_that_is_not_sealed(folder: Path, text: str | None) -> None:
    if text is None:
        (folder / presets.MANIFEST).unlink()
    else:
        (folder / presets.MANIFEST).write_text(text)
    with pytest.raises(WeightsError, match="list of hashes"):
        presets.find_preset(folder)


def list_too(folder: Path, values: dict[str, object]) -> None:
    path = folder / presets.MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_defaults_of_a_preset_are_read_and_kept_when_it_is_sealed_again(folder: Path) -> None:
    assert presets.find_preset(folder).defaults == presets.Defaults()
    strength, steps, draws = {"old-photo": 0, "colorize": 0.8}, {"colorize": 1}, {"colorize": 4}
    saturation = {"colorize": 0.75}
    list_too(
        folder,
        {
            "strength": strength,
            "steps": steps,
            "draws": draws,
            "saturation": saturation,
            "fidelity": {"old-photo": 1},
        },
    )
    presets.write_manifest(folder)
    expected = presets.Defaults(
        {"old-photo": 0.0, "colorize": 0.8}, steps, draws, saturation, {"old-photo": 1.0}
    )
    assert presets.find_preset(folder).defaults == expected


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("strength", {"sharpen": 0.5}, "old-photo, super-resolution, colorize, with a number"),
        ("strength", {"colorize": 2}, "a number from 0 to 1"),
        ("strength", {"colorize": "much"}, "a number from 0 to 1"),
        ("steps", {"sharpen": 5}, "old-photo, super-resolution, colorize, with a whole number"),
        ("steps", {"colorize": 0}, "a whole number from 1 to 1000"),
        ("steps", {"colorize": 1001}, "a whole number from 1 to 1000"),
        ("steps", {"colorize": 2.5}, "a whole number from 1 to 1000"),
        ("steps", {"colorize": True}, "a whole number from 1 to 1000"),
        ("draws", {"old-photo": 2}, "one of colorize, with a whole number"),
        ("draws", {"colorize": 0}, "a whole number from 1 to 100"),
        ("saturation", {"colorize": -0.5}, "a number from 0 to 2"),
        ("fidelity", {"old-photo": 1.5}, "a number from 0 to 1"),
    ],
)
def test_find_preset_refuses_defaults_that_make_no_sense(
    folder: Path, name: str, values: dict[str, object], expected: str
) -> None:
    list_too(folder, {name: values})
    with pytest.raises(WeightsError, match=expected) as caught:
        presets.find_preset(folder)
    assert name in str(caught.value) and presets.MANIFEST in str(caught.value)


def test_find_preset_refuses_an_unknown_name_and_missing_shipped_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"'sparkling'.*compact"):
        presets.find_preset("sparkling")
    monkeypatch.setattr(presets, "weights_folder", lambda: tmp_path / "none")
    with pytest.raises(WeightsError, match="install the package again"):
        presets.find_preset("compact")


def test_manifest_lists_every_file_of_the_diffusion_model(tiny_preset: Path) -> None:
    found = presets.find_preset(tiny_preset)
    names = {p.relative_to(tiny_preset).as_posix() for p in tiny_preset.rglob("*") if p.is_file()}
    assert set(found.sha256) == names - {presets.MANIFEST}
    assert not found.missing
    assert "unet/config.json" in found.part("unet")
    assert set(found.first_stage) == set(presets.FILES)


def test_diffusion_files_are_checked_when_they_are_loaded(
    tiny_preset: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(tiny_preset, folder)
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    found = presets.find_preset(folder)  # an old photo may do without them
    with pytest.raises(WeightsError, match=r"unet.*got sha256"):
        found.check(found.part("unet"))
    path.unlink()
    with pytest.raises(WeightsError, match=r"unet.*no such file"):
        presets.find_preset(folder)


@pytest.mark.parametrize(("part", "valid"), [("cfw", True), ("controlnet", False), ("vae", False)])
def test_diffusion_model_is_there_as_a_whole_or_not_at_all(
    tiny_preset: Path, tmp_path: Path, part: str, valid: bool
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(tiny_preset, folder)
    shutil.rmtree(folder / part)
    if valid:
        presets.write_manifest(folder)
        assert not presets.find_preset(folder).part(part)
        return
    with pytest.raises(WeightsError, match=f"without {part}/"):
        presets.write_manifest(folder)


def test_cfw_alone_is_no_diffusion_model(folder: Path) -> None:
    (folder / "cfw").mkdir()
    (folder / "cfw" / "config.json").write_text("{}")
    with pytest.raises(WeightsError, match="cfw/ without vae/"):
        presets.write_manifest(folder)


def test_sd21_has_the_first_stages_of_compact_and_nothing_else() -> None:
    found, compact = presets.find_preset("sd21"), presets.find_preset("compact")
    optional = {
        k: v
        for name in (presets.ENLARGER, presets.COLOUR)
        for k, v in compact.optional(name).items()
    }
    assert found.sha256 == compact.first_stage | optional and found.name == "sd21"
    assert found.missing == list(presets.DIFFUSION_PARTS)


def test_the_first_stage_for_colours_may_be_there_or_not(folder: Path) -> None:
    assert presets.find_preset(folder).optional("colour.safetensors") == {}
    (folder / "colour.safetensors").write_bytes(b"weights")
    presets.write_manifest(folder)
    found = presets.find_preset(folder)
    assert list(found.optional("colour.safetensors")) == ["colour.safetensors"]
    assert "colour.safetensors" not in found.first_stage
    (folder / "colour.safetensors").unlink()
    with pytest.raises(WeightsError, match="no such file"):
        presets.find_preset(folder)
