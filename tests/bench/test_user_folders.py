from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from unfade.bench.cases import Case
from unfade.bench.user_folders import user_folders_table
from unfade.errors import UsageError

MakeCase = Callable[..., Case]


def built(lq: Path, reference: Path | None, tmp_path: Path) -> Case:
    (case,) = user_folders_table(lq, reference).build(tmp_path, tmp_path / "work", False, 5)
    return case


def test_folders_are_one_case(make_case: MakeCase, tmp_path: Path) -> None:
    folders = make_case()
    case = built(folders.inputs, folders.references, tmp_path)
    assert (case.inputs, case.references) == (folders.inputs, folders.references)
    assert (case.options.task, case.options.seed) == ("old-photo", 5)


def test_smaller_inputs_are_to_be_enlarged(make_case: MakeCase, tmp_path: Path) -> None:
    folders = make_case(scale=4)
    case = built(folders.inputs, folders.references, tmp_path)
    assert (case.options.task, case.options.scale) == ("super-resolution", 4.0)
    assert case.options.seed == 5


def test_without_references_nothing_is_measured_that_needs_them(
    make_case: MakeCase, tmp_path: Path
) -> None:
    table = user_folders_table(make_case().inputs, None)
    assert built(make_case().inputs, None, tmp_path).references is None
    assert "psnr" not in table.metrics and "niqe" in table.metrics


def test_references_of_several_scales_are_refused(make_case: MakeCase, tmp_path: Path) -> None:
    folders = make_case(scale=4)
    cv2.imwrite(str(folders.inputs / "b.png"), np.zeros((24, 24, 3), np.uint8))
    with pytest.raises(UsageError, match=r"2 \(b\) and 4"):
        built(folders.inputs, folders.references, tmp_path)
