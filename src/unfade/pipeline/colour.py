"""Colour transfer between pictures, and CIE Lab.

Pictures are sRGB in [0, 1], (N, 3, H, W).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

_LEVELS = 5
_KERNEL = (0.25, 0.5, 0.25)
# IEC 61966-2-1, divided by the white point D65, so that white is (1, 1, 1).
_TO_XYZ = (
    (0.4124564 / 0.95047, 0.3575761 / 0.95047, 0.1804375 / 0.95047),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339 / 1.08883, 0.1191920 / 1.08883, 0.9503041 / 1.08883),
)
_FROM_XYZ = np.linalg.inv(np.array(_TO_XYZ)).tolist()
_DELTA = 6 / 29


def low_pass(image: Tensor) -> Tensor:
    """The coarsest band of an undecimated ("a trous") wavelet transform of five levels."""
    c = image.shape[1]
    kernel = image.new_tensor(_KERNEL)
    kernel = (kernel[:, None] * kernel).expand(c, 1, 3, 3)  # (C, 1, 3, 3)
    for level in range(_LEVELS):
        step = 2**level
        padded = F.pad(image, (step, step, step, step), mode="replicate")
        image = F.conv2d(padded, kernel, dilation=step, groups=c)  # (N, C, H, W)
    return image


def wavelet_fix(image: Tensor, reference: Tensor) -> Tensor:
    """The detail of one picture on the broad colours of another (StableSR's wavelet fix).

    The transform is linear: what is added is the low band of the difference.
    """
    return image + low_pass(reference - image)


def adain_fix(image: Tensor, reference: Tensor) -> Tensor:
    """One picture with the mean and deviation of another's channels (AdaIN, arXiv 1703.06868)."""
    mean, reference_mean = image.mean((2, 3), keepdim=True), reference.mean((2, 3), keepdim=True)
    std = image.std((2, 3), keepdim=True, correction=0)
    reference_std = reference.std((2, 3), keepdim=True, correction=0)
    return (image - mean) * (reference_std / std.clamp(min=1e-5)) + reference_mean


def to_lab(rgb: Tensor) -> Tensor:
    """sRGB in [0, 1] -> CIE Lab under D65: L in [0, 100], a and b about [-128, 128]."""
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb.clamp(min=0) + 0.055) / 1.055) ** 2.4)
    xyz = torch.einsum("ij,njhw->nihw", rgb.new_tensor(_TO_XYZ), linear)
    cube = xyz.clamp(min=_DELTA**3) ** (1 / 3)
    f = torch.where(xyz > _DELTA**3, cube, xyz / (3 * _DELTA**2) + 4 / 29)
    x, y, z = f.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def from_lab(lab: Tensor) -> Tensor:
    """CIE Lab -> sRGB, outside [0, 1] where sRGB has no such colour."""
    lightness, a, b = lab.unbind(1)
    y = (lightness + 16) / 116
    f = torch.stack([y + a / 500, y, y - b / 200], 1)
    xyz = torch.where(f > _DELTA, f**3, 3 * _DELTA**2 * (f - 4 / 29))
    linear = torch.einsum("ij,njhw->nihw", lab.new_tensor(_FROM_XYZ), xyz)
    gamma = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, 12.92 * linear, gamma)


def with_luminance(image: Tensor, reference: Tensor) -> Tensor:
    """The chroma of one picture on the luminance of another (`with_chroma`)."""
    return with_chroma(to_lab(image)[:, 1:], reference)


def with_chroma(chroma: Tensor, reference: Tensor) -> Tensor:
    """Lab's a and b (N, 2, H, W) on the L of a picture.

    Where sRGB has no such colour, the chroma is reduced and the luminance stays.

    Returns:
        (N, 3, H, W) in [0, 1]; its L is the reference's.
    """
    lightness = to_lab(reference)[:, :1]
    out = from_lab(torch.cat([lightness, chroma], 1))
    outside = ((out < 0) | (out > 1)).any(1, keepdim=True)  # (N, 1, H, W)
    if bool(outside.any()):
        low, high = torch.zeros_like(lightness), torch.ones_like(lightness)
        for _ in range(12):
            share = (low + high) / 2
            tried = from_lab(torch.cat([lightness, share * chroma], 1))
            fits = ((tried >= 0) & (tried <= 1)).all(1, keepdim=True)
            low, high = torch.where(fits, share, low), torch.where(fits, high, share)
        out = torch.where(outside, from_lab(torch.cat([lightness, low * chroma], 1)), out)
    return out.clamp(0, 1)
