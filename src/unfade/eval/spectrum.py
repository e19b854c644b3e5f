"""Computes radial power spectra and the distance between two of them."""

from __future__ import annotations

import numpy as np

from unfade.eval.images import ROUNDING, Image, Plane, luma, require_same_size, require_side

BINS = 32
MIN_SIDE = 2 * BINS


def radial_spectrum(image: Image, bins: int = BINS) -> Plane:
    """Power of the luma's frequencies, averaged over all directions (Durall et al., 2020, Eq. 4).

    The mean is taken away and a Hann window laid on, so that borders do not count as edges.

    Args:
        image: (H, W, 3) [0, 1].
        bins: rings of equal width from 0 to 0.5 cycles a pixel.

    Returns:
        (bins,) power per pixel, lowest frequencies first. White noise of deviation s gives s^2 in
        every ring.

    Raises:
        InputError: a side has fewer than two pixels a ring.
    """
    require_side(image, 2 * bins, "the spectrum")
    gray = luma(image)  # (H, W)
    height, width = gray.shape
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    mean = np.sum(gray * window) / window.sum()
    power = np.abs(np.fft.rfft2((gray - mean) * window)) ** 2 / np.square(window).sum()
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))  # (H, W / 2 + 1)
    ring = (radius * 2 * bins).astype(np.int64).ravel()
    inside = ring < bins
    total = np.bincount(ring[inside], power.ravel()[inside], bins)
    return total / np.bincount(ring[inside], minlength=bins)


def spectrum_distance(image: Image, target: Image) -> float:
    """Log-spectral distance of two radial spectra, dB: 0 for equal ones.

    The root mean square, over the rings, of 10 log10 of the ratio of powers; the power of 8-bit
    rounding is added to both, so that a smooth ring is not infinitely far from an empty one.

    Args:
        image, target: (H, W, 3) [0, 1].

    Raises:
        InputError: the sizes differ, or a side has fewer than 64 pixels.
    """
    require_same_size(image, target)
    ratio = (radial_spectrum(image) + ROUNDING) / (radial_spectrum(target) + ROUNDING)
    return float(np.sqrt(np.mean(np.square(10 * np.log10(ratio)))))
