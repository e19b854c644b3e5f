from __future__ import annotations

from pathlib import Path

import pytest

from unfade.errors import WeightsError
from unfade.eval import weights
from unfade.eval.measures import ALL_NAMES
from unfade.eval.weights import WEIGHTS, fetch_command, metrics_folder, missing, require


def test_folder_is_the_variable_or_below_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path / "mine"))
    assert metrics_folder() == tmp_path / "mine"
    monkeypatch.delenv(weights.VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert metrics_folder() == tmp_path / "unfade/metrics"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert metrics_folder() == Path.home() / ".cache/unfade/metrics"


def test_every_metric_is_known_and_needs_one_set_only() -> None:
    named = [metric for of in WEIGHTS for metric in of.metrics]
    assert len(named) == len(set(named)) and set(named) <= set(ALL_NAMES)
    for of in WEIGHTS:
        assert all(name.startswith(f"{of.name}/") for file in of.files for name in file.names)


def test_one_of_two_files_is_enough(tmp_path: Path) -> None:
    (dinov2,) = (of.files[0] for of in WEIGHTS if of.name == "dinov2")
    assert missing(dinov2, tmp_path) == [*dinov2.names]
    (tmp_path / "dinov2").mkdir()
    (tmp_path / "dinov2/config.json").touch()
    assert missing(dinov2, tmp_path) == ["dinov2/model.safetensors|pytorch_model.bin"]
    (tmp_path / "dinov2/pytorch_model.bin").touch()
    assert missing(dinov2, tmp_path) == []


def test_command_fetches_to_where_the_file_is_looked_for(tmp_path: Path) -> None:
    for of in WEIGHTS:
        for file in of.files:
            command = fetch_command(file, tmp_path)
            folder = tmp_path / file.names[0].split("/")[0]
            assert file.source in command and f'"{folder}' in command
            if command.startswith("curl"):
                assert f'-o "{tmp_path / file.names[0]}"' in command


def test_what_is_missing_is_told_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    with pytest.raises(WeightsError) as caught:
        require("inception")
    text = str(caught.value)
    assert str(tmp_path / weights.INCEPTION) in text
    assert "fid and kid" in text and "95.6 MB" in text and "curl -L" in text
    path = tmp_path / weights.INCEPTION
    path.parent.mkdir()
    path.touch()
    assert require("inception") == tmp_path
