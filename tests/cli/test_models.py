from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from unfade.cli.main import run
from unfade.models import presets
from unfade.models.checkpoint import load_model, save_model
from unfade.models.enlarger import Enlarger, EnlargerConfig
from unfade.models.sd21 import SD21_ID, SD21_REVISION

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped weights."""
    copy = tmp_path / "mine"
    shutil.copytree(presets.weights_folder() / "compact", copy)
    return copy


def states(capfd: Capture) -> dict[str, str]:
    data = json.loads(capfd.readouterr().out)
    return {file["name"]: file["state"] for file in data["presets"][0]["files"]}


def test_shipped_weights_are_complete(capfd: Capture) -> None:
    assert run(["models"]) == 0
    out = capfd.readouterr().out
    assert out.startswith("compact: ok")
    assert "diffusion model: ok" in out
    assert "sd21: " in out and "--controlnet" in out


def test_shipped_weights_are_small_enough() -> None:
    files = (presets.weights_folder() / "compact").rglob("*")
    assert sum(file.stat().st_size for file in files if file.is_file()) <= 57_000_000


def test_json_names_every_file_and_the_base_model_that_is_fetched(capfd: Capture) -> None:
    assert run(["models", "--json"]) == 0
    data = json.loads(capfd.readouterr().out)
    found = {file["name"]: file["state"] for file in data["presets"][0]["files"]}
    assert found == dict.fromkeys(presets.find_preset("compact").sha256, "ok")
    (state,) = data["external"]
    assert state["name"] == "sd21" and state["base"] == f"{SD21_ID}@{SD21_REVISION}"


def test_half_a_diffusion_model_is_told(tiny_preset: Path, tmp_path: Path, capfd: Capture) -> None:
    copy = tmp_path / "half"
    shutil.copytree(tiny_preset, copy)
    shutil.rmtree(copy / "scheduler")
    assert run(["models", "--preset", str(copy), "--json"]) == 1
    assert states(capfd)["scheduler/scheduler_config.json"] == "missing"
    manifest = json.loads((copy / presets.MANIFEST).read_text())
    del manifest["sha256"]["scheduler/scheduler_config.json"]
    (copy / presets.MANIFEST).write_text(json.dumps(manifest))
    assert run(["models", "--preset", str(copy)]) == 1
    assert "incomplete: no scheduler/" in capfd.readouterr().out


def test_first_stage_alone_is_a_preset(folder: Path, capfd: Capture) -> None:
    for part in (*presets.DIFFUSION_PARTS, presets.CFW):
        shutil.rmtree(folder / part, ignore_errors=True)
    assert run(["models", "--seal", str(folder)]) == 0
    assert "diffusion model: none: no vae/" in capfd.readouterr().out


def test_wrong_missing_and_unlisted_files_are_told(folder: Path, capfd: Capture) -> None:
    first, second, third = presets.FILES[:3]
    (folder / first).write_bytes(b"x")
    (folder / second).unlink()
    manifest = json.loads((folder / presets.MANIFEST).read_text())
    del manifest["sha256"][third]
    (folder / presets.MANIFEST).write_text(json.dumps(manifest))
    assert run(["models", "--preset", str(folder), "--json"]) == 1
    found = states(capfd)
    assert (found[first], found[second], found[third]) == ("wrong", "missing", "unlisted")


def test_wrong_weights_are_refused_before_anything_is_restored(
    folder: Path, tmp_path: Path, capfd: Capture
) -> None:
    (folder / presets.FILES[0]).write_bytes(b"x")
    photo = tmp_path / "a.png"
    photo.write_bytes(b"x")
    assert run(["restore", str(photo), "-o", str(tmp_path / "out"), "--preset", str(folder)]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert presets.FILES[0] in err
    assert not (tmp_path / "out").exists()


def test_seal_makes_a_folder_a_preset(folder: Path, capfd: Capture) -> None:
    (folder / presets.MANIFEST).unlink()
    assert run(["models", "--preset", str(folder)]) == 1
    assert "--seal" in capfd.readouterr().out
    assert run(["models", "--seal", str(folder)]) == 0
    assert (folder / presets.MANIFEST).exists()


def test_folder_is_refused_when_there_is_none(tmp_path: Path) -> None:
    assert run(["models", "--seal", str(tmp_path / "none")]) == 2
    assert run(["models", "--preset", str(tmp_path / "none")]) == 1


def test_weights_of_metrics_are_listed_with_their_commands(
    tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unfade.eval import weights

    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    (tmp_path / weights.INCEPTION).parent.mkdir()
    (tmp_path / weights.INCEPTION).touch()
    assert run(["models"]) == 0
    out = capfd.readouterr().out
    assert "inception (fid, kid): ok" in out
    assert "lpips (lpips): missing, 244.4 MB" in out
    assert f'curl -L --create-dirs -o "{tmp_path / weights.ALEXNET}" https://' in out
    assert "NON-COMMERCIAL" in out and "pip install '.[iqa-nc]'" in out
    assert run(["models", "--json"]) == 0
    states = {state["name"]: state for state in json.loads(capfd.readouterr().out)["metrics"]}
    assert states["inception"]["ok"] and states["inception"]["commands"] == []
    assert states["lpips"]["missing"] == [weights.ALEXNET, weights.LPIPS_HEADS]


def test_weights_of_one_network_are_averaged(tmp_path: Path, capfd: Capture) -> None:
    names = {}
    for seed, name in enumerate(("a.safetensors", "b.safetensors")):
        torch.manual_seed(seed)
        made = Enlarger(EnlargerConfig([8, 8], [1, 1], hidden=8))
        save_model(tmp_path / name, made)
        names[name] = load_model(tmp_path / name, Enlarger).state_dict()
    given = [f"--average={tmp_path / name}={n}" for name, n in zip(names, (1, 3), strict=True)]
    assert run(["models", *given, "-o", str(tmp_path / "mean.safetensors")]) == 0
    mean = load_model(tmp_path / "mean.safetensors", Enlarger).state_dict()
    a, b = names.values()
    for key, value in mean.items():
        if not value.is_floating_point():
            continue
        torch.testing.assert_close(value, 0.25 * a[key] + 0.75 * b[key], rtol=2e-3, atol=1e-4)


def test_different_networks_are_not_averaged(tmp_path: Path, capfd: Capture) -> None:
    for name, width in (("a", 8), ("b", 16)):
        made = Enlarger(EnlargerConfig([width, width], [1, 1], hidden=8))
        save_model(tmp_path / f"{name}.safetensors", made)
    given = [f"--average={tmp_path / name}.safetensors=1" for name in ("a", "b")]
    out = tmp_path / "mean.safetensors"
    assert run(["models", *given, "-o", str(out)]) == 1
    assert "another network" in capfd.readouterr().err and not out.exists()
    assert run(["models", given[0]]) == 2 and run(["models", "--average=a", "-o", str(out)]) == 2
