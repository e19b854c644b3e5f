"""The examples of docs/web.md, run as they are written."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from unfade.imaging import read_mask, read_photo

MakePhoto = Callable[..., Path]

_PAGE = Path(__file__).parents[2] / "docs" / "web.md"
_USUAL = "http://127.0.0.1:7860"


@pytest.fixture
def example(
    address: str, make_photo: MakePhoto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], str]:
    """An example in a language, for the server that runs; the photo that it names is there."""
    make_photo("print.jpg", height=100, width=120)
    dress = np.zeros((100, 120), np.uint8)
    dress[30:70, 40:80] = 255
    cv2.imwrite(str(tmp_path / "dress.png"), dress)
    monkeypatch.chdir(tmp_path)

    def find(language: str) -> str:
        blocks = re.findall(rf"```{language}\n(.*?)```", _PAGE.read_text("utf-8"), re.DOTALL)
        (code,) = [block for block in blocks if _USUAL in block and "serve" not in block]
        return code.replace(_USUAL, address)

    return find


def test_python_example_restores_the_photo(example: Callable[[str], str]) -> None:
    names: dict[str, object] = {}
    exec(compile(example("python"), "web.md", "exec"), names)
    made = read_photo(Path(str(names["photo"])))
    assert made.native.shape == (100, 120, 3)
    assert "dress.png=red" in Path(str(names["manifest"])).read_text("utf-8")


@pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("bash")), reason="needs curl and bash"
)
def test_curl_example_finds_the_damage(example: Callable[[str], str], address: str) -> None:
    done = subprocess.run(
        ["bash", "-ec", example("sh")], capture_output=True, text=True, timeout=120
    )
    assert "event: complete" in done.stdout, (done.stdout, done.stderr)
    found = re.search(r'"url": *"([^"]+)"', done.stdout)
    assert found is not None and found[1].startswith(address)
    mask = subprocess.run(["curl", "-sf", found[1]], capture_output=True, check=True, timeout=60)
    Path("mask.png").write_bytes(mask.stdout)
    assert set(np.unique(read_mask(Path("mask.png"), size=(100, 120)))) <= {0, 255}
