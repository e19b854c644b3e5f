from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from unfade.bench.cases import Case
from unfade.bench.methods.names import parse_methods
from unfade.bench.methods.precomputed import ResultsFolder
from unfade.bench.runner import run_cases
from unfade.errors import InputError, UsageError

MakeCase = Callable[..., Case]


@pytest.fixture
def results(tmp_path: Path, make_case: MakeCase) -> Path:
    """What another program made of a case: its inputs, blurred, as TIFF with a suffix."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    for path in make_case().inputs.iterdir():
        image = cv2.GaussianBlur(cv2.imread(str(path)), (0, 0), 1)  # pyright: ignore
        assert cv2.imwrite(str(folder / f"{path.stem}_SwinIR.tif"), image)
    return folder


def test_results_of_another_program_are_scored_beside_ours(
    make_case: MakeCase, results: Path, tmp_path: Path
) -> None:
    case = make_case()
    methods = parse_methods([f"SwinIR={results}", "first-stage", "input"])
    run = run_cases([case], methods, tmp_path / "out", metrics=["psnr"])
    psnr = {(row.method, row.image): row.values["psnr"] for row in run.rows}
    assert len(psnr) == 9 and run.failures == []
    assert psnr["SwinIR", "a"] > psnr["input", "a"]
    made = cv2.imread(str(run.result(case, "SwinIR", "a")))
    given = cv2.imread(str(results / "a_SwinIR.tif"))
    assert made is not None and given is not None and (made == given).all()
    assert ("table", "Set-noise", "SwinIR") not in run.costs


def test_new_results_take_the_place_of_the_old(
    make_case: MakeCase, results: Path, tmp_path: Path
) -> None:
    method = ResultsFolder("x", results)
    before = run_cases([make_case()], [method], tmp_path / "out", metrics=["psnr"])
    image = cv2.imread(str(make_case().inputs / "b.png"))
    assert image is not None and cv2.imwrite(str(results / "b_SwinIR.tif"), image)
    after = run_cases([make_case()], [method], tmp_path / "out", metrics=["psnr"])
    same = [a == b for a, b in zip(after.rows, before.rows, strict=True)]
    assert same == [True, False, True]


@pytest.mark.parametrize("inner", ["table/Set-{}", "Set-{}"])
def test_each_case_has_its_own_folder(
    make_case: MakeCase, results: Path, tmp_path: Path, inner: str
) -> None:
    cases = [make_case("noise"), make_case("more")]
    for case in cases:
        shutil.copytree(results, tmp_path / "all" / inner.format(case.degradation))
    method = ResultsFolder("x", tmp_path / "all")
    assert len(run_cases(cases, [method], tmp_path / "out", metrics=["psnr"]).rows) == 6
    with pytest.raises(UsageError, match="no sub-folder table/Set-third"):
        method.check([*cases, make_case("third")])


@pytest.mark.parametrize(
    ("spoil", "kind", "words"),
    [
        (lambda f: (f / "b_SwinIR.tif").unlink(), InputError, "no result of b (1 of 3"),
        (lambda f: (f / "b_SwinIR.tif").write_bytes(b"II*\0"), InputError, "b_SwinIR.tif"),
        (lambda f: cv2.imwrite(str(f / "b_SwinIR.tif"), np.ones((9, 9, 3))), InputError, "9 x 9"),
        (lambda f: cv2.imwrite(str(f / "b_SwinIR.tif"), np.ones((48, 48))), InputError, "gray"),
        (
            lambda f: cv2.imwrite(
                str(f / "b_SwinIR.tif"), np.full((48, 48, 3), np.nan, np.float32)
            ),
            InputError,
            "b_SwinIR.tif",
        ),
        (
            lambda f: [p.rename(f / f"{i}.tif") for i, p in enumerate(f.iterdir())],
            UsageError,
            "a (3",
        ),
        (shutil.rmtree, UsageError, "no such folder"),
        (lambda f: [p.unlink() for p in f.iterdir()], UsageError, "without photos"),
    ],
)
def test_wrong_results_are_refused_before_anything_runs(
    make_case: MakeCase,
    results: Path,
    tmp_path: Path,
    spoil: Callable[[Path], object],
    kind: type[Exception],
    words: str,
) -> None:
    spoil(results)
    method = ResultsFolder("theirs", results)
    with pytest.raises(kind) as caught:
        run_cases([make_case()], [method], tmp_path / "out", metrics=["psnr"])
    assert words in str(caught.value)
    assert not (tmp_path / "out/results").exists()


def test_one_folder_is_not_taken_for_the_results_of_several_tables(
    make_case: MakeCase, results: Path
) -> None:
    method = ResultsFolder("x", results)
    cases = [make_case(table="old-photo"), make_case(table="sr4")]
    method.check_shared(cases[:1])
    with pytest.raises(UsageError, match="the same results for old-photo/Set-noise and sr4"):
        method.check_shared(cases)
    shutil.copytree(results, results / "sr4" / "Set-noise")
    for path in results.glob("*.tif"):
        path.unlink()
    method.check_shared(cases)
