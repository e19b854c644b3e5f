from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from unfade.bench.case_files import inputs_of
from unfade.bench.cases import Case
from unfade.bench.methods.base import MethodError
from unfade.bench.methods.program import Program
from unfade.options import RestoreOptions

MakeCase = Callable[..., Case]
COPY = "cv2.imwrite(str(target / path.name), image)"


def restore(method: Program, case: Case, tmp_path: Path):
    method.check([case])
    outputs = tmp_path / "outputs"
    outputs.mkdir(exist_ok=True)
    return method.restore_folder(case, inputs_of(case), outputs, tmp_path / "log"), outputs


def test_results_are_put_in_their_places(
    make_case: MakeCase, make_program: Callable[[str], str], tmp_path: Path
) -> None:
    case = make_case(images=("a", "sub/b"))
    body = "cv2.imwrite(str(target / (path.stem + '_out.jpg')), image)"
    cost, outputs = restore(Program("x", make_program(body)), case, tmp_path)
    assert (cost.images, cost.parameters) == (2, None)
    assert cost.seconds > 0 and cost.peak_mib is not None and cost.peak_mib > 10
    assert cost.megapixels == pytest.approx(2 * 48 * 48 / 1e6)
    assert cv2.imread(str(outputs / "sub/b.png")).shape == (48, 48, 3)  # pyright: ignore
    assert (outputs / "a.png").read_bytes().startswith(b"\x89PNG")


def test_inputs_are_copies(
    make_case: MakeCase, make_program: Callable[[str], str], tmp_path: Path
) -> None:
    case = make_case()
    before = {name: path.read_bytes() for name, path in inputs_of(case).items()}
    body = f"{COPY}\npath.write_bytes(b'spoiled')"
    restore(Program("x", make_program(body)), case, tmp_path)
    assert {name: path.read_bytes() for name, path in inputs_of(case).items()} == before


def test_a_gray_photo_that_was_written_as_rgb_is_gray(
    make_case: MakeCase, make_program: Callable[[str], str], tmp_path: Path
) -> None:
    case = make_case(gray=True, images=("a",))
    _, outputs = restore(Program("x", make_program(COPY)), case, tmp_path)
    made = cv2.imread(str(outputs / "a.png"), cv2.IMREAD_UNCHANGED)
    given = cv2.imread(str(case.inputs / "a.png"), cv2.IMREAD_UNCHANGED)
    assert made is not None and given is not None
    assert made.shape == (48, 48) and (made == given).all()


def test_scale_and_seed_are_the_cases(make_case: MakeCase) -> None:
    options = RestoreOptions(task="super-resolution", scale=2, seed=9)
    enlarged = Case("t", "d", "d", Path(), None, options)
    program = Program("x", "run --scale {scale} --seed={seed} {input} {output}")
    assert program.identity(enlarged)["command"] == "run --scale 2 --seed=9 '{input}' '{output}'"
    assert "--scale 1 --seed=0" in str(program.identity(make_case())["command"])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("pass", "a folder without photos"),
        ("time.sleep(60)", "still running after 4 s"),
        ("cv2.imwrite(str(target / f'{len(path.name) * 7}.png'), image)", "results called 35.png"),
    ],
)
def test_no_output_in_time_and_outputs_that_belong_to_no_input_are_told(
    make_case: MakeCase, make_program: Callable[[str], str], tmp_path: Path, body: str, words: str
) -> None:
    program = Program("x", make_program(body), timeout_s=4 if "sleep" in body else 60)
    with pytest.raises(MethodError) as caught:
        restore(program, make_case(), tmp_path)
    assert words in str(caught.value)


def test_no_shell_sees_the_command(make_case: MakeCase, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    code = "import sys; sys.exit(' '.join(sys.argv[3:]))"
    program = Program("x", f"'{sys.executable}' -c \"{code}\" {{input}} {{output}} ; touch {mark}")
    with pytest.raises(MethodError, match=f"; touch {mark}"):
        restore(program, make_case(), tmp_path)
    assert not mark.exists()
