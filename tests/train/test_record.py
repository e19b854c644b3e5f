from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

import pytest

from unfade.data.sources import CleanPhoto, fingerprint
from unfade.train import record
from unfade.train.inputs import Inputs
from unfade.train.launch import accelerator
from unfade.train.vae import VaeRecipe


def test_manifest_tells_what_was_trained_on_what(tmp_path: Path) -> None:
    photos = [CleanPhoto("a", b"1")]
    inputs = Inputs(base="somewhere", controlnet=None)
    record.begin(tmp_path, "vae", VaeRecipe(size=32), photos, inputs, accelerator())
    found = json.loads((tmp_path / "run.json").read_text())
    assert (found["task"], found["recipe"]["size"], found["photos"]) == ("vae", 32, 1)
    assert found["data_sha256"] == fingerprint(photos) and found["base"] == "somewhere"
    (start,) = found["starts"]
    assert start["processes"] == 1 and start["versions"]["torch"] and start["created"]
    assert found["weights"] == {}


def test_manifest_keeps_every_start_and_the_hashes_at_the_end(tmp_path: Path) -> None:
    for _ in range(2):
        record.begin(tmp_path, "vae", VaeRecipe(), [CleanPhoto("a", b"1")], Inputs(), accelerator())
    (tmp_path / "vae").mkdir()
    (tmp_path / "vae" / "config.json").write_bytes(b"{}")
    record.finish(tmp_path, tmp_path / "vae")
    found = json.loads((tmp_path / "run.json").read_text())
    assert len(found["starts"]) == 2
    assert found["weights"] == {"vae/config.json": hashlib.sha256(b"{}").hexdigest()}
    assert found["peak_memory_mib"] > 0
    (tmp_path / "one.safetensors").write_bytes(b"x")
    record.finish(tmp_path, tmp_path / "one.safetensors")
    found = json.loads((tmp_path / "run.json").read_text())
    assert list(found["weights"]) == ["one.safetensors"]


def test_a_run_that_goes_on_otherwise_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    photos = [CleanPhoto("a", b"1")]
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            record.begin(tmp_path, "vae", VaeRecipe(size=32), photos, Inputs(), accelerator())
        earlier = json.loads((tmp_path / "run.json").read_text())
        earlier["recipe"]["loop"]["kept"] = earlier["recipe"]["loop"].pop("weight_averaging")
        (tmp_path / "run.json").write_text(json.dumps(earlier))  # as an older version wrote it
        caplog.clear()
        record.begin(tmp_path, "vae", VaeRecipe(size=32), photos, Inputs(), accelerator())
        assert [r.getMessage() for r in caplog.records] == [
            "loop.kept is now called loop.weight_averaging"
        ]
        caplog.clear()
        others = [CleanPhoto("a", b"2")]
        record.begin(tmp_path, "vae", VaeRecipe(size=64), others, Inputs(), accelerator())
    (told,) = caplog.records
    assert "recipe, data_sha256" in told.getMessage()
