"""Makes blur kernels, each of odd size and with the sum one."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Kernel = NDArray[np.float32]


def _grid(size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r = size // 2
    y, x = np.mgrid[-r : r + 1, -r : r + 1].astype(np.float64)
    return x, y


def _normalised(k: NDArray[np.float64]) -> Kernel:
    return (k / k.sum()).astype(np.float32)


def _quadratic(size: int, sigma_x: float, sigma_y: float, theta: float) -> NDArray[np.float64]:
    x, y = _grid(size)
    c, s = math.cos(theta), math.sin(theta)
    u, v = c * x + s * y, -s * x + c * y
    return (u / sigma_x) ** 2 + (v / sigma_y) ** 2


def size_for(sigma: float) -> int:
    """The smallest odd kernel size, in pixels, that holds three sigma on either side."""
    return 2 * max(1, math.ceil(3 * sigma)) + 1


def gaussian(size: int, sigma_x: float, sigma_y: float, theta: float = 0.0) -> Kernel:
    """Anisotropic Gaussian; sigmas in pixels, theta in radians."""
    return _normalised(np.exp(-0.5 * _quadratic(size, sigma_x, sigma_y, theta)))


def generalised_gaussian(
    size: int, sigma_x: float, sigma_y: float, theta: float, beta: float
) -> Kernel:
    """exp(-0.5 q^beta): beta < 1 is peaked, > 1 is flat (Real-ESRGAN, arXiv 2107.10833, 3.2)."""
    return _normalised(np.exp(-0.5 * _quadratic(size, sigma_x, sigma_y, theta) ** beta))


def plateau(size: int, sigma_x: float, sigma_y: float, theta: float, beta: float) -> Kernel:
    """1 / (1 + q^beta), the plateau-shaped kernel (Real-ESRGAN, arXiv 2107.10833, 3.2)."""
    return _normalised(1.0 / (1.0 + _quadratic(size, sigma_x, sigma_y, theta) ** beta))


@lru_cache(maxsize=512)
def _sinc(size: int, cutoff_mrad: int) -> Kernel:
    w = cutoff_mrad / 1000
    x, y = _grid(size)
    r = np.hypot(x, y)
    # J1 by its integral form: J1(z) = 1/pi int_0^pi cos(tau - z sin tau) dtau
    tau = (np.arange(64) + 0.5) * math.pi / 64
    z = w * np.where(r == 0, 1.0, r)
    j1 = np.cos(tau - z[..., None] * np.sin(tau)).mean(-1)
    k = np.where(r == 0, w * w / (4 * math.pi), w * j1 / (2 * math.pi * np.where(r == 0, 1, r)))
    kernel = _normalised(k)
    kernel.flags.writeable = False  # it is shared by all callers
    return kernel


def sinc(size: int, cutoff: float) -> Kernel:
    """Circular low-pass filter that rings (Real-ESRGAN, arXiv 2107.10833, Eq. 6).

    Args:
        cutoff: angular frequency in radians per pixel, (0, pi].
    """
    return _sinc(size, max(1, round(1000 * cutoff)))


def apply(image: NDArray[np.float32], kernel: Kernel) -> NDArray[np.float32]:
    """Filters an (H, W) or (H, W, C) image, mirroring at the borders."""
    return np.asarray(cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT), np.float32)
