from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from unfade.degrade import ops
from unfade.degrade.types import Image

MakeImage = Callable[..., Image]

NOISES: dict[str, Callable[[Image, np.random.Generator], Image]] = {
    "gaussian": lambda x, rng: ops.gaussian_noise(x, 0.05, False, rng),
    "gaussian gray": lambda x, rng: ops.gaussian_noise(x, 0.05, True, rng),
    "poisson": lambda x, rng: ops.poisson_noise(x, 0.01, False, rng),
    "poisson gray": lambda x, rng: ops.poisson_noise(x, 0.01, True, rng),
    "grain": lambda x, rng: ops.film_grain(x, 0.05, 0.8, rng),
}
PLAIN: dict[str, Callable[[Image], Image]] = {
    "jpeg": lambda x: ops.jpeg(x, 60),
    "jpeg 4:4:4": lambda x: ops.jpeg(x, 60, subsample=False),
    "halftone": lambda x: ops.halftone(x, 3.0, 0.5, 0.6),
    "sharper": lambda x: ops.unsharp_mask(x, 1.0, 0.8),
    "same size": lambda x: ops.resize(x, x.shape[0], x.shape[1], "area"),
}
SIZES = [(64, 80), (1, 1), (1, 200), (200, 1)]


def check(before: Image, kept: Image, after: Image) -> None:
    """The result is a picture, and the input is what it was."""
    assert after.shape == before.shape and after.dtype == np.float32
    assert np.isfinite(after).all() and after.min() >= 0 and after.max() <= 1
    np.testing.assert_array_equal(before, kept)


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("size", SIZES)
def test_noise_is_pure_when_the_generator_is_given(
    picture: MakeImage, name: str, size: tuple[int, int]
) -> None:
    image = picture(*size)
    kept = image.copy()
    a = NOISES[name](image, np.random.default_rng(1))
    check(image, kept, a)
    np.testing.assert_array_equal(a, NOISES[name](image, np.random.default_rng(1)))
    assert not np.array_equal(a, NOISES[name](image, np.random.default_rng(2)))


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("size", SIZES)
def test_plain_operations_are_pure(picture: MakeImage, name: str, size: tuple[int, int]) -> None:
    image = picture(*size)
    kept = image.copy()
    a = PLAIN[name](image)
    check(image, kept, a)
    np.testing.assert_array_equal(a, PLAIN[name](image))


@pytest.mark.parametrize("gray", [False, True])
def test_gaussian_noise_has_the_deviation_asked_for(gray: bool) -> None:
    flat = np.full((200, 200, 3), 0.5, np.float32)
    noise = ops.gaussian_noise(flat, 0.06, gray, np.random.default_rng(0)) - flat
    assert noise.std() == pytest.approx(0.06, rel=0.03)
    assert np.allclose(noise[..., 0], noise[..., 2]) == gray


@pytest.mark.parametrize("level", [0.1, 0.4, 0.7])
def test_poisson_noise_grows_with_the_light(level: float) -> None:
    flat = np.full((200, 200, 3), level, np.float32)
    noise = ops.poisson_noise(flat, 0.004, False, np.random.default_rng(0)) - flat
    assert noise.var() == pytest.approx(0.004 * level, rel=0.1)


def test_film_grain_is_gray_strongest_in_the_midtones_and_small_on_one_pixel() -> None:
    deviations: list[float] = []
    for level in (0.1, 0.5, 0.9):
        flat = np.full((200, 200, 3), level, np.float32)
        noise = ops.film_grain(flat, 0.03, 1.0, np.random.default_rng(0)) - flat
        np.testing.assert_allclose(noise[..., 0], noise[..., 1], atol=1e-6)
        deviations.append(float(noise.std()))
    assert deviations[1] == pytest.approx(0.03, rel=0.05)
    assert deviations[1] > 1.4 * max(deviations[0], deviations[2])
    dot = np.full((1, 1, 3), 0.5, np.float32)
    out = [ops.film_grain(dot, 0.02, 1.0, np.random.default_rng(i)) - dot for i in range(50)]
    assert float(np.abs(out).max()) < 0.1


@pytest.mark.parametrize("subsample", [False, True])
def test_jpeg_gets_better_with_quality(picture: MakeImage, subsample: bool) -> None:
    noisy = ops.gaussian_noise(picture(96, 96), 0.05, False, np.random.default_rng(0))
    errors = [
        float(np.square(ops.jpeg(noisy, q, subsample) - noisy).mean()) for q in (5, 25, 60, 97)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 4 * errors[-1]


def test_jpeg_keeps_colour_detail_when_it_is_not_subsampled(picture: MakeImage) -> None:
    image = np.zeros((64, 64, 3), np.float32)
    image[:, ::2, 0] = 1
    sharp, soft = ops.jpeg(image, 95, subsample=False), ops.jpeg(image, 95, subsample=True)
    assert np.square(sharp - image).mean() < 0.2 * np.square(soft - image).mean()


@pytest.mark.parametrize("mode", ["area", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("size", [(7, 9), (1, 1), (120, 33)])
def test_resize_gives_the_size_asked_for(
    picture: MakeImage, mode: str, size: tuple[int, int]
) -> None:
    out = ops.resize(picture(), *size, mode)
    assert out.shape == (*size, 3) and out.dtype == np.float32
    assert out.min() >= 0 and out.max() <= 1


def test_unsharp_mask_steepens_edges_and_a_halftone_of_no_amount_changes_nothing(
    picture: MakeImage,
) -> None:
    edge = np.full((20, 40, 3), 0.3, np.float32)
    edge[:, 20:] = 0.6
    plain, sharp = (ops.unsharp_mask(edge, 1.0, amount) for amount in (0.0, 0.8))
    np.testing.assert_allclose(plain, edge, atol=1e-6)
    assert sharp[10, 20, 0] > 0.65 and sharp[10, 19, 0] < 0.25
    np.testing.assert_allclose(sharp[:, [5, 35]], edge[:, [5, 35]], atol=1e-4)
    np.testing.assert_array_equal(ops.halftone(picture(), 3.0, 0.3, 0.0), picture())
