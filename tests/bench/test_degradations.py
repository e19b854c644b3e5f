from __future__ import annotations

import numpy as np
import pytest

from unfade.bench.degradations import degraded, scale_of
from unfade.degrade.joint import blurred
from unfade.errors import UsageError
from unfade.rng import generator


@pytest.fixture
def photo() -> np.ndarray:
    """(64, 96, 3), smooth."""
    y, x = np.mgrid[:64, :96].astype(np.float32)
    waves = (0.5 + 0.3 * np.sin(x / 9 + y / 7), 0.5 + 0.2 * np.cos(x / 8), 0.4 + y / 200)
    return np.stack([np.broadcast_to(w, x.shape) for w in waves], 2).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("clean", (64, 96, 3)),
        ("gray", (64, 96, 1)),
        ("blur5", (64, 96, 3)),
        ("sr2", (32, 48, 3)),
        ("sr4", (16, 24, 3)),
        ("real-sr4", (16, 24, 3)),
        ("moderate", (64, 96, 3)),
        ("noise+blur", (64, 96, 3)),
        ("motion+impulse", (64, 96, 3)),
        ("stripes+levels", (64, 96, 3)),
        ("noise0.1", (64, 96, 3)),
        ("blur2+sr4+noise0.05", (16, 24, 3)),
    ],
)
def test_every_damage_has_its_size_and_is_the_same_again(
    photo: np.ndarray, name: str, shape: tuple[int, ...]
) -> None:
    first, hq = degraded(photo, name, generator(3, "test"))
    again, _ = degraded(photo, name, generator(3, "test"))
    assert first.shape == shape and hq.shape == photo.shape
    assert np.array_equal(first, again)
    assert first.min() >= 0 and first.max() <= 1
    assert photo.shape[0] // first.shape[0] == scale_of(name)


def test_more_blur_is_further_away(photo: np.ndarray) -> None:
    far = [float(np.abs(blurred(photo, level) - photo).mean()) for level in (0, 5, 20, 60)]
    assert far[0] == 0 and far == sorted(far)


@pytest.mark.parametrize("name", ["blur", "sr3", "rain", "", "sr2+blur2", "sr2+sr2"])
def test_an_unknown_damage_is_an_error(photo: np.ndarray, name: str) -> None:
    with pytest.raises(UsageError, match="degradation"):
        degraded(photo, name, generator(0, "test"))
