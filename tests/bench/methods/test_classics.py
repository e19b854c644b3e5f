from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from unfade.bench.case_files import inputs_of
from unfade.bench.cases import Case
from unfade.bench.methods.classics import Classical
from unfade.bench.methods.names import parse_methods
from unfade.options import RestoreOptions

MakeCase = Callable[..., Case]
ENLARGE = RestoreOptions(task="super-resolution", scale=4, device="cpu")


def restored(name: str, case: Case, tmp_path: Path) -> np.ndarray:
    method = parse_methods([name])[0]
    method.check([case])
    method.restore_folder(case, inputs_of(case), tmp_path, tmp_path / "log")
    image = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return image


def given(case: Case) -> np.ndarray:
    image = cv2.imread(str(case.inputs / "a.png"), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return image


@pytest.mark.parametrize("gray", [False, True])
def test_input_does_nothing(make_case: MakeCase, tmp_path: Path, gray: bool) -> None:
    case = make_case(images=("a",), gray=gray)
    made = restored("input", case, tmp_path)
    assert made.shape == given(case).shape and (made == given(case)).all()


@pytest.mark.parametrize(
    ("name", "code"),
    [("input", cv2.INTER_CUBIC), ("bicubic", cv2.INTER_CUBIC), ("lanczos", cv2.INTER_LANCZOS4)],
)
def test_smaller_inputs_are_interpolated(
    make_case: MakeCase, tmp_path: Path, name: str, code: int
) -> None:
    case = make_case(images=("a",), scale=4, options=ENLARGE)
    expected = cv2.resize(given(case), (48, 48), interpolation=code)
    difference = restored(name, case, tmp_path).astype(int) - expected
    assert np.abs(difference).max() <= 1


def test_opencv_fills_what_the_detector_finds(make_case: MakeCase, tmp_path: Path) -> None:
    case = make_case(images=("a",), side=128)
    image = given(case)
    cv2.line(image, (30, 0), (40, 127), (255, 255, 255), 2)
    cv2.imwrite(str(case.inputs / "a.png"), image)
    made = restored("opencv", case, tmp_path)
    row, column = 64, 35
    assert image[row, column].min() == 255
    assert made[row, column].astype(int).min() < 235
    unmasked = Case(
        "t", "d", "d", case.inputs, case.references, RestoreOptions(mask="none", device="cpu")
    )
    assert restored("opencv", unmasked, tmp_path)[row, column].min() > 235


def test_opencv_enlarges_too(make_case: MakeCase, tmp_path: Path) -> None:
    case = make_case(images=("a",), scale=4, options=ENLARGE)
    assert restored("opencv", case, tmp_path).shape == (48, 48, 3)


def test_identity_tells_what_changes_a_result(make_case: MakeCase) -> None:
    methods = parse_methods(["bicubic", "lanczos"])
    case, large = make_case(), make_case("large", options=ENLARGE, scale=4)
    assert methods[0].identity(case) != methods[1].identity(case)
    assert methods[0].identity(case) != methods[0].identity(large)
    opencv = Classical()
    opencv.check([case])
    assert "detector" in opencv.identity(case) and "detector" not in opencv.identity(large)
