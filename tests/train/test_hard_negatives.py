from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from unfade.data.pairs import HardNegative
from unfade.data.sources import CleanPhoto
from unfade.models.scratch import ScratchDetector
from unfade.train.hard_negatives import mine_hard_negatives

Square = tuple[int, int, int]  # the middle, y and x, and the side


def photo(*squares: Square, height: int = 121, width: int = 157, red: int = 255) -> CleanPhoto:
    """A gray photo with squares of red."""
    image = np.full((height, width, 3), 100, np.uint8)
    for y, x, side in squares:
        top, left = max(y - side // 2, 0), max(x - side // 2, 0)
        image[top : y + side // 2 + 1, left : x + side // 2 + 1] = (0, 0, red)  # BGR
    return CleanPhoto(f"{squares}{red}", cv2.imencode(".png", image)[1].tobytes())


@pytest.fixture
def calls(detector: ScratchDetector) -> Iterator[list[int]]:
    found: list[int] = []
    hook = detector.register_forward_hook(lambda *_: found.append(1))
    yield found
    hook.remove()


@pytest.mark.parametrize("place", [(60, 80), (20, 130), (3, 3), (118, 154), (118, 10)])
def test_mining_finds_the_place_of_the_alarm(
    detector: ScratchDetector, tmp_path: Path, place: tuple[int, int]
) -> None:
    [negative] = mine_hard_negatives(detector, [photo((*place, 7))], 1.0, tmp_path)
    assert negative.photo == 0
    assert negative.y * 121 == pytest.approx(place[0], abs=4)
    assert negative.x * 157 == pytest.approx(place[1], abs=4)
    assert 0 <= negative.y < 1 and 0 <= negative.x < 1


def test_mining_finds_the_larger_of_two_alarms_and_searches_small_photos(
    detector: ScratchDetector, tmp_path: Path
) -> None:
    [negative] = mine_hard_negatives(detector, [photo((30, 30, 5), (90, 120, 11))], 1.0, tmp_path)
    assert (negative.y * 121, negative.x * 157) == pytest.approx((90, 120), abs=4)
    photos = [photo((0, 0, 9), height=1, width=1), photo((2, 30, 5), height=5, width=40)]
    found = mine_hard_negatives(detector, photos, 1.0, tmp_path)
    assert {negative.photo for negative in found} == {0, 1}
    wide = next(negative for negative in found if negative.photo == 1)
    assert wide.x * 40 == pytest.approx(30, abs=4)


def test_strongest_false_alarms_come_first_and_at_their_share(
    detector: ScratchDetector, tmp_path: Path
) -> None:
    photos = [photo((60, 80, side)) for side in (5, 15, 3, 9)]
    order = [1, 3, 0, 2]
    for share, count in ((1.0, 4), (0.5, 2), (0.25, 1), (0.0, 0)):
        found = mine_hard_negatives(detector, photos, share, tmp_path)
        assert [negative.photo for negative in found] == order[:count]


def test_photos_without_an_alarm_are_left_out(detector: ScratchDetector, tmp_path: Path) -> None:
    faint = photo((60, 80, 101), red=160)  # a logit of -2.4 in half of the picture
    found = mine_hard_negatives(detector, [photo(), faint, photo((60, 80, 5))], 1.0, tmp_path)
    assert [negative.photo for negative in found] == [2]


def test_hard_negatives_are_cached_for_the_next_run(
    detector: ScratchDetector, tmp_path: Path, calls: list[int]
) -> None:
    photos = [photo((60, 80, 5)), photo(), photo((20, 30, 9))]
    done: list[int] = []
    first = mine_hard_negatives(
        detector, photos, 0.7, tmp_path / "new" / "cache", progress=done.append
    )
    assert done == [1, 2, 3] and len(calls) == 3 and len(first) == 2
    again = mine_hard_negatives(
        detector, photos, 0.7, tmp_path / "new" / "cache", progress=done.append
    )
    assert again == first and all(isinstance(negative, HardNegative) for negative in again)
    assert done == [1, 2, 3] and len(calls) == 3
    assert len(list((tmp_path / "new" / "cache").iterdir())) == 1


def test_nothing_found_is_kept_too(
    detector: ScratchDetector, tmp_path: Path, calls: list[int]
) -> None:
    assert mine_hard_negatives(detector, [photo()], 1.0, tmp_path) == []
    assert mine_hard_negatives(detector, [photo()], 1.0, tmp_path) == [] and len(calls) == 1


def test_a_search_is_made_anew_when_share_photos_or_weights_are_others(
    detector: ScratchDetector, tmp_path: Path, calls: list[int]
) -> None:
    photos = [photo((60, 80, 5)), photo((20, 30, 9))]
    mine_hard_negatives(detector, photos, 1.0, tmp_path)
    mine_hard_negatives(detector, photos, 0.5, tmp_path)
    mine_hard_negatives(detector, photos[::-1], 1.0, tmp_path)
    detector.get_parameter("leave.bias")[0] += 0.1
    mine_hard_negatives(detector, photos, 1.0, tmp_path)
    assert len(calls) == 8 and len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    "damage", [b"", b"[[0, 0.5", b"3", b"[[0]]", b'[["a", 0, 0]]', b'{"a": 1}', b"[1]", b"\xff"]
)
def test_a_damaged_cache_is_made_anew(
    detector: ScratchDetector, tmp_path: Path, calls: list[int], damage: bytes
) -> None:
    photos = [photo((60, 80, 5))]
    first = mine_hard_negatives(detector, photos, 1.0, tmp_path)
    [path] = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(damage)
    assert mine_hard_negatives(detector, photos, 1.0, tmp_path) == first and len(calls) == 2
    assert path.read_bytes() == whole


def test_a_kill_leaves_no_half_cache(
    detector: ScratchDetector, tmp_path: Path, calls: list[int]
) -> None:
    def killed(done: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    photos = [photo((60, 80, 5)), photo((20, 30, 9)), photo()]
    with pytest.raises(KeyboardInterrupt):
        mine_hard_negatives(detector, photos, 1.0, tmp_path, progress=killed)
    assert list(tmp_path.iterdir()) == []
    assert len(mine_hard_negatives(detector, photos, 1.0, tmp_path)) == 2 and len(calls) == 5
