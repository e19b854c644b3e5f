"""Transforms a photo's own colours to sRGB and back, region by region.

Every transform takes whole numbers of the photo's own depth and gives float32 sRGB in 0..1;
the way back gives float32 in 0..1, which the caller rounds to the photo's depth.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import unfade.imaging.icc as icc

Floats = NDArray[np.float32]
Native = NDArray[np.uint8 | np.uint16]

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # Rec. 709
_CURVE_POINTS = 65536
_ROOT_POINTS = 1 << 18
_TOLERANCE = 0.002  # sRGB values closer than this (half a level of 255) count as equal


class Transform(Protocol):
    """Both ways between one colour space and sRGB."""

    def to_srgb(self, native: Native) -> Floats:
        """Own colours (h, w, C) to sRGB (h, w, 3)."""
        ...

    def from_srgb(self, rgb: Floats) -> Floats:
        """From sRGB (h, w, 3) to own colours (h, w, C)."""
        ...

    def beyond(self, native: Native) -> Floats | None:
        """What `to_srgb` cut off (h, w, 3): added to it, `from_srgb` gives the own colours again.

        None where nothing was cut off, or where that is not known.
        """
        ...


def unit(native: NDArray[Any]) -> Floats:
    """Whole numbers of any depth as floats in 0..1."""
    return native.astype(np.float32) / np.float32(np.iinfo(native.dtype).max)


def luma(rgb: Floats) -> Floats:
    """Rec. 709 luma of sRGB values: (h, w, 3) -> (h, w, 1)."""
    return (rgb @ LUMA)[..., None]


class _Within:
    """A transform without colours outside sRGB."""

    def beyond(self, native: Native) -> None:
        """See Transform."""
        return None


class SrgbPixels(_Within):
    """Pixels that are sRGB already, gray or RGB."""

    def __init__(self, channels: int) -> None:
        self._gray = channels == 1

    def to_srgb(self, native: Native) -> Floats:
        """See Transform."""
        values = unit(native)
        return np.repeat(values, 3, axis=2) if self._gray else values

    def from_srgb(self, rgb: Floats) -> Floats:
        """See Transform."""
        return luma(rgb) if self._gray else rgb


class UncalibratedCmyk(_Within):
    """CMYK without a profile: the simple inverse of RGB, with full black generation."""

    def to_srgb(self, native: Native) -> Floats:
        """See Transform."""
        light = 1 - unit(native)
        return light[..., :3] * light[..., 3:]

    def from_srgb(self, rgb: Floats) -> Floats:
        """See Transform."""
        light = rgb.max(axis=2, keepdims=True)
        ink = 1 - rgb / np.maximum(light, np.float32(1e-6))
        return np.concatenate([np.where(light > 0, ink, 0), 1 - light], axis=2).astype(np.float32)


class GrayCurve(_Within):
    """Gray with a profile: one curve."""

    def __init__(self, profile: bytes) -> None:
        levels = np.linspace(0, 1, _CURVE_POINTS, dtype=np.float32)
        rgb = icc.transform(levels.reshape(256, 256, 1), profile, icc.srgb_profile(), 1, 3)
        curve = luma(np.clip(rgb, 0, 1)).ravel()
        self._levels = levels
        self._curve = np.maximum.accumulate(curve)

    def to_srgb(self, native: Native) -> Floats:
        """See Transform."""
        curve = _for_depth(self._curve, native.dtype)
        return np.repeat(curve[native], 3, axis=2)

    def from_srgb(self, rgb: Floats) -> Floats:
        """See Transform."""
        return np.interp(luma(rgb), self._curve, self._levels).astype(np.float32)


class MatrixShaper:
    """RGB with a curve per channel and a matrix: what nearly every camera and scanner embeds.

    It is measured through lcms2 and then done in tables, at a quarter of the time.
    """

    def __init__(self, profile: bytes) -> None:
        levels = np.linspace(0, 1, _CURVE_POINTS, dtype=np.float32)
        self._matrix = np.zeros((3, 3))  # linear profile RGB (rows) to linear sRGB (columns)
        self._curves: list[Floats] = []
        for channel in range(3):
            ramp = np.zeros((256, 256, 3), np.float32)
            ramp[..., channel] = levels.reshape(256, 256)
            light = icc.transform(ramp, profile, icc.linear_profile(), 3, 3).reshape(-1, 3)
            strongest = int(np.abs(light[-1]).argmax())
            self._matrix[channel] = light[-1]
            self._curves.append(light[:, strongest] / light[-1, strongest])
        self._inverse = np.linalg.inv(self._matrix).astype(np.float32)
        self._matrix = self._matrix.astype(np.float32)
        roots = np.linspace(0, 1, _ROOT_POINTS) ** 2
        self._roots = [np.interp(roots, c, levels).astype(np.float32) for c in self._curves]

    @property
    def invertible(self) -> bool:
        """Whether the curves rise, so that they can be gone back."""
        return all(np.isfinite(c).all() and (np.diff(c) >= 0).all() for c in self._curves)

    def to_srgb(self, native: Native) -> Floats:
        """See Transform."""
        return encode(self._light(native))

    def beyond(self, native: Native) -> Floats | None:
        """See Transform. Beyond 0..1 sRGB's curve goes on, below 0 turned by half a turn."""
        light = self._light(native)
        if light.min() >= 0 and light.max() <= 1:
            return None
        return np.copysign(_encode(np.abs(light)), light) - encode(light)

    def _light(self, native: Native) -> Floats:
        """Linear light with the primaries of sRGB, (h, w, 3), not clipped."""
        light = np.empty(native.shape, np.float32)
        for channel, curve in enumerate(self._curves):
            light[..., channel] = _for_depth(curve, native.dtype)[native[..., channel]]
        return light @ self._matrix

    def from_srgb(self, rgb: Floats) -> Floats:
        """See Transform."""
        light = np.copysign(decode(np.abs(rgb)), rgb)
        light = np.clip(light @ self._inverse, 0, 1)
        at = (np.sqrt(light) * np.float32(_ROOT_POINTS - 1) + np.float32(0.5)).astype(np.int32)
        result = np.empty_like(light)
        for channel, table in enumerate(self._roots):
            result[..., channel] = table[at[..., channel]]
        return result


class Lcms(_Within):
    """Any other profile (tables, CMYK), straight through lcms2."""

    def __init__(self, profile: bytes, channels: int) -> None:
        self._profile = profile
        self._channels = channels

    def to_srgb(self, native: Native) -> Floats:
        """See Transform."""
        values = unit(native)
        rgb = icc.transform(values, self._profile, icc.srgb_profile(), self._channels, 3)
        return np.clip(rgb, 0, 1)

    def from_srgb(self, rgb: Floats) -> Floats:
        """See Transform."""
        values = icc.transform(rgb, icc.srgb_profile(), self._profile, 3, self._channels)
        return np.clip(values, 0, 1)


def encode(light: Floats) -> Floats:
    """Linear light to sRGB values, clipped to 0..1."""
    return _encode(np.clip(light, 0, 1))


def _encode(light: Floats) -> Floats:
    high = np.power(light, np.float32(1 / 2.4)) * np.float32(1.055) - np.float32(0.055)
    return np.where(light <= 0.0031308, light * np.float32(12.92), high)


def decode(rgb: Floats) -> Floats:
    """Turns sRGB values from 0 on to linear light."""
    base = (rgb + np.float32(0.055)) / np.float32(1.055)
    return np.where(rgb <= 0.04045, rgb / np.float32(12.92), np.power(base, np.float32(2.4)))


def _for_depth(curve: Floats, dtype: np.dtype[Any]) -> Floats:
    """A curve of 65536 points as a table for this depth."""
    return curve[::257] if dtype == np.uint8 else curve


@lru_cache(maxsize=8)
def transform_for(profile: bytes | None, channels: int) -> Transform:
    """The transform of pixels with this many channels and this profile."""
    if profile is None or icc.problem(profile, channels):
        return UncalibratedCmyk() if channels == 4 else SrgbPixels(channels)
    if channels == 1:
        return GrayCurve(profile)
    exact = Lcms(profile, channels)
    if channels == 4:
        return exact
    probe = _probe()
    truth = exact.to_srgb(probe)
    if np.abs(truth - unit(probe)).max() < _TOLERANCE:
        return SrgbPixels(channels)
    try:
        quick = MatrixShaper(profile)
        if quick.invertible and np.abs(quick.to_srgb(probe) - truth).max() < _TOLERANCE:
            return quick
    except np.linalg.LinAlgError:
        pass
    return exact


def _probe() -> NDArray[np.uint16]:
    """A grid over the whole RGB cube: (33, 1089, 3)."""
    axis = np.linspace(0, 65535, 33).astype(np.uint16)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(33, -1, 3)
