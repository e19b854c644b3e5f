"""Computes alignment: how similar the content of two pictures is, as a number and as a map.

After the study "Are conditional latent diffusion models effective for image restoration?" (arXiv
2412.09324, Eq. 13 to 15): where damage is light, the output is compared with the clean photo; where
it is heavy, the output is degraded again as the input was, and compared with the input. The
equations themselves were not available. Computed here are:

- the similarity of two cells of the grid: the cosine between their features;
- the number: the mean over the least similar 2 % of the cells, since invented content is local and
  would vanish in the mean over all (`TAIL`; 1 gives the mean over all).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.errors import InputError

Image = NDArray[np.float32]  # (H, W, 3) sRGB [0, 1]
Features = NDArray[np.float32]  # (h, w, D), at least one cell
Map = NDArray[np.float32]  # (H, W) [-1, 1]

TAIL = 0.02  # the share of least similar cells that is averaged


class Encoder(Protocol):
    """Turns a picture into features on a grid that covers it evenly.

    Two pictures of one size get grids of one size.
    """

    def __call__(self, image: Image) -> Features:
        """(H, W, 3) sRGB [0, 1] -> (h, w, D)."""
        ...


def similarity(first: Features, second: Features) -> Map:
    """Cosine between the features of each cell: (h, w, D) twice -> (h, w) [-1, 1].

    It is 1 for two cells whose features are all 0, and 0 where one of them is.
    """
    norms = np.linalg.norm(first, axis=2) * np.linalg.norm(second, axis=2)  # (h, w)
    cosine = np.einsum("hwd,hwd->hw", first, second) / np.maximum(norms, 1e-12)
    empty = ~first.any(2) & ~second.any(2)
    return np.where(empty, 1, np.clip(cosine, -1, 1)).astype(np.float32)


def similarity_grid(output: Image, target: Image, encoder: Encoder) -> Map:
    """The similarity of each cell of the encoder's grid: (h, w) [-1, 1].

    Raises:
        InputError: the sizes differ.
    """
    if output.shape != target.shape:
        got, expected = (f"{i.shape[1]} x {i.shape[0]} pixels" for i in (output, target))
        raise InputError(got, f"{expected} as the other has", "give pictures of one size")
    return similarity(encoder(output), encoder(target))


def alignment(output: Image, target: Image, encoder: Encoder, *, tail: float = TAIL) -> float:
    """The similarity of the content of output and target, [-1, 1]; 1 for equal pictures.

    Args:
        output: (H, W, 3) sRGB [0, 1].
        target: the clean photo, of the same size.
        encoder: gives the features that are compared.
        tail: share of the cells, the least similar ones, that is averaged; in (0, 1].

    Raises:
        InputError: the sizes differ.
    """
    return tail_mean(similarity_grid(output, target, encoder), tail)


def degraded_alignment(
    output: Image, lq: Image, degrade: Callable[[Image], Image], encoder: Encoder, *,
    tail: float = TAIL,
) -> float:  # fmt: skip
    """Alignment for heavy damage: the output is degraded as the input was, and compared with it.

    It needs no clean photo. The degradation must be known with its random part; otherwise the
    similarity of two different noises is measured.

    Args:
        output: (H, W, 3) sRGB [0, 1].
        lq: (h, w, 3), the damaged input.
        degrade: output -> (h, w, 3), the degradation that made `lq` of the clean photo.
        encoder, tail: as `alignment` has them.

    Raises:
        InputError: the damaged output has another size than the input.
    """
    return alignment(degrade(output), lq, encoder, tail=tail)


def alignment_map(output: Image, target: Image, encoder: Encoder) -> Map:
    """The similarity around each pixel: (H, W) [-1, 1], low where the content differs.

    Args:
        output, target, encoder: as `alignment` has them.

    Raises:
        InputError: the sizes differ.
    """
    places = similarity_grid(output, target, encoder)
    size = output.shape[1], output.shape[0]
    large = cv2.resize(places, size, interpolation=cv2.INTER_LINEAR)
    return large.astype(np.float32, copy=False)


def tail_mean(places: Map, tail: float = TAIL) -> float:
    """The mean of the lowest `tail` of all values, of one at least."""
    values = places.ravel()
    count = max(1, math.ceil(tail * values.size))
    return float(np.partition(values, count - 1)[:count].mean())
