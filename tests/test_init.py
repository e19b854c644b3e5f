from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys

import pytest

import unfade

HEAVY = ("torch", "numpy", "cv2", "PIL", "tifffile", "rich", "safetensors", "scipy")


def test_import_and_help_load_nothing_heavy_and_take_less_than_half_a_second() -> None:
    code = (
        "import sys, time, unfade\nfrom unfade.cli.main import run\n"
        "for name in ([], ['restore'], ['detect'], ['evaluate']):\n    run([*name, '--help'])\n"
        f"told = [m for m in {HEAVY} if m in sys.modules]\n"
        "sys.stderr.write(' '.join([str(time.process_time()), *told]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, *heavy = done.stderr.split()
    assert heavy == [] and 0 < float(seconds) < 0.5


def test_public_names_are_all_there_and_no_other() -> None:
    for name in unfade.__all__:
        assert getattr(unfade, name) is not None
    assert set(unfade.__all__) <= set(dir(unfade))
    with pytest.raises(AttributeError, match="restroe"):
        unfade.restroe  # type: ignore[attr-defined] # noqa: B018


def test_version_is_the_one_of_the_package() -> None:
    assert importlib.metadata.version("unfade") == unfade.__version__


@pytest.mark.skipif(sys.platform != "linux", reason="libgomp tells its settings, others do not")
@pytest.mark.parametrize(
    ("given", "policy"),
    [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE"), ({"GOMP_SPINCOUNT": "7"}, "")],
)
def test_threads_wait_passively_unless_the_user_says_otherwise(
    given: dict[str, str], policy: str
) -> None:
    settings = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"}
    environment = {k: v for k, v in os.environ.items() if k not in settings}
    environment |= {"OMP_DISPLAY_ENV": "VERBOSE", **given}
    code = "import os, unfade; print(os.environ.get('OMP_WAIT_POLICY', ''))"
    if policy:  # torch loads the library that reads it
        code += "; import torch"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True,
                          text=True, check=True)  # fmt: skip
    assert done.stdout.strip() == policy
    if policy:  # as the library of torch has read it
        assert f"OMP_WAIT_POLICY = '{policy}'" in done.stderr
