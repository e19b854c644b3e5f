"""Defines which pixels metrics compare (colour space, cropped border), and checks image sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.errors import InputError

Image = NDArray[np.float32]  # (H, W, C), C = 1 or 3, [0, 1]
Plane = NDArray[np.float64]  # (H, W), or (H, W, C) where a docstring says so
Space = Literal["rgb", "y"]

ROUNDING = (1 / 255) ** 2 / 12  # the power of rounding to 8 bits, per pixel
_LUMA = np.array([0.299, 0.587, 0.114])  # BT.601


class NotApplicable(InputError):
    """An image for which a metric is undefined, such as one smaller than its window."""


@dataclass(frozen=True)
class Protocol:
    """Settings of the metrics.

    Attributes:
        space: of PSNR, SSIM and MS-SSIM. "rgb": all three channels; "y": luma of BT.601 in its
            studio range, as papers on super-resolution do.
        crop_border: pixels cut off each side, for every metric.
        device: where metrics that are networks run, such as "cpu" or "cuda".
        niqe_model: file of NIQE's parameters; None is the one that is shipped.
    """

    space: Space = "rgb"
    crop_border: int = 0
    device: str = "cpu"
    niqe_model: str | None = None

    def cropped(self, image: Image) -> Image:
        """(H, W, C) -> (H - 2n, W - 2n, C). InputError if nothing would be left."""
        n = self.crop_border
        if n == 0:
            return image
        if min(image.shape[:2]) <= 2 * n:
            got = f"{image.shape[1]} x {image.shape[0]} pixels with a border of {n} cropped"
            raise InputError(got, "some pixels left", "crop a narrower border")
        return image[n:-n, n:-n]

    def view(self, image: Image) -> Image:
        """(H, W, 3) -> itself, or (H, W, 1) studio luma."""
        return image if self.space == "rgb" else studio_luma(image)


def luma(rgb: Image) -> Plane:
    """BT.601 luma at full range: (H, W, 3) [0, 1] -> (H, W) [0, 1]."""
    return rgb.astype(np.float64) @ _LUMA


def studio_luma(rgb: Image) -> Image:
    """BT.601 luma in 16..235 of 255: (H, W, 3) [0, 1] -> (H, W, 1) [16/255, 235/255]."""
    return ((16 + 219 * luma(rgb)) / 255)[..., None].astype(np.float32)


def gaussian_kernel(radius: int, sigma: float) -> Plane:
    """(2 * radius + 1,) taps that sum to one."""
    kernel = np.exp(-np.square(np.arange(-radius, radius + 1) / sigma) / 2)
    return kernel / kernel.sum()


def separable(values: Plane, across: Plane, down: Plane, border: int = cv2.BORDER_REFLECT) -> Plane:
    """Correlates with the kernel down x across: (H, W) or (H, W, C) -> the same, centred.

    An even kernel of 2n taps lies on the pixels from -(n - 1) to n.
    """
    anchor = ((len(across) - 1) // 2, (len(down) - 1) // 2)
    out = cv2.sepFilter2D(values, cv2.CV_64F, across, down, anchor=anchor, borderType=border)
    return out.reshape(values.shape).astype(np.float64, copy=False)


def require_same_size(image: NDArray[np.floating], target: NDArray[np.floating]) -> None:
    """InputError if the two differ in height, width or channels."""
    if image.shape != target.shape:
        raise InputError(
            f"{_size(image)}",
            f"{_size(target)} as its reference has",
            "write the result at the reference's size",
        )


def require_side(image: NDArray[np.floating], side: int, metric: str) -> None:
    """NotApplicable where the short side has fewer pixels than the metric needs."""
    if min(image.shape[:2]) < side:
        got = f"{image.shape[1]} x {image.shape[0]} pixels"
        raise NotApplicable(got, f"at least {side} a side for {metric}", "leave this metric out")


def _size(image: NDArray[np.floating]) -> str:
    channels = "" if image.shape[2] == 3 else f" x {image.shape[2]} channels"
    return f"{image.shape[1]} x {image.shape[0]} pixels{channels}"
