from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.color import lab2rgb, rgb2lab

from unfade.pipeline.colour import (
    adain_fix,
    from_lab,
    low_pass,
    to_lab,
    wavelet_fix,
    with_luminance,
)


@pytest.fixture
def image() -> torch.Tensor:
    return torch.rand(2, 3, 40, 50, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("fix", [wavelet_fix, adain_fix])
def test_a_fix_by_the_picture_itself_changes_nothing(fix: object, image: torch.Tensor) -> None:
    assert callable(fix)
    torch.testing.assert_close(fix(image, image), image)


@pytest.mark.parametrize("fix", [wavelet_fix, adain_fix])
def test_a_fix_takes_away_a_cast(fix: object, image: torch.Tensor) -> None:
    assert callable(fix)
    cast = image + torch.tensor([0.2, 0.0, -0.1])[:, None, None]
    torch.testing.assert_close(fix(cast, image), image, rtol=1e-4, atol=1e-5)


def test_adain_takes_mean_and_deviation(image: torch.Tensor) -> None:
    other = 0.3 * image.flip(0) + 0.5
    out = adain_fix(image, other)
    torch.testing.assert_close(out.mean((2, 3)), other.mean((2, 3)))
    torch.testing.assert_close(out.std((2, 3)), other.std((2, 3)))
    flat = torch.full_like(image, 0.5)
    torch.testing.assert_close(adain_fix(image, flat), flat)


def test_wavelet_keeps_the_detail_and_takes_the_broad_colours() -> None:
    detail = torch.zeros(1, 3, 96, 96)
    detail[..., ::2, :] = 0.1
    broad = torch.linspace(0.2, 0.8, 96).expand(1, 3, 96, 96)
    out = wavelet_fix(detail + 0.3, broad)
    inner = (..., slice(40, 56), slice(40, 56))
    torch.testing.assert_close(out[inner], (broad + detail - 0.05)[inner], rtol=0, atol=2e-3)


@pytest.mark.parametrize("size", [(1, 1), (3, 70), (40, 50)])
def test_low_pass_keeps_a_flat_picture_of_any_size(size: tuple[int, int]) -> None:
    flat = torch.full((1, 3, *size), 0.7)
    torch.testing.assert_close(low_pass(flat), flat)


def test_lab_is_that_of_scikit_image_and_comes_back(image: torch.Tensor) -> None:
    rgb = image[0].permute(1, 2, 0).double().numpy()
    ours = to_lab(image)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(ours, rgb2lab(rgb), atol=0.05)
    torch.testing.assert_close(from_lab(to_lab(image)), image, rtol=0, atol=1e-4)
    back = from_lab(torch.tensor(ours).permute(2, 0, 1)[None].float())
    np.testing.assert_allclose(back[0].permute(1, 2, 0).numpy(), lab2rgb(ours), atol=2e-3)


def test_with_luminance_keeps_it_exactly_where_chroma_does_not_fit(image: torch.Tensor) -> None:
    gray = torch.rand(2, 1, 40, 50).expand(2, 3, 40, 50).contiguous()
    gray[:, :, 0, :5], gray[:, :, 1, :5] = 0.0, 1.0
    strong = (image > 0.5).float()
    out = with_luminance(strong, gray)
    assert out.min() >= 0 and out.max() <= 1
    torch.testing.assert_close(to_lab(out)[:, 0], to_lab(gray)[:, 0], rtol=0, atol=0.02)
    assert (to_lab(out)[:, 1:].abs().amax(1) > 20).float().mean() > 0.3  # still colourful
    torch.testing.assert_close(out[:, :, :2, :5], gray[:, :, :2, :5], rtol=0, atol=1e-3)


def test_with_luminance_keeps_colours_that_fit_and_grays(image: torch.Tensor) -> None:
    colour = torch.tensor([0.6, 0.4, 0.45])[None, :, None, None].expand(1, 3, 4, 4)
    gray = torch.full((1, 3, 4, 4), 0.45)
    out = with_luminance(colour, gray)
    torch.testing.assert_close(to_lab(out)[:, 1:], to_lab(colour)[:, 1:], rtol=0, atol=0.05)
    torch.testing.assert_close(with_luminance(image, image), image, rtol=0, atol=1e-4)
    gray = torch.linspace(0, 1, 64).expand(1, 3, 8, 64)
    out = with_luminance(torch.full_like(gray, 0.3), gray)
    torch.testing.assert_close(out, gray, rtol=0, atol=1e-3)
