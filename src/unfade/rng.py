"""Makes random generators that depend on a name and an index, not on what ran before."""

from __future__ import annotations

import zlib

import numpy as np


def generator(seed: int, stream: str, index: int = 0) -> np.random.Generator:
    """A CPU generator for one sample of one stream of randomness.

    The same (seed, stream, index) gives the same numbers at any batch size, in any order and
    in any process.

    Args:
        seed: the run's seed, >= 0.
        stream: what the numbers are for ("train", "noise", ...).
        index: the sample's or image's number, >= 0.
    """
    return np.random.default_rng([seed, zlib.crc32(stream.encode()), index])
