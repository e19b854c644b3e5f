"""The classical baseline does what its name says."""

from __future__ import annotations

import numpy as np
from skimage.data import astronaut

from unfade.eval.classical import classical


def test_classical_fills_a_scratch_and_stretches_the_contrast() -> None:
    photo = np.ascontiguousarray(astronaut()[::2, ::2])
    faded = (photo * 0.5 + 60).astype(np.uint8)
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[100:103, 20:220] = 255
    damaged = faded.copy()
    damaged[mask > 0] = 255
    out = classical(damaged, mask)
    assert out.dtype == np.uint8 and out.shape == photo.shape
    assert np.ptp(out) > np.ptp(faded)
    error = np.abs(out[mask > 0].astype(int) - photo[mask > 0]).mean()
    assert error < np.abs(255 - photo[mask > 0].astype(int)).mean() / 2
