from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from unfade.bench.cases import Case
from unfade.bench.methods.classics import Classical, Interpolation
from unfade.bench.methods.names import BUILT_IN, parse_methods
from unfade.bench.methods.network import Network
from unfade.bench.methods.ours import FirstStage, Preset
from unfade.bench.methods.precomputed import ResultsFolder
from unfade.bench.methods.program import Program
from unfade.errors import UsageError
from unfade.models.presets import weights_folder
from unfade.options import RestoreOptions


def one(text: str):
    return parse_methods([text], timeout_s=7)[0]


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("input", Interpolation, "input"),
        ("lanczos", Interpolation, "lanczos"),
        ("cubic=bicubic", Interpolation, "cubic"),
        ("opencv", Classical, "opencv"),
        ("first-stage", FirstStage, "first-stage"),
        ("compact", Preset, "compact"),
        ("compact:strength=0,tone=keep", Preset, "compact:strength=0,tone=keep"),
        ("plain=compact:strength=0", Preset, "plain"),
        ("w/o IIDE=compact:controlnet=runs/p1", Preset, "w/o IIDE"),
        ("weights/x4.pth", Network, "x4"),
        ("ESRGAN=weights/x4.safetensors", Network, "ESRGAN"),
        ("their tool=run {input} {output}", Program, "their tool"),
        ("long=run {input} {output} " + 300 * "x", Program, "long"),
        ("x=sh -c 'A=b run {input} {output}'", Program, "x"),
    ],
)
def test_texts_name_methods(text: str, kind: type, name: str) -> None:
    method = one(text)
    assert type(method) is kind and method.name == name


def test_folders_are_results_or_presets(tmp_path: Path) -> None:
    results, preset = tmp_path / "results", tmp_path / "mine"
    results.mkdir()
    shutil.copytree(weights_folder() / "compact", preset)
    assert one(f"StableSR={results}") == ResultsFolder("StableSR", results)
    assert one(str(results)).name == "results"
    equals = tmp_path / "scale=4"
    equals.mkdir()
    assert one(str(equals)) == ResultsFolder("scale=4", equals)
    assert isinstance(one(str(preset)), Preset) and one(str(preset)).name == "mine"
    assert one(f"{preset}:strength=0").name == "mine:strength=0"


def test_options_of_a_preset_have_their_types() -> None:
    case = Case("t", "d", "d", Path(), None, RestoreOptions(seed=3, device="cpu"))
    method = one('compact:strength=0.5,steps=4,only-damage=true,prompt="a, 1",guidance=2')
    assert isinstance(method, Preset)
    options = method.options(case)
    assert (options.strength, options.steps, options.only_damage) == (0.5, 4, True)
    assert (options.prompt, options.guidance, options.seed) == ("a, 1", 2.0, 3)


@pytest.mark.parametrize(
    "text", ["compact:sharpness=1", "compact:strength=2", "compact:steps=few", "compact:variants=2"]
)
def test_options_that_make_no_sense_are_refused_before_anything_runs(text: str) -> None:
    with pytest.raises(UsageError):
        one(text).check([Case("t", "d", "d", Path(), None)])


@pytest.mark.parametrize("text", ["nonsense", "x=nonsense", "run {input} {output}", "compact:tone"])
def test_what_is_no_method_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        one(text)


def test_what_is_no_method_names_what_there_is() -> None:
    with pytest.raises(UsageError) as caught:
        one("lancsoz")
    assert all(name in str(caught.value) for name in BUILT_IN)
    assert "compact" in BUILT_IN
    program = one("x=run {input} {output}")
    assert isinstance(program, Program) and program.timeout_s == 7
