from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, special

from unfade.degrade import kernels

SIZES = st.sampled_from([3, 7, 9, 13, 21])
SIGMAS = st.floats(0.2, 5.0)
ANGLES = st.floats(0.0, math.pi)


@settings(max_examples=40, deadline=None)
@given(size=SIZES, sx=SIGMAS, sy=SIGMAS, theta=ANGLES, beta=st.floats(0.5, 4.0))
def test_kernels_are_odd_sum_to_one_and_look_alike_upside_down(
    size: int, sx: float, sy: float, theta: float, beta: float
) -> None:
    for kernel in (
        kernels.gaussian(size, sx, sy, theta),
        kernels.generalised_gaussian(size, sx, sy, theta, beta),
        kernels.plateau(size, sx, sy, theta, beta),
    ):
        assert kernel.shape == (size, size) and kernel.dtype == np.float32
        assert kernel.sum() == pytest.approx(1, abs=1e-5)
        assert kernel.min() >= 0
        np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-7)


def test_gaussian_is_that_of_scipy_and_long_along_theta() -> None:
    dot = np.zeros((31, 31))
    dot[15, 15] = 1
    expected = ndimage.gaussian_filter(dot, 1.7, truncate=15 / 1.7)
    np.testing.assert_allclose(kernels.gaussian(31, 1.7, 1.7), expected, atol=1e-5)
    kernel = kernels.gaussian(21, 4.0, 1.0, 0.0)
    y, x = np.mgrid[-10:11, -10:11]
    assert (kernel * x**2).sum() > 6 * (kernel * y**2).sum()
    turned = kernels.gaussian(21, 4.0, 1.0, math.pi / 2)
    np.testing.assert_allclose(turned, kernel.T, atol=1e-6)
    np.testing.assert_array_equal(
        kernels.generalised_gaussian(9, 1.2, 2.0, 0.4, 1.0), kernels.gaussian(9, 1.2, 2.0, 0.4)
    )


@pytest.mark.parametrize("size", [7, 13, 21])
@pytest.mark.parametrize("cutoff", [math.pi / 5, 1.5, 2.2, 3.141])
def test_sinc_matches_the_bessel_function(size: int, cutoff: float) -> None:
    r = size // 2
    y, x = np.mgrid[-r : r + 1, -r : r + 1]
    d = np.hypot(x, y)
    cutoff = round(cutoff, 3)
    with np.errstate(invalid="ignore"):
        expected = cutoff * special.j1(cutoff * d) / (2 * math.pi * d)
    expected[r, r] = cutoff**2 / (4 * math.pi)
    expected /= expected.sum()
    np.testing.assert_allclose(kernels.sinc(size, cutoff), expected, atol=1e-6)


def test_sinc_cannot_be_spoilt_and_has_numbers_when_the_cutoff_is_tiny() -> None:
    kernel = kernels.sinc(7, 2.0)
    with pytest.raises(ValueError, match="read-only"):
        kernel[0, 0] = 5
    assert np.isfinite(kernels.sinc(7, 1e-6)).all()


@pytest.mark.parametrize(("sigma", "size"), [(0.1, 3), (1.0, 7), (1.1, 9), (10.0, 61)])
def test_size_for_holds_three_sigma(sigma: float, size: int) -> None:
    assert kernels.size_for(sigma) == size


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 200, 3), (40, 30, 3), (40, 30)])
def test_apply_keeps_a_flat_picture(shape: tuple[int, ...]) -> None:
    flat = np.full(shape, 0.4, np.float32)
    out = kernels.apply(flat, kernels.gaussian(21, 3.0, 1.0, 0.7))
    assert out.shape == shape and out.dtype == np.float32
    np.testing.assert_allclose(out, flat, atol=1e-5)
