from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from unfade.bench import fingerprint as module
from unfade.bench.cases import Case
from unfade.bench.fingerprint import fingerprint
from unfade.bench.methods.names import parse_methods
from unfade.bench.paths import RunPaths
from unfade.bench.runner import run_cases
from unfade.eval import weights


def test_weights_count_for_the_metrics_that_need_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    path = tmp_path / weights.LPIPS_HEADS
    path.parent.mkdir()
    path.write_bytes(b"one")
    before = fingerprint(["psnr", "lpips"]), fingerprint(["psnr"])
    path.write_bytes(b"three")
    after = fingerprint(["psnr", "lpips"]), fingerprint(["psnr"])
    assert before[0] != after[0] and before[1] == after[1]


@pytest.mark.parametrize("name", ["degrade/reduce.py", "degrade/kernels.py", "degrade/joint.py"])
def test_code_that_damages_a_result_again_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    package = Path(module.__file__).parents[1]
    for part in ("bench", "degrade", "eval", "pipeline"):
        shutil.copytree(package / part, tmp_path / part)
    monkeypatch.setattr(module, "_PACKAGE", tmp_path)
    module._code.cache_clear()  # pyright: ignore[reportPrivateUsage]
    before = fingerprint(["psnr"])
    with (tmp_path / name).open("a") as file:
        file.write("# changed")
    module._code.cache_clear()  # pyright: ignore[reportPrivateUsage]
    changed = fingerprint(["psnr"])
    module._code.cache_clear()  # pyright: ignore[reportPrivateUsage]
    assert changed != before


def test_results_are_scored_again_when_a_measure_has_changed(
    make_case: Callable[..., Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, out = make_case(), tmp_path / "out"
    right = run_cases([case], parse_methods(["input"]), out, metrics=["psnr"]).rows
    record = RunPaths(out).record(case, "input")
    known = json.loads(record.read_text("utf-8"))
    known["results"]["a"]["scores"]["psnr"] = 99.0  # as another version measured it
    record.write_text(json.dumps(known), "utf-8")
    kept = run_cases([case], parse_methods(["input"]), out, metrics=["psnr"]).rows
    assert kept[0].values["psnr"] == 99.0
    monkeypatch.setattr(module, "_code", lambda: "changed")
    assert run_cases([case], parse_methods(["input"]), out, metrics=["psnr"]).rows == right
