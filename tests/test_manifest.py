from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.dom import minidom

import pytest

from unfade import manifest as manifests
from unfade._version import __version__
from unfade.errors import InputError, OutputError
from unfade.manifest import Manifest


def example(output: str | None = "print.jpg") -> Manifest:
    return {
        "unfade": __version__,
        "commit": "c0ffee",
        "dirty": True,
        "created": manifests.now(),
        "command": "unfade restore -o print.jpg -- in.jpg",
        "options": {"mask": "/home/me/mask.png", "preset": "/home/me/mine", "device": "cpu"},
        "weights": {"a.safetensors": "00"},
        "versions": manifests.versions(),
        "device": "cpu",
        "input": {"name": "in.jpg", "sha256": "11", "bytes": 1, "width": 2, "height": 3},
        "output": None if output is None else {"name": output, "sha256": "22", "bytes": 1},
        "damaged": 0.25,
        "alignment": None,
        "variant": None,
        "diffusion": None,
        "colours": None,
        "seconds": {"read": 0.1},
        "peak_memory_mib": 1.5,
    }


def test_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "print.json"
    manifests.write(path, example())
    assert manifests.read(path) == example() | {"created": manifests.read(path)["created"]}
    assert [p.name for p in tmp_path.iterdir()] == ["print.json"]


def test_name_that_is_not_utf8_survives(tmp_path: Path) -> None:
    manifest = example("caf\udce9.jpg")
    manifests.write(tmp_path / "x.json", manifest)
    output = manifests.read(tmp_path / "x.json")["output"]
    assert output is not None
    assert output["name"] == "caf\udce9.jpg"


@pytest.mark.parametrize(
    "text", ["", "hello", "[]", "{}", "\xff", '{"unfade": "0.1.0"}', "[" * 100_000]
)
def test_read_fails_when_it_is_no_manifest(tmp_path: Path, text: str) -> None:
    path = tmp_path / "print.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"print\.json"):
        manifests.read(path)
    assert manifests.find(tmp_path / "print.jpg") is None


@pytest.mark.parametrize("key", ["input", "output", "options", "weights"])
def test_read_fails_when_a_part_is_no_object(tmp_path: Path, key: str) -> None:
    path = tmp_path / "print.json"
    path.write_text(json.dumps({**example(), key: 3}))
    with pytest.raises(InputError):
        manifests.read(path)


def test_write_fails_when_the_folder_is_missing(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        manifests.write(tmp_path / "none" / "print.json", example())


def test_sidecar_has_the_full_name_when_the_short_one_is_taken(tmp_path: Path) -> None:
    jpg, png = tmp_path / "print.jpg", tmp_path / "print.png"
    assert manifests.sidecar(jpg).name == "print.json"
    manifests.write(manifests.sidecar(jpg), example("print.jpg"))
    assert manifests.sidecar(jpg).name == "print.json"
    assert manifests.sidecar(png).name == "print.png.json"
    manifests.write(manifests.sidecar(png), example("print.png"))
    for path in (jpg, png):
        found = manifests.find(path)
        assert found is not None
        assert found["output"] is not None
        assert found["output"]["name"] == path.name


def test_claim_never_takes_a_strangers_file(tmp_path: Path) -> None:
    (tmp_path / "print.json").write_text("mine")
    assert manifests.claim(tmp_path / "print.jpg").name == "print.jpg.json"
    (tmp_path / "print.jpg.json").write_text("mine too")
    with pytest.raises(OutputError, match=r"print\.jpg\.json"):
        manifests.claim(tmp_path / "print.jpg")


def is_finished(manifest: Manifest, **changes: str) -> bool:
    options = {"mask": "/home/me/mask.png", "preset": "/home/me/mine", "device": "cpu"}
    values = {"sha": "11", "weights": "00", **changes}
    options |= {k: v for k, v in changes.items() if k in ("mask", "device")}
    weights = {"a.safetensors": values["weights"]}
    return manifests.is_finished(
        manifest, options=options, weights=weights, input_sha256=values["sha"]
    )


def test_result_is_finished_when_nothing_that_matters_differs() -> None:
    assert is_finished(example())
    assert is_finished(example(), device="cuda")
    assert not is_finished(example(), sha="12")
    assert not is_finished(example(), weights="01")
    assert not is_finished(example(), mask="none")
    assert not is_finished({**example(), "unfade": "0.0.1"})


def test_sha256_is_that_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert manifests.sha256_file(path) == expected
    with pytest.raises(InputError):
        manifests.sha256_file(tmp_path / "none")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes there")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    code = "import pathlib, unfade.manifest as m; m.sha256_file(pathlib.Path('pipe.jpg'))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "pipe.jpg: got something that is no plain file" in done.stderr


def test_commit_is_the_one_of_the_checkout() -> None:
    root = Path(__file__).resolve().parents[1]
    manifests.checkout.cache_clear()  # an earlier test may have asked before a commit
    commit, dirty = manifests.checkout()
    expected: str | None = None  # no git, or no checkout with commits
    if shutil.which("git") and (root / ".git").exists():
        command = ["git", "-C", str(root), "rev-parse", "--verify", "HEAD"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        expected = done.stdout.strip() if done.returncode == 0 else None
    assert commit == expected
    assert (dirty is None) if expected is None else isinstance(dirty, bool)


def test_xmp_is_one_description_that_names_no_path() -> None:
    text = manifests.xmp_description(example())
    root = minidom.parseString(text.encode()).documentElement
    assert root is not None
    assert root.localName == "Description"
    assert "/home/me" not in text
    assert '"preset": "mine"' in text
    assert "compositeWithTrainedAlgorithmicMedia" in text
    assert "c0ffee (changed)" in text
    text = manifests.xmp_description({**example(), "damaged": None})
    assert "algorithmicallyEnhanced" in text
    assert "composite" not in text


def test_xmp_tells_how_far_the_model_went_and_names_no_path() -> None:
    options: dict[str, manifests.Value] = {
        "preset": "/home/me/mine", "base": "/home/me/sd", "controlnet": "a/b@c", "mask": "auto"
    }  # fmt: skip
    made: Manifest = {**example(), "options": options, "damaged": None}
    text = manifests.xmp_description({**made, "diffusion": {"strength": 0.25, "fidelity": 1.0}})
    assert "<unfade:Strength>0.2500<" in text and "/home/me" not in text
    assert "compositeWithTrainedAlgorithmicMedia" in text
    text = manifests.xmp_description({**made, "diffusion": {"strength": 0.0, "fidelity": 1.0}})
    assert "algorithmicallyEnhanced" in text


def test_manifest_of_the_first_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "print.json"
    old = {k: v for k, v in example().items() if k not in ("variant", "diffusion")}
    path.write_text(json.dumps(old))
    assert manifests.read(path)["diffusion"] is None


def test_xmp_is_xml_when_a_name_has_signs_of_xml() -> None:
    options: dict[str, manifests.Value] = {"preset": 'a<b>&"c\udce9', "mask": "auto"}
    text = manifests.xmp_description({**example(), "options": options})
    assert minidom.parseString(text.encode()).documentElement is not None


def test_folder_fails_when_a_file_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    for folder in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(OutputError, match="a file where a folder should be"):
            manifests.make_folder(folder)
