"""Colours of held-out photos, plausible colours, and garments that prompts rename."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from unfade.bench.protocols import colour_methods
from unfade.bench.protocols import garments as protocol
from unfade.bench.protocols.colour_methods import ColourMethods
from unfade.bench.protocols.garments import Settings, garments
from unfade.bench.protocols.plausible import PlausibleColours
from unfade.data.colour import is_held_out
from unfade.errors import UsageError


def person(seed: int) -> tuple[bytes, bytes, dict[str, object]]:
    """A photo of 80 x 176 with a labelled dress and skin, encoded, its labels and its record."""
    rng = np.random.default_rng(seed)
    image = rng.integers(60, 90, (176, 80, 3), dtype=np.uint8)
    labels = np.zeros((176, 80), np.uint8)
    image[40:90, 20:60] = (40, 40, 170)  # a red dress, in BGR
    labels[40:90, 20:60] = 14
    image[10:40, 25:55] = (140, 165, 215)
    labels[10:40, 25:55] = 41
    record = {"captions": ["a person with red dress"], "labels": {"14": "dress", "41": "skin"}}
    png = [cv2.imencode(".png", x)[1].tobytes() for x in (image, labels)]
    return png[0], png[1], record


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """A shard with a held-out person and four others."""
    keys = [f"ccp-{i:04d}" for i in range(200)]
    held = [key for key in keys if is_held_out(key)][:1]
    rest = [key for key in keys if not is_held_out(key)][:4]
    folder = tmp_path / "people"
    folder.mkdir()
    with tarfile.open(folder / "people-00000.tar", "w") as tar:
        for number, key in enumerate(held + rest):
            photo, labels, record = person(number)
            members = {
                "png": photo, "labels.png": labels, "json": json.dumps(record).encode(),
            }  # fmt: skip
            for suffix, content in members.items():
                info = tarfile.TarInfo(f"{key}.{suffix}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return folder


def test_garments_are_renamed_and_colours_judged(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(colour_methods, "SIDE", 64)
    settings = Settings(shards, tmp_path / "out", ColourMethods("compact", 0, device="cpu"), 1, 2)
    report = garments(settings)
    assert report.failures == []
    errors = [row for row in report.rows if row.degradation == protocol.PEOPLE]
    assert {(row.method, row.values["chroma"] == 0) for row in errors} == {
        ("gray", False), ("mean colour", False), ("no prompt", False), ("caption", False),
        ("colours named", False), ("the photo", True),
    }  # fmt: skip
    (renamed,) = (grid for grid in report.grids if grid.title.startswith("Garments that"))
    rows = [tuple(cell.text for cell in row[:3]) for row in renamed.rows]
    assert (protocol.ALONE, "any", "2") in rows and (protocol.CAPTION, "any", "2") in rows
    (shares,) = (grid for grid in report.grids if grid.title.startswith("Pixels"))
    (skin,) = (row for row in shares.rows if row[0].text == "skin")
    assert skin[-1].text == "0.00"  # the photos' own
    assert (tmp_path / "out" / "garments.png").is_file()


def test_photos_none_of_which_is_held_out_are_refused(tmp_path: Path) -> None:
    key = next(key for key in map(str, range(99)) if not is_held_out(key))
    cv2.imwrite(str(tmp_path / f"{key}.png"), np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(UsageError, match="no held-out photo"):
        garments(Settings(tmp_path, tmp_path / "out", ColourMethods("compact", 0)))


def test_colours_near_those_of_three_photos_are_plausible() -> None:
    inside = {"sky": np.ones((1, 4), bool)}

    def plane(a: float, b: float) -> np.ndarray:
        return np.full((1, 4, 3), (50.0, a, b))

    known = PlausibleColours([(plane(2, -22), inside)] * 3 + [(plane(60, 60), inside)] * 2)
    half = np.concatenate([plane(2, -22)[:, :2], plane(2, 22)[:, :2]], 1)
    assert known.outside(plane(5.5, -27), inside) == {"sky": 0.0}  # a cell further
    assert known.outside(plane(60, 60), inside) == {"sky": 1.0}  # two photos are too few
    assert known.outside(half, {**inside, "grass": inside["sky"]}) == {"sky": 0.5}
