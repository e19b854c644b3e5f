"""Converts the samples of a TIFF to 8 or 16-bit gray, RGB or CMYK."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unfade.errors import InputError

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, SEPARATED, YCBCR = 0, 1, 2, 3, 5, 6
_JPEG = (6, 7, 34892, 33007)
_UNSIGNED, _FLOAT = 1, 3
_NAMES = {4: "MASK", 8: "CIELAB", 9: "ICCLAB", 10: "ITULAB", 32803: "CFA (raw)", 34892: "raw"}
_CONVERT = "convert it to 8 or 16-bit gray, RGB or CMYK"


class Samples:
    """The conversion of blocks (h, w, c) of one page."""

    def __init__(
        self,
        *,
        channels: int,
        alpha: bool,
        alpha_kind: int,
        bits: int,
        name: str,
        is_float: bool = False,
        invert: bool = False,
        palette: NDArray[np.uint16] | None = None,
    ) -> None:
        self.channels = channels
        self.alpha = alpha
        self.alpha_kind = alpha_kind
        self.name = name
        self._bits = bits
        self._float = is_float
        self._invert = invert
        self._table = None if palette is None else _palette_table(palette)
        self._least, self._most, self._finite = np.inf, -np.inf, True
        if self._table is not None:
            self.channels = self._table.shape[1]
            self.dtype = self._table.dtype
        else:
            deep = is_float or bits > 8
            self.dtype = np.dtype(np.uint16) if deep else np.dtype(np.uint8)

    def convert(self, block: NDArray[Any]) -> NDArray[Any]:
        """A block as the file holds it, in the depth and the sense of the photo."""
        if self._table is not None:
            colours = self._table[block[..., 0]]
            if not self.alpha:
                return colours
            return np.concatenate([colours, block[..., 1:2].astype(self.dtype)], axis=2)
        if self._float:
            result = self._from_float(block)
        elif self._bits in (8, 16):
            result = block
        else:
            top, full = (1 << self._bits) - 1, int(np.iinfo(self.dtype).max)
            result = ((block.astype(np.uint32) * full + top // 2) // top).astype(self.dtype)
        if self._invert:
            result = result.astype(self.dtype)
            result[..., : self.channels] = np.iinfo(self.dtype).max - result[..., : self.channels]
        return result

    def _from_float(self, block: NDArray[Any]) -> NDArray[np.uint16]:
        values = block.astype(np.float32)
        finite = np.isfinite(values)
        if not finite.all():
            self._finite = False
            values = values[finite]
        if values.size:
            self._least = min(self._least, float(values.min()))
            self._most = max(self._most, float(values.max()))
        if not self._finite or self._least < 0 or self._most > 1:
            return np.zeros(block.shape, np.uint16)  # check_range is going to refuse the photo
        return (values * np.float32(65535) + np.float32(0.5)).astype(np.uint16)

    def check_range(self, path: Path) -> None:
        """InputError where a float photo held anything but 0..1."""
        if not self._float:
            return
        if not self._finite:
            raise InputError(
                "a float TIFF with NaN or infinite values",
                "values in [0, 1]",
                "replace those values, or convert it to 16 bit",
                path=path,
            )
        if self._least < 0 or self._most > 1:
            raise InputError(
                f"a float TIFF with values from {self._least:g} to {self._most:g}",
                "values in [0, 1]",
                "scale it to [0, 1], or convert it to 16 bit",
                path=path,
            )


def _palette_table(palette: NDArray[np.uint16]) -> NDArray[Any]:
    """Colours (N, 1 or 3) of a colour map (3, N): 8 bit, and gray where all are gray."""
    eight = palette // 257 if (palette % 257 == 0).all() else palette >> 8
    if palette.max() < 256:
        eight = palette  # some writers put 8-bit values there
    table = np.ascontiguousarray(eight.T.astype(np.uint8))
    return table[:, :1] if (table == table[:, :1]).all() else table


def samples_of(path: Path, page: Any) -> Samples:
    """The conversion of a page's samples; InputError if their layout is not supported."""
    photometric, bits = int(page.photometric), int(page.bitspersample)
    base = {RGB: 3, YCBCR: 3, SEPARATED: 4}.get(photometric, 1)
    name = {RGB: "RGB", YCBCR: "YCbCr", SEPARATED: "CMYK", PALETTE: "P"}.get(photometric, "L")
    _check(path, page, photometric, bits)
    extra = int(page.samplesperpixel) - base
    if extra < 0 or extra > 1:
        got = f"{page.samplesperpixel} channels of {name}"
        raise InputError(got, f"{base}, or one more for alpha", "flatten it", path=path)
    kinds = [int(kind) for kind in page.extrasamples] or [0]
    return Samples(
        channels=base,
        alpha=extra == 1,
        alpha_kind=kinds[0] if extra == 1 and kinds[0] in (0, 1, 2) else 2,
        bits=bits,
        name=f"{name}{'A' if extra else ''};{bits}",
        is_float=int(page.sampleformat) == _FLOAT,
        invert=photometric == WHITE_IS_ZERO,
        palette=np.asarray(page.colormap, np.uint16) if photometric == PALETTE else None,
    )


def _check(path: Path, page: Any, photometric: int, bits: int) -> None:
    known = photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, SEPARATED)
    if photometric == YCBCR and int(page.compression) in _JPEG:
        known = True
    if not known:
        got = f"a TIFF in {_NAMES.get(photometric, f'colour space {photometric}')}"
        if photometric == YCBCR:
            got = "a TIFF in YCbCr that is not JPEG-compressed"
        raise InputError(got, "gray, RGB, palette or CMYK", _CONVERT, path=path)
    sample_format = int(page.sampleformat)
    good = (sample_format == _UNSIGNED and 1 <= bits <= 16) or (
        sample_format == _FLOAT and bits in (16, 32, 64) and photometric != PALETTE
    )
    if not good or (photometric == PALETTE and page.colormap is None):
        kind = {1: "unsigned", 2: "signed", 3: "float"}.get(sample_format, "complex or unknown")
        got = f"a TIFF with {bits}-bit {kind} samples"
        raise InputError(got, "8 or 16-bit whole numbers, or floats", _CONVERT, path=path)
    if int(getattr(page, "imagedepth", 1)) > 1:
        raise InputError("a TIFF of a volume", "one picture", "split it first", path=path)
