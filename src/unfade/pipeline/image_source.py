"""Image sources of the diffusion model: photos or tensors, read region by region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from unfade.errors import InputError
from unfade.imaging import Photo
from unfade.imaging.transforms import LUMA
from unfade.models.tensors import from_array


class ImageSource(Protocol):
    """N photos of one size, each with its mask or all without."""

    @property
    def count(self) -> int:
        """N."""
        ...

    @property
    def height(self) -> int:
        """Rows of pixels."""
        ...

    @property
    def width(self) -> int:
        """Pixels in a row."""
        ...

    def read(self, rows: slice, cols: slice) -> Tensor:
        """A region, (N, 3, h, w) in [0, 1]."""
        ...

    def read_mask(self, rows: slice, cols: slice) -> Tensor | None:
        """A region of the masks, (N, 1, h, w) in [0, 1], 1 = damaged."""
        ...


@dataclass(frozen=True)
class TensorSource:
    """Photos in memory. InputError where the shapes make no sense.

    Attributes:
        image: (N, 3, H, W) in [0, 1].
        mask: (N, 1, H, W) in [0, 1] or None.
    """

    image: Tensor
    mask: Tensor | None = None

    def __post_init__(self) -> None:
        shape = tuple(self.image.shape)
        if len(shape) != 4 or shape[1] != 3 or 0 in shape or not self.image.is_floating_point():
            got = f"a tensor of shape {shape} and type {self.image.dtype}"
            raise InputError(got, "(N, 3, H, W), floats in 0..1", "convert the photos")
        expected = (shape[0], 1, *shape[2:])
        if self.mask is not None and tuple(self.mask.shape) != expected:
            got = f"a mask of shape {tuple(self.mask.shape)}"
            raise InputError(got, str(expected), "give one mask to each photo, of its size")

    @property
    def count(self) -> int:
        """N."""
        return self.image.shape[0]

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return self.image.shape[2]

    @property
    def width(self) -> int:
        """Pixels in a row."""
        return self.image.shape[3]

    def read(self, rows: slice, cols: slice) -> Tensor:
        """A region, (N, 3, h, w) in [0, 1]."""
        return self.image[..., rows, cols].float()

    def read_mask(self, rows: slice, cols: slice) -> Tensor | None:
        """A region of the masks, (N, 1, h, w) in [0, 1]."""
        return None if self.mask is None else self.mask[..., rows, cols].float()


@dataclass(frozen=True)
class PhotoSource:
    """One photo as it was read; what is held as floats is a region only.

    Attributes:
        photo: in its own colours and depth.
        mask: (H, W) uint8, 255 = damaged, or None.
    """

    photo: Photo
    mask: NDArray[np.uint8] | None = None

    @property
    def count(self) -> int:
        """1."""
        return 1

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return self.photo.height

    @property
    def width(self) -> int:
        """Pixels in a row."""
        return self.photo.width

    def read(self, rows: slice, cols: slice) -> Tensor:
        """A region, (1, 3, h, w) in [0, 1]."""
        rgb = self.photo.srgb(rows, cols)
        return from_array(np.ascontiguousarray(rgb.transpose(2, 0, 1)))[None]

    def read_mask(self, rows: slice, cols: slice) -> Tensor | None:
        """A region of the mask, (1, 1, h, w) in [0, 1]."""
        if self.mask is None:
            return None
        return torch.tensor(self.mask[rows, cols])[None, None].float() / 255


@dataclass(frozen=True)
class LumaSource(PhotoSource):
    """One photo as its luma, for colourising."""

    def read(self, rows: slice, cols: slice) -> Tensor:
        """A region of the Rec. 709 luma, (1, 3, h, w) in [0, 1], three equal channels."""
        rgb = super().read(rows, cols)
        gray = torch.einsum("c,nchw->nhw", rgb.new_tensor(LUMA), rgb)  # (1, h, w)
        return gray[:, None].expand(-1, 3, -1, -1)


def read_padded(source: ImageSource, rows: slice, cols: slice) -> Tensor:
    """A region that may extend beyond the bottom and the right, where edge pixels are repeated.

    Returns:
        (N, 3, h, w) in [0, 1].
    """
    inside, within, beyond = _cut(source, rows, cols)
    image = source.read(inside, within)
    return F.pad(image, beyond, mode="replicate") if any(beyond) else image


def read_mask_padded(source: ImageSource, rows: slice, cols: slice) -> Tensor | None:
    """The same region of the masks, (N, 1, h, w) in [0, 1], undamaged beyond the photo, or None."""
    inside, within, beyond = _cut(source, rows, cols)
    mask = source.read_mask(inside, within)
    return mask if mask is None or not any(beyond) else F.pad(mask, beyond)


def _cut(
    source: ImageSource, rows: slice, cols: slice
) -> tuple[slice, slice, tuple[int, int, int, int]]:
    """The rows and columns of a region inside the photo, and the padding that `F.pad` takes."""
    inside = slice(rows.start, min(rows.stop, source.height))
    within = slice(cols.start, min(cols.stop, source.width))
    return inside, within, (0, cols.stop - within.stop, 0, rows.stop - inside.stop)
