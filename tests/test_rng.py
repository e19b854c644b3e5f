from __future__ import annotations

import numpy as np
import pytest

from unfade.rng import generator


def test_generator_gives_the_same_numbers_in_every_version() -> None:
    drawn = generator(0, "order", 1).integers(0, 1000, 5).tolist()
    assert drawn == [712, 952, 789, 235, 37]
    a, b = generator(3, "pair", 7), generator(3, "pair", 7)
    np.testing.assert_array_equal(a.random(16), b.random(16))


@pytest.mark.parametrize("other", [(4, "pair", 7), (3, "order", 7), (3, "pair", 8)])
def test_generator_differs_when_seed_stream_or_index_differs(other: tuple[int, str, int]) -> None:
    assert not np.array_equal(generator(3, "pair", 7).random(4), generator(*other).random(4))


def test_generator_takes_large_indices() -> None:
    drawn = {float(generator(0, "pair", (1 << 40) + i).random()) for i in range(100)}
    assert len(drawn) == 100


def test_generators_of_neighbours_are_unrelated() -> None:
    first = np.array([generator(0, "pair", i).random() for i in range(2000)])
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.1
    assert abs(first.mean() - 0.5) < 0.05
