"""Computes features of patches with a fixed filter bank, without weights."""

from __future__ import annotations

import numpy as np

from unfade.eval.images import (
    ROUNDING,
    Image,
    Plane,
    gaussian_kernel,
    luma,
    require_side,
    separable,
)

PATCH = 64  # pixels
OCTAVES = 4
DIRECTIONS = 4
FEATURES = OCTAVES * (DIRECTIONS + 3)

_WAVELENGTH = 4.0  # pixels of the octave's own grid
_SIGMA = 0.56 * _WAVELENGTH  # a bandwidth of one octave
_RADIUS = 6
_BINOMIAL = np.array([1, 4, 6, 4, 1]) / 16
_BLUE, _RED = (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312)  # Cb, Cr of BT.601


def patch_statistics(image: Image) -> Plane:
    """28 logarithmic energies of each patch of 64 x 64 pixels, for `frechet_distance` and such.

    Of luma, at each of four octaves (wavelengths of 4, 8, 16 and 32 pixels): the energy of Gabor
    filters (Daugman, 1985; one octave wide, no response to a flat patch) in four directions, and
    how peaked it is, the logarithm of mean squared energy over squared mean energy: grain gives
    less than edges do. Of Cb and Cr: the energy of each octave's detail. Tone, cast and content
    count little; grain, blur, blocks and stripes much.

    Args:
        image: (H, W, 3) [0, 1].

    Returns:
        (N, 28): natural logarithms, one row for each whole patch from the upper left corner.

    Raises:
        InputError: a side has fewer than 64 pixels.
    """
    require_side(image, PATCH, "patch statistics")
    height, width = (side // PATCH * PATCH for side in image.shape[:2])
    cropped = image[:height, :width]
    gray, colours = luma(cropped), cropped.astype(np.float64) @ np.array([_BLUE, _RED]).T
    columns: list[Plane] = []
    for octave in range(OCTAVES):
        side = PATCH >> octave
        energy = _gabor_energies(gray)  # (h, w, directions)
        columns.append(np.log(_patch_means(energy, side) + ROUNDING))
        columns.append(_peakedness(energy.sum(2), side))
        smooth = _smoothed(colours)
        columns.append(np.log(_patch_means(np.square(colours - smooth), side) + ROUNDING))
        gray, colours = _smoothed(gray)[::2, ::2], smooth[::2, ::2]
    return np.concatenate(columns, 1)


def _gabor_energies(gray: Plane) -> Plane:
    """Squared modulus of the complex Gabor responses: (h, w) -> (h, w, 4)."""
    x = np.arange(-_RADIUS, _RADIUS + 1)
    envelope = gaussian_kernel(_RADIUS, _SIGMA)
    mean = separable(gray, envelope, envelope)
    energies: list[Plane] = []
    for direction in range(DIRECTIONS):
        angle = np.pi * direction / DIRECTIONS
        wave = 2 * np.pi / _WAVELENGTH
        phase_x, phase_y = wave * np.cos(angle) * x, wave * np.sin(angle) * x
        cos_x, sin_x = envelope * np.cos(phase_x), envelope * np.sin(phase_x)
        cos_y, sin_y = envelope * np.cos(phase_y), envelope * np.sin(phase_y)
        even = separable(gray, cos_x, cos_y) - separable(gray, sin_x, sin_y)
        odd = separable(gray, sin_x, cos_y) + separable(gray, cos_x, sin_y)
        even -= mean * (cos_x.sum() * cos_y.sum())  # a flat patch gives nothing
        energies.append(even * even + odd * odd)
    return np.stack(energies, 2)


def _peakedness(energy: Plane, side: int) -> Plane:
    """(h, w) -> (N, 1): log of mean square over squared mean, 0 for an even energy."""
    mean = _patch_means(energy[..., None], side) + ROUNDING
    square = _patch_means(np.square(energy + ROUNDING)[..., None], side)
    return np.log(square / np.square(mean))


def _patch_means(values: Plane, side: int) -> Plane:
    """(h, w, C) -> (N, C)."""
    height, width, channels = values.shape
    grid = values.reshape(height // side, side, width // side, side, channels)
    return grid.mean((1, 3)).reshape(-1, channels)


def _smoothed(values: Plane) -> Plane:
    return separable(values, _BINOMIAL, _BINOMIAL)
