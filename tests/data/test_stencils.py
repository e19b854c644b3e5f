from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from unfade.data.stencils import load_stencils
from unfade.errors import InputError

Encode = Callable[..., bytes]
MakeShard = Callable[..., Path]


def test_load_stencils_reads_folders_and_shards(
    encode: Encode, tmp_path: Path, make_shard: MakeShard
) -> None:
    for i, name in enumerate(("hair/b.png", "hair/a.png", "dirt/deep/hair/c.png", "spots/a.png")):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(encode(i, 20, 30))
    (tmp_path / "in" / "read.me").write_text("shapes")
    found = load_stencils(tmp_path / "in")
    assert [s.kind for s in found] == ["hair", "hair", "hair", "spots"]
    assert [s.code for s in found] == [encode(i, 20, 30) for i in (2, 1, 0, 3)]
    assert all(s.decode().shape == (20, 30) for s in found)
    make_shard("b.tar", {"stain/2.png": encode(2), "hair/1.png": encode(1)})
    make_shard("a.tar", {"damage/dots/0.png": encode(0), "notes.txt": b"hello"})
    found = load_stencils(tmp_path)
    assert [s.kind for s in found] == ["dots", "hair", "stain"]
    assert [s.code for s in found] == [encode(0), encode(1), encode(2)]
    assert np.ptp(found[1].decode()) > 0.3


@pytest.mark.parametrize("name", ["moustache/0.png", "0.png"])
def test_load_stencils_refuses_unknown_kinds(encode: Encode, tmp_path: Path, name: str) -> None:
    for path in ("hair/0.png", name):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(encode())
    kind = Path(name).parent.name
    with pytest.raises(InputError, match=rf"damage of kind '{kind}'.*hair.*rename") as caught:
        load_stencils(tmp_path)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)
