from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from unfade.archive.manifest import FOLDER, ArchiveManifest, count_states
from unfade.archive.storage import open_storage
from unfade.errors import InputError


def rows(manifest: ArchiveManifest) -> dict[str, str]:
    return {row["key"]: row["state"] for row in manifest.read(["key", "state"]).to_pylist()}


def part(state: str, *keys: str) -> list[dict[str, Any]]:
    return [{"key": key, "state": state, "created": "1970-01-01T00:00:00+00:00"} for key in keys]


@pytest.mark.parametrize("kind", ["folder", "memory"])
def test_last_row_counts_whatever_was_compacted(tmp_path: Path, kind: str) -> None:
    url = str(tmp_path) if kind == "folder" else f"memory://{tmp_path.name}"
    place = open_storage(url)
    manifest = ArchiveManifest(place)
    assert manifest.begin_run() == 1
    manifest.append(part("planned", "a", "b", "c"))
    manifest.append(part("done", "b"))
    early = place.names(FOLDER)
    kept = {name: place.read(f"{FOLDER}/{name}") for name in early}
    manifest.compact(force=True)
    manifest.append(part("failed", "a"))
    assert rows(manifest) == {"a": "failed", "b": "done", "c": "planned"}
    for name, data in kept.items():  # the compaction was killed before it removed them
        place.write(f"{FOLDER}/{name}", data or b"")
    again = ArchiveManifest(place)
    assert rows(again) == {"a": "failed", "b": "done", "c": "planned"}
    assert again.begin_run() == 2
    assert len(place.names(FOLDER)) == 2
    again.append(part("done", "a"))
    table = again.read()
    assert count_states(table)["done"] == 2
    assert table["key"].to_pylist() == ["a", "b", "c"]


def test_damaged_part_is_named(tmp_path: Path) -> None:
    place = open_storage(str(tmp_path))
    manifest = ArchiveManifest(place)
    manifest.begin_run()
    manifest.append(part("done", "a"))
    (name,) = place.names(FOLDER)
    place.write(f"{FOLDER}/{name}", b"PAR1 cut")
    with pytest.raises(InputError, match=name):
        manifest.read()
