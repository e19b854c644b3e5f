"""Pictures, profiles and files that the tests of imaging share."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[Any]


@pytest.fixture(scope="session")
def picture() -> Array:
    """(48, 64, 3) uint8: a piece of a photo, with dark, bright and saturated colours in it."""
    skimage_data = pytest.importorskip("skimage.data")
    image = Image.fromarray(skimage_data.astronaut()[:384]).resize((64, 48))
    result = np.array(image)
    result[:4, :8] = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 0, 0]] * 2
    return result


@pytest.fixture(scope="session")
def deep(picture: Array) -> Array:
    """(48, 64, 4) uint16 that uses all bits."""
    rng = np.random.default_rng(1)
    colours = picture.astype(np.uint16) * 256 + rng.integers(0, 256, picture.shape, np.uint16)
    alpha = rng.integers(0, 65536, (*picture.shape[:2], 1)).astype(np.uint16)
    return np.concatenate([colours, alpha], axis=2)


@pytest.fixture(scope="session")
def encoded() -> Callable[..., bytes]:
    """A function that encodes a Pillow image: encoded(image, "JPEG", quality=90)."""

    def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
        stream = io.BytesIO()
        image.save(stream, kind, **options)
        return stream.getvalue()

    return encode


@pytest.fixture(scope="session")
def profiles() -> dict[str, bytes]:
    """ICC profiles by name."""
    make: Any = imagecodecs.cms_profile
    white = [0.3127, 0.3290, 1.0]
    p3 = [0.680, 0.320, 1.0, 0.265, 0.690, 1.0, 0.150, 0.060, 1.0]
    rec709 = [0.64, 0.33, 1.0, 0.30, 0.60, 1.0, 0.15, 0.06, 1.0]
    return {
        "srgb": make("srgb"),
        "adobe": make("adobergb"),
        "p3": make("rgb", whitepoint=white, primaries=p3, gamma=2.2),
        "linear": make("rgb", whitepoint=white, primaries=rec709, gamma=1.0),
        "gray": make("gray", whitepoint=[0.3457, 0.3585, 1.0], gamma=1.8),
        "cmyk": cmyk_profile(),
        "scanner": scanner_profile(),
    }


# --- a CMYK profile, as no library can make one -------------------------------------------------

_D50 = np.array([0.9642, 1.0, 0.8249])
_SRGB_TO_D50 = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)


def cmyk_profile() -> bytes:
    """A printer's profile of the simplest ink: light = (1 - ink) * (1 - black)."""
    axis = np.linspace(0, 1, 9)
    ink = np.stack(np.meshgrid(*[axis] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    forward = _lab16(_lab((1 - ink[:, :3]) * (1 - ink[:, 3:])))
    axis = np.linspace(0, 65535, 25)
    lab = np.stack(np.meshgrid(*[axis] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    rgb = _rgb(np.stack([lab[:, 0] / 652.8, lab[:, 1] / 256 - 128, lab[:, 2] / 256 - 128], axis=1))
    light = rgb.max(axis=1, keepdims=True)
    backward = np.concatenate([1 - rgb / np.maximum(light, 1e-6), 1 - light], axis=1)
    backward = np.round(backward * 65535)
    tables = [(b"A2B0", _lut(4, 3, 9, forward)), (b"B2A0", _lut(3, 4, 25, backward))]
    return _profile(b"prtr", b"CMYK", tables)


def scanner_profile() -> bytes:
    """A scanner's profile: a table from RGB to Lab, and none back."""
    axis = np.linspace(0, 1, 9)
    rgb = np.stack(np.meshgrid(*[axis] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    return _profile(b"scnr", b"RGB ", [(b"A2B0", _lut(3, 3, 9, _lab16(_lab(rgb))))])


def _profile(kind: bytes, space: bytes, tables: list[tuple[bytes, bytes]]) -> bytes:
    tables = [
        (b"desc", b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78)),
        (b"cprt", b"text" + bytes(4) + b"none\0"),
        (b"wtpt", b"XYZ " + bytes(4) + b"".join(_fixed(v) for v in _D50)),
        *tables,
    ]
    at = 128 + 4 + 12 * len(tables)
    directory, body = struct.pack(">I", len(tables)), b""
    for name, data in tables:
        directory += name + struct.pack(">II", at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"\0" * 4, 0x02400000, kind, space, b"Lab ")
    head += bytes(12) + b"acsp" + bytes(28) + b"".join(_fixed(v) for v in _D50)
    return head.ljust(128, b"\0") + directory + body


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _lut(inputs: int, outputs: int, points: int, table: Array) -> bytes:
    head = b"mft2" + bytes(4) + bytes([inputs, outputs, points, 0])
    matrix = b"".join(_fixed(v) for v in np.eye(3).ravel())
    line = struct.pack(">HH", 0, 65535)
    sizes = struct.pack(">HH", 2, 2)
    return head + matrix + sizes + line * inputs + table.astype(">u2").tobytes() + line * outputs


def _lab(rgb: Array) -> Array:
    light = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    t = light @ _SRGB_TO_D50.T / _D50
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return np.stack(
        [116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1
    )


def _rgb(lab: Array) -> Array:
    y = (lab[:, 0] + 16) / 116
    f = np.stack([y + lab[:, 1] / 500, y, y - lab[:, 2] / 200], axis=1)
    t = np.where(f > 6 / 29, f**3, (116 * f - 16) * 27 / 24389)
    light = np.clip((t * _D50) @ np.linalg.inv(_SRGB_TO_D50).T, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def _lab16(lab: Array) -> Array:
    scaled = np.stack([lab[:, 0] * 652.8, (lab[:, 1] + 128) * 256, (lab[:, 2] + 128) * 256], axis=1)
    return np.round(np.clip(scaled, 0, 65535))
