"""Computes SSIM at each pixel: the second similarity that alignment can be measured with.

The first one, of content features, is in `unfade.pipeline.content`; the definition of alignment is
in `unfade.pipeline.alignment`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unfade.eval.images import Image, require_same_size, require_side
from unfade.eval.metrics import SSIM_WINDOW, similarity_maps


def ssim_map(output: Image, target: Image) -> NDArray[np.float32]:
    """SSIM at each pixel, mean over channels: (H, W) [-1, 1].

    The border of five pixels, where the window does not fit, repeats the values inside it.

    Args:
        output, target: (H, W, C) [0, 1].

    Raises:
        InputError: the sizes differ, or a side has fewer than 11 pixels.
    """
    require_same_size(output, target)
    require_side(output, SSIM_WINDOW, "SSIM")
    channels = range(output.shape[2])
    maps = [np.multiply(*similarity_maps(output[..., c], target[..., c])) for c in channels]
    return np.pad(np.mean(maps, 0), SSIM_WINDOW // 2, mode="edge").astype(np.float32)
