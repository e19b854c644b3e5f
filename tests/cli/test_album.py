from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from unfade.cli.album import MAX_VARIANTS, Album
from unfade.convert import from_array
from unfade.imaging import Photo
from unfade.types import Restored


def photo(seed: int = 0, size: tuple[int, int] = (60, 80)) -> Photo:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    return from_array(pixels, max_pixels=10**9)


def paper(alignment: float | None) -> Any:
    return {"alignment": alignment, "options": {"threshold": 0.5}}


def restored(mask: NDArray[np.uint8] | None = None, variants: int = 1, **extra: Any) -> Restored:
    others = tuple(Restored(photo(i), mask, 0.5, paper(0.5)) for i in range(2, variants + 1))
    return Restored(photo(1), mask, 0.5, paper(0.5), variants=others, **extra)


def decoded(uri: str) -> NDArray[np.uint8]:
    code = np.frombuffer(base64.b64decode(uri.split(",")[1]), np.uint8)
    picture = cv2.imdecode(code, cv2.IMREAD_COLOR)
    assert picture is not None
    return picture.astype(np.uint8)


def test_pictures_are_before_after_damage_and_map() -> None:
    mask = np.zeros((60, 80), np.uint8)
    mask[:, 40:] = 200
    mask[:, :20] = 100  # below the threshold
    places = np.ones((6, 8), np.float32)
    places[:3] = 0.4
    album = Album()
    album.add(Path("a"), paper(0.5), ["w"], photo(), restored(mask, similarity_grid=places))
    entry = album.entries[Path("a")]
    assert [label for label, _ in entry.pictures] == ["before", "after", "damage", "other content"]
    before, _, damage, other = (decoded(uri).astype(int) for _, uri in entry.pictures)
    assert before.shape == (60, 80, 3)
    assert np.abs(before[..., ::-1] - photo().native).mean() < 20
    assert damage[:, :36].max() < 60 < 200 < damage[:, 44:].min()
    assert other[:20].min() > 200 and other[40:].max() < 60
    assert entry.warnings == ["w"]


def test_pictures_are_small_when_the_photo_is_large() -> None:
    album, large = Album(), photo(0, (30, 2000))
    album.add_finished(Path("a"), paper(1.0), large, [large])
    (_, uri), *_ = album.entries[Path("a")].pictures
    assert decoded(uri).shape == (12, 800, 3)


def test_variants_are_shown_up_to_a_number() -> None:
    album = Album()
    album.add(Path("a"), paper(0.5), [], photo(), restored(variants=MAX_VARIANTS + 2))
    labels = [label for label, _ in album.entries[Path("a")].pictures]
    assert labels == ["before", *(f"after, {i}" for i in range(1, MAX_VARIANTS + 1))]


@pytest.mark.parametrize("order", [[0.9, 0.2, None, 0.5], [0.2, 0.5, 0.9, None]])
def test_worst_aligned_keep_their_pictures_when_room_is_short(order: list[float | None]) -> None:
    one = Album()
    one.add_finished(Path("x"), paper(1.0), photo(), [photo(1)])
    size = one.entries[Path("x")].size
    album = Album(budget=2 * size + 100)
    for alignment in order:
        album.add_finished(Path(str(alignment)), paper(alignment), photo(), [photo(1)])
    kept = {source.name for source, entry in album.entries.items() if entry.pictures}
    assert kept == {"0.2", "0.5"}
    assert sum(entry.size for entry in album.entries.values()) <= 2 * size + 100
