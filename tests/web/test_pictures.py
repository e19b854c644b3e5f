from __future__ import annotations

import numpy as np

from unfade.web import pictures


def test_heat_shows_the_photo_where_both_agree_and_glows_where_they_do_not() -> None:
    before = np.full((20, 30, 3), 200, np.uint8)
    places = np.ones((20, 30), np.float32)
    places[:, 10:20], places[:, 20:] = 0.9, -1
    heat = pictures.heat_map(before, places).astype(int)
    assert (heat[:, :10] == 140).all()
    assert (heat[:, 10:20, 0] > heat[:, 10:20, 2] + 50).all()
    assert (heat[:, 20:].sum(axis=2) > heat[:, 10:20].sum(axis=2).max()).all()


def test_change_is_counted_in_the_photos_size() -> None:
    before = np.full((20, 30, 3), 100, np.uint8)
    after = np.repeat(np.repeat(before, 2, 0), 2, 1)
    after[:, :30] = 130
    change, share = pictures.change_map(before, after)
    assert change.shape == before.shape and share == 0.5
