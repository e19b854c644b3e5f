"""ICC profiles and colour transforms in floats, by lcms2 (through imagecodecs)."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any, cast

import imagecodecs
import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

Floats = NDArray[np.float32]

SPACES = {1: "gray", 3: "rgb", 4: "cmyk"}  # by number of channels
_SIGNATURES = {b"GRAY": 1, b"RGB ": 3, b"CMYK": 4}
_RELATIVE_COLORIMETRIC = 1
_BLACK_POINT = 0x2000
_NO_OPTIMIZE = 0x0100  # lcms2's own tables are off by up to 15 levels in 255 near the gamut's edge
_INK = np.float32(100)  # lcms2 counts ink in per cent

_codecs = cast(Any, imagecodecs)


def colour_channels(profile: bytes) -> int:
    """Channels that the profile describes (1, 3 or 4), or 0 for any other colour space."""
    return _SIGNATURES.get(profile[16:20], 0)


@lru_cache(maxsize=1)
def srgb_profile() -> bytes:
    """The sRGB profile."""
    return cast(bytes, _codecs.cms_profile("srgb"))


@lru_cache(maxsize=1)
def linear_profile() -> bytes:
    """A profile with the primaries of sRGB and linear light."""
    primaries = [0.64, 0.33, 1.0, 0.30, 0.60, 1.0, 0.15, 0.06, 1.0]
    white = [0.3127, 0.3290, 1.0]
    return cast(bytes, _codecs.cms_profile("rgb", whitepoint=white, primaries=primaries, gamma=1.0))


def transform(values: Floats, source: bytes, target: bytes, inputs: int, outputs: int) -> Floats:
    """Colours (h, w, inputs) in 0..1 through two profiles, to (h, w, outputs), not clipped."""
    data = values * _INK if inputs == 4 else values
    data = data[..., 0] if inputs == 1 else data
    result = cast(
        Floats,
        _codecs.cms_transform(
            np.ascontiguousarray(data, np.float32),
            source,
            target,
            colorspace=SPACES[inputs],
            outcolorspace=SPACES[outputs],
            outdtype=np.dtype(np.float32),
            intent=_RELATIVE_COLORIMETRIC,
            flags=_BLACK_POINT | _NO_OPTIMIZE,
        ),
    )
    result = result.reshape(*values.shape[:2], outputs)
    return result / _INK if outputs == 4 else result


@lru_cache(maxsize=8)
def problem(profile: bytes, channels: int) -> str:
    """What keeps lcms2 from converting both ways between this profile and sRGB; empty: nothing."""
    if colour_channels(profile) != channels:
        space = profile[16:20].decode("ascii", "backslashreplace").strip() or "no colour space"
        return f"it is for {space}, the photo has {channels} channels"
    if _one_way(profile):
        return "it converts from the scanner's colours only, not back to them"
    try:
        probe = np.full((1, 1, channels), 0.5, np.float32)
        there = transform(probe, profile, srgb_profile(), channels, 3)
        transform(there, srgb_profile(), profile, 3, channels)
    except (RuntimeError, ValueError):
        return "it is damaged, or of a kind that cannot be converted both ways"
    return ""


def _one_way(profile: bytes) -> bool:
    """Whether the profile has a table from its colours (A2B0), and none to them (B2A0)."""
    count = int.from_bytes(profile[128:132], "big")
    names = {profile[132 + 12 * i : 136 + 12 * i] for i in range(min(count, 256))}
    return b"A2B0" in names and b"B2A0" not in names


def warn_of(profile: bytes | None, channels: int) -> None:
    """Tells of a profile that cannot be used."""
    reason = problem(profile, channels) if profile is not None else ""
    if reason:
        logger.warning(
            "the ICC profile cannot be used (%s): treated as sRGB, and kept; "
            "for exact colours convert the photo to sRGB first",
            reason,
        )
