"""Alignment: how similar the content of two pictures is, as a number and as a map.

After the study "Are conditional latent diffusion models effective for image restoration?" (arXiv
2412.09324, Eq. 13 to 15): where damage is light, the output is compared with the clean photo; where
it is heavy, the output is damaged again as the input was, and compared with the input. The text of
the equations was not at hand. What is computed here:

- the similarity of two places is the cosine between their features;
- the number is the mean over the least similar fiftieth of the places, since a restorer invents
  in places, and the mean over all would drown them (`TAIL`; 1 gives the mean over all).
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
Features = NDArray[np.float32]  # (h, w, D), at least one place
Map = NDArray[np.float32]  # (H, W) [-1, 1]

TAIL = 0.02  # the share of places that the number is the mean of


class Encoder(Protocol):
    """Turns a picture into features on a grid that covers it evenly.

    Two pictures of one size get grids of one size.
    """

    def __call__(self, image: Image) -> Features:
        """(H, W, 3) sRGB [0, 1] -> (h, w, D)."""
        ...


def similarity(first: Features, second: Features) -> Map:
    """Cosine between the features of each place: (h, w, D) twice -> (h, w) [-1, 1].

    A place without any feature is equal to another such place, and unlike all others.
    """
    norms = np.linalg.norm(first, axis=2) * np.linalg.norm(second, axis=2)  # (h, w)
    cosine = np.einsum("hwd,hwd->hw", first, second) / np.maximum(norms, 1e-12)
    empty = ~first.any(2) & ~second.any(2)
    return np.where(empty, 1, np.clip(cosine, -1, 1)).astype(np.float32)


def place_map(output: Image, target: Image, encoder: Encoder) -> Map:
    """The similarity of each place of the encoder's grid: (h, w) [-1, 1].

    Raises:
        InputError: the sizes differ.
    """
    if output.shape != target.shape:
        got, expected = (f"{i.shape[1]} x {i.shape[0]} pixels" for i in (output, target))
        raise InputError(got, f"{expected} as the other has", "give pictures of one size")
    return similarity(encoder(output), encoder(target))


def alignment(output: Image, target: Image, encoder: Encoder, *, tail: float = TAIL) -> float:
    """How far the output shows what the target shows, [-1, 1]; 1 for equal pictures.

    Args:
        output: (H, W, 3) sRGB [0, 1].
        target: the clean photo, of the same size.
        encoder: gives the features that are compared.
        tail: share of the places, the least similar ones, that is averaged; in (0, 1].

    Raises:
        InputError: the sizes differ.
    """
    return pooled(place_map(output, target, encoder), tail)


def degraded_alignment(
    output: Image, lq: Image, degrade: Callable[[Image], Image], encoder: Encoder, *,
    tail: float = TAIL,
) -> float:  # fmt: skip
    """Alignment for heavy damage: the output, damaged as the input was, against the input.

    It needs no clean photo. The damage must be known, its random part included: of two different
    noises it is the similarity that is measured.

    Args:
        output: (H, W, 3) sRGB [0, 1].
        lq: (h, w, 3), the damaged input.
        degrade: output -> (h, w, 3), what made `lq` of the clean photo.
        encoder, tail: as `alignment` has them.

    Raises:
        InputError: the damaged output has another size than the input.
    """
    return alignment(degrade(output), lq, encoder, tail=tail)


def alignment_map(output: Image, target: Image, encoder: Encoder) -> Map:
    """The similarity around each pixel: (H, W) [-1, 1], low where other content stands.

    Args:
        output, target, encoder: as `alignment` has them.

    Raises:
        InputError: the sizes differ.
    """
    places = place_map(output, target, encoder)
    size = output.shape[1], output.shape[0]
    large = cv2.resize(places, size, interpolation=cv2.INTER_LINEAR)
    return large.astype(np.float32, copy=False)


def pooled(places: Map, tail: float = TAIL) -> float:
    """The mean of the lowest `tail` of all values, of one at least."""
    values = places.ravel()
    count = max(1, math.ceil(tail * values.size))
    return float(np.partition(values, count - 1)[:count].mean())
