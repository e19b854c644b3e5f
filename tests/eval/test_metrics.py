"""Metrics against independent implementations and by their properties."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.data import astronaut
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from unfade.errors import InputError
from unfade.eval import metrics


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.ascontiguousarray(astronaut()[::4, ::4], np.float32) / np.float32(255)


def noisy(photo: np.ndarray, sigma: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.clip(photo + sigma * rng.standard_normal(photo.shape), 0, 1).astype(np.float32)


def test_psnr_equals_scikit_image_and_is_infinite_for_equal_images(photo: np.ndarray) -> None:
    image = noisy(photo, 0.05)
    expected = peak_signal_noise_ratio(photo, image, data_range=1.0)
    assert metrics.psnr(image, photo) == pytest.approx(expected, abs=1e-4)
    assert metrics.psnr(photo, photo) == float("inf")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(11, 11), (40, 57)])
def test_ssim_equals_scikit_image(photo: np.ndarray, channels: int, size: tuple[int, int]) -> None:
    target = np.ascontiguousarray(photo[: size[0], : size[1], :channels])
    image = noisy(target, 0.1)
    expected = structural_similarity(
        image.astype(np.float64),
        target.astype(np.float64),
        data_range=1.0,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert metrics.ssim(image, target) == pytest.approx(expected, abs=1e-9)


def test_ssim_is_one_symmetric_and_needs_its_window(photo: np.ndarray) -> None:
    image = noisy(photo, 0.1)
    assert metrics.ssim(photo, photo) == pytest.approx(1)
    assert metrics.ssim(image, photo) == pytest.approx(metrics.ssim(photo, image))
    with pytest.raises(InputError, match="at least 11"):
        metrics.ssim(photo[:10], photo[:10])


@pytest.mark.parametrize("metric", [metrics.psnr, metrics.ssim])
def test_metric_falls_when_noise_grows_and_refuses_another_size(metric, photo: np.ndarray) -> None:
    values = [metric(noisy(photo, sigma), photo) for sigma in (0.01, 0.05, 0.2)]
    assert values == sorted(values, reverse=True)
    with pytest.raises(InputError, match="as its reference has"):
        metric(photo[:-1], photo)


def test_aligned_undoes_an_affine_change_of_each_channel_and_is_never_worse(
    photo: np.ndarray,
) -> None:
    changed = photo * np.array([0.5, 0.7, 0.3], np.float32) + np.array([0.1, 0.0, 0.4], np.float32)
    assert metrics.psnr(metrics.aligned(changed, photo), photo) > 90
    image = noisy(photo, 0.1) * np.float32(0.8)
    assert metrics.psnr(metrics.aligned(image, photo), photo) >= metrics.psnr(image, photo)
    flat = np.full_like(photo, 0.3)
    assert np.allclose(metrics.aligned(flat, photo).mean((0, 1)), photo.mean((0, 1)), atol=1e-4)


def test_f1_counts_as_scikit_learn_would_and_forgives_one_pixel_only_with_tolerance() -> None:
    mask = np.zeros((20, 20), bool)
    mask[5:8] = True
    assert metrics.pooled_f1(metrics.f1(mask, mask)) == (1.0, 1.0, pytest.approx(1.0))
    true, found = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    true[10], found[11] = True, True
    assert metrics.pooled_f1(metrics.f1(found, true))[2] == pytest.approx(0.0)
    assert metrics.pooled_f1(metrics.f1(found, true, 1))[2] == pytest.approx(1.0)
    rng = np.random.default_rng(1)
    true, found = rng.random((50, 50)) < 0.2, rng.random((50, 50)) < 0.3
    tp = (true & found).sum()
    precision, recall, f1 = metrics.pooled_f1(metrics.f1(found, true))
    assert precision == pytest.approx(tp / found.sum())
    assert recall == pytest.approx(tp / true.sum())
    assert f1 == pytest.approx(2 * tp / (found.sum() + true.sum()))
