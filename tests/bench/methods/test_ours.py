from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from unfade.api import Restorer
from unfade.bench.case_files import inputs_of
from unfade.bench.cases import Case
from unfade.bench.methods.ours import FirstStage, Preset, count_parameters
from unfade.errors import UsageError, WeightsError
from unfade.imaging import read_photo
from unfade.models.compact import build_controlnet
from unfade.models.folder import load_base
from unfade.options import RestoreOptions

MakeCase = Callable[..., Case]
Method = Preset | FirstStage


def restore(method: Method, case: Case, tmp_path: Path, name: str = "a"):
    method.check([case])
    cost = method.restore_folder(case, {name: inputs_of(case)[name]}, tmp_path, tmp_path / "log")
    return cost, read_photo(tmp_path / f"{name}.png").native


def test_a_preset_restores_as_the_api_does(
    make_case: MakeCase, restorer: Restorer, tmp_path: Path
) -> None:
    case = make_case()
    cost, made = restore(Preset("x", {"strength": 0, "tone": "keep"}), case, tmp_path)
    expected = restorer.restore(case.inputs / "a.png", strength=0, tone="keep").image.native
    assert (made == expected).all()
    assert cost is not None and cost.images == 1 and cost.seconds > 0


def test_the_first_stage_is_the_preset_without_its_diffusion(
    make_case: MakeCase, tiny_preset: Path, tmp_path: Path
) -> None:
    options = RestoreOptions(preset=tiny_preset, device="cpu", steps=2, strength=1, seed=3)
    case = make_case(options=options, images=("a",))
    cost, made = restore(FirstStage(), case, tmp_path)
    _, expected = restore(Preset("x", {"strength": 0, "steps": "auto"}), case, tmp_path)
    _, diffused = restore(Preset("y", {"reach": "all"}), case, tmp_path)
    assert (made == expected).all() and (made != diffused).any()
    shipped = Restorer.from_pretrained(tiny_preset, device="cpu")
    assert cost is not None
    assert cost.parameters == count_parameters(shipped, RestoreOptions(strength=0))
    whole = count_parameters(shipped, options)
    assert cost.parameters is not None and whole is not None and cost.parameters < whole


def test_cases_that_enlarge_have_results_of_their_size(
    make_case: MakeCase, tiny_preset: Path, tmp_path: Path
) -> None:
    options = RestoreOptions(
        task="super-resolution", scale=2, steps=1, preset=tiny_preset, device="cpu"
    )
    case = make_case(options=options, scale=2, images=("a",))
    for method in (FirstStage(), Preset("x", {})):
        _, made = restore(method, case, tmp_path)
        assert made.shape == (48, 48, 3)


def test_results_of_gray_photos_have_the_colours_of_their_reference(
    make_case: MakeCase, tmp_path: Path
) -> None:
    case = make_case(options=RestoreOptions(device="cpu", tone="keep"), images=("a",))
    path = case.inputs / "a.png"
    gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert gray is not None and cv2.imwrite(str(path), gray)
    _, made = restore(FirstStage(), case, tmp_path)
    assert made.shape == (48, 48, 3) and (np.ptp(made, axis=2) == 0).all()


def test_identity_follows_options_and_weights(make_case: MakeCase, tiny_preset: Path) -> None:
    case = make_case()
    one, other = Preset("x", {"strength": 0}), Preset("x", {"strength": 0, "tone": "keep"})
    assert one.identity(case) == Preset("renamed", {"strength": 0}).identity(case)
    assert one.identity(case) != other.identity(case)
    weights = Preset("x", {"strength": 0, "preset": str(tiny_preset)}).identity(case)
    assert weights["stage1.safetensors"] == one.identity(case)["stage1.safetensors"]
    assert one.identity(case) != one.identity(make_case(options=RestoreOptions(tile=64)))


def test_parts_of_the_case_are_loaded_in_turn(
    make_case: MakeCase, tiny_preset: Path, tmp_path: Path
) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    base = load_base(tiny_preset)
    for folder, width in zip(folders, (4, 6), strict=True):
        build_controlnet(base.unet, mask=True, widths=(width, 8, 8)).save_pretrained(folder)
    options = [
        RestoreOptions(preset=tiny_preset, controlnet=f, strength=1, steps=1, device="cpu")
        for f in folders
    ]
    cases = [make_case(f"c{i}", options=own, images=("a",)) for i, own in enumerate(options)]
    method = Preset("x", {})
    method.check(cases)
    costs = [restore(method, case, tmp_path)[0] for case in cases]
    assert costs[0] is not None and costs[1] is not None
    assert costs[0].parameters is not None and costs[1].parameters is not None
    assert costs[0].parameters < costs[1].parameters


def test_a_first_run_is_not_timed(
    make_case: MakeCase, tiny_preset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, seen = Restorer.run, list[object]()

    def noted(self: Restorer, photo: Any, options: RestoreOptions) -> Any:
        seen.append(options.steps)
        return run(self, photo, options)

    monkeypatch.setattr(Restorer, "run", noted)
    options = RestoreOptions(preset=tiny_preset, strength=1, steps=2, device="cpu")
    case, method = make_case(options=options, images=("a",)), Preset("x", {})
    method.check([case])
    cost, _ = restore(method, case, tmp_path)
    assert seen == [1, 2] and cost is not None and cost.images == 1
    restore(method, case, tmp_path)
    assert seen == [1, 2, 2]


def test_a_missing_diffusion_model_is_told_before_anything_runs(
    make_case: MakeCase, first_stage_preset: Path
) -> None:
    first = str(first_stage_preset)
    with pytest.raises(WeightsError, match="controlnet"):
        Preset("x", {"strength": 1, "preset": first}).check([make_case()])
    Preset("x", {"preset": first}).check([make_case()])


def test_options_that_do_not_fit_the_case_are_told_and_paper_mode_takes_part(
    make_case: MakeCase,
) -> None:
    with pytest.raises(UsageError, match="scale"):
        Preset("x", {"scale": 2}).check([make_case()])
    case = make_case(options=RestoreOptions(task="colorize", strength=1.0, prompt="a red hat"))
    options = Preset("x", {"paper": True}).options(case)
    assert (options.paper, options.strength, options.prompt) == (True, "auto", "a red hat")
