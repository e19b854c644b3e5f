"""Draws things that look like damage but are none (text, frames, twigs) on clean photos."""

from __future__ import annotations

import math

import cv2
import numpy as np

from unfade.degrade.strokes import Stroke, branching, draw
from unfade.degrade.types import Image, extent

_FONTS = [
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
]
_LETTERS = list("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,-&'")


def _text(image: Image, rng: np.random.Generator) -> Image:
    h, w = extent(image)
    colour = rng.choice([0.02, 0.15, 0.85, 0.97]) + rng.normal(0, 0.03, 3)
    scale = float(rng.uniform(0.35, 1.3))
    ink = np.zeros((h, w), np.uint8)
    for line in range(int(rng.integers(1, 4))):
        words = "".join(rng.choice(_LETTERS, int(rng.integers(4, 18))))
        at = (int(rng.uniform(-0.1, 0.6) * w), int(rng.uniform(0.1, 0.9) * h + 30 * scale * line))
        font, thick = _FONTS[rng.integers(4)], int(rng.integers(1, 3))
        cv2.putText(ink, words, at, font, scale, (255,), thick, cv2.LINE_AA)
    alpha = ink.astype(np.float32)[..., None] / 255
    return np.clip(image + alpha * (colour.astype(np.float32) - image), 0, 1)


def _twigs(image: Image, rng: np.random.Generator) -> Image:
    """Dark branches against the picture, thick enough to have a body and a taper."""
    h, w = extent(image)
    strokes: list[Stroke] = []
    for _ in range(int(rng.integers(1, 4))):
        start = (rng.uniform(0, w), float(h) if rng.random() < 0.7 else rng.uniform(0, h))
        angle = -math.pi / 2 + rng.normal(0, 0.6)
        strokes += branching(rng, start, angle, rng.uniform(60, 200), 7, rng.uniform(2, 7), 0.15, 3)
    alpha = draw(strokes, h, w)[..., None]
    return np.asarray(image + alpha * (rng.uniform(0.02, 0.25) - image), np.float32)


def _frame(image: Image, rng: np.random.Generator) -> Image:
    """The white, cream or dark border that many prints have, with its straight, clean edge."""
    h, w = extent(image)
    out = image.copy()
    value = rng.choice([0.97, 0.9, 0.8, 0.06]) + rng.normal(0, 0.01, 3)
    if rng.random() < 0.4:
        value = value - np.array([0, 0.02, 0.08]) * rng.uniform(0, 1.5)
    b = int(math.exp(rng.uniform(math.log(3), math.log(max(3, 0.35 * min(h, w))))))
    noise = rng.normal(0, rng.uniform(0, 0.012), (h, w, 1))
    sides = rng.random(4) < 0.5
    for on, region in zip(
        sides,
        [np.s_[:b], np.s_[max(0, h - b) :], np.s_[:, :b], np.s_[:, max(0, w - b) :]],
        strict=True,
    ):
        if on:
            out[region] = value + noise[region]
    return np.clip(out, 0, 1)


def _oval(image: Image, rng: np.random.Generator) -> Image:
    """The mat or the vignette of a studio portrait: an ellipse, with a hard or a soft edge."""
    h, w = extent(image)
    y, x = np.mgrid[:h, :w].astype(np.float32)
    cx, cy = rng.uniform(0.2, 0.8) * w, rng.uniform(0.2, 0.8) * h
    rx, ry = rng.uniform(0.45, 1.1) * w, rng.uniform(0.45, 1.1) * h
    soft = rng.choice([0.004, 0.03, 0.12])
    past = np.hypot((x - cx) / rx, (y - cy) / ry) - 1
    alpha = (1 / (1 + np.exp(-np.clip(past / soft, -30, 30))))[..., None].astype(np.float32)
    value = rng.choice([0.97, 0.85, 0.3, 0.04]) + rng.normal(0, 0.01, 3).astype(np.float32)
    return np.clip(image + alpha * (value.astype(np.float32) - image), 0, 1)


def distract(image: Image, rng: np.random.Generator) -> Image:
    """Adds text, twigs, a frame or an oval mat to about a quarter of the photos.

    Args:
        image: (H, W, 3) float32, sRGB [0, 1].
    """
    roll = rng.random()
    if roll < 0.10:
        return _text(image, rng)
    if roll < 0.16:
        return _twigs(image, rng)
    if roll < 0.24:
        return _frame(image, rng)
    if roll < 0.28:
        return _oval(image, rng)
    return image
