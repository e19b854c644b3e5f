from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from unfade.errors import OutputError, WeightsError
from unfade.files import atomic
from unfade.models import tensors


def test_tensors_come_back_as_they_were_written(tmp_path: Path) -> None:
    given = {"a": torch.rand(4, 3).T, "b": torch.arange(3), "c": torch.tensor(2.0)}
    tensors.write_tensors(tmp_path / "t", given, {"step": "7"})
    found, metadata = tensors.read_tensors(tmp_path / "t")
    assert metadata == {"step": "7"} and sorted(found) == ["a", "b", "c"]
    assert all(torch.equal(found[k], given[k]) for k in given)


def test_tensors_are_written_as_the_library_writes_them(tmp_path: Path) -> None:
    kinds = (torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool)
    given = {str(kind): (torch.rand(3, 5) * 9).to(kind) for kind in kinds}
    given |= {"scalar": torch.tensor(2.0), "empty": torch.zeros(0, 4)}
    wide = torch.rand(2, 3, 4, 5)
    given["wide"] = wide.to(memory_format=torch.channels_last)
    tensors.write_tensors(tmp_path / "ours", given, {"a": "1"})
    save_file(given | {"wide": wide}, tmp_path / "theirs", {"a": "1"})
    ours, theirs = load_file(tmp_path / "ours"), load_file(tmp_path / "theirs")
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert ours[name].dtype == value.dtype and torch.equal(ours[name], value), name
    assert (tmp_path / "ours").stat().st_size == (tmp_path / "theirs").stat().st_size


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted otherwise elsewhere")
def test_write_tensors_holds_no_second_copy_of_the_whole(tmp_path: Path) -> None:
    code = (
        "import resource, sys, torch; from pathlib import Path; "
        "from unfade.models.tensors import write_tensors; "
        "ones = lambda: torch.ones(1 << 20, 4, 2, 2).to(memory_format=torch.channels_last); "
        "given = {str(i): ones() for i in range(4)}; "
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; before = peak(); "
        "write_tensors(Path(sys.argv[1]), given, {}); "
        "sys.exit((peak() - before) // 1024 > 160)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "t")], check=True)


def test_write_tensors_leaves_the_old_file_when_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t"
    tensors.write_tensors(path, {"a": torch.zeros(2)}, {})
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(OutputError, match="no room left on the disk"):
        tensors.write_tensors(path, {"a": torch.ones(2)}, {})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["t"]


def test_write_tensors_keeps_writers_of_one_file_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, plain = tmp_path / "t", atomic.os.fsync
    theirs = {"a": torch.ones(1000)}

    def other(descriptor: int) -> None:  # another process writes while this one does
        monkeypatch.setattr(atomic.os, "fsync", plain)
        tensors.write_tensors(path, theirs, {})
        assert torch.equal(tensors.read_tensors(path)[0]["a"], theirs["a"])
        plain(descriptor)

    monkeypatch.setattr(atomic.os, "fsync", other)
    ours = {"a": torch.zeros(3)}
    tensors.write_tensors(path, ours, {})
    assert torch.equal(tensors.read_tensors(path)[0]["a"], ours["a"])
    assert [p.name for p in tmp_path.iterdir()] == ["t"]


def test_read_tensors_refuses_what_is_no_safetensors_file(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("hello")
    with pytest.raises(WeightsError, match="unreadable"):
        tensors.read_tensors(tmp_path / "t")
