"""How well colours of regions hold: gray photos get the colours back that they had.

    python benchmarks/web_colours.py PHOTOS [--count 12]

Of each photo up to three regions are taken that have one colour (clusters in Lab). Each gets its
own median colour on the gray photo, by a rough stroke: its outline is moved in and out by some 2 %
of the photo's long side. The error is the mean distance in Lab's a and b over the region and what
lies around it, as a share of the gray photo's error; around the region the truth is gray.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from unfade import convert
from unfade.imaging import Photo
from unfade.pipeline.colour import to_lab
from unfade.pipeline.region_colours import RegionColour, with_region_colours

LONG_SIDE = 480
Plane = NDArray[np.float32]


def lab_of(rgb: NDArray[np.uint8]) -> Plane:
    picture = torch.tensor(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None] / 255
    return to_lab(picture)[0].permute(1, 2, 0).numpy()


def regions(lab: Plane) -> list[NDArray[np.bool_]]:
    """Connected, smooth, coloured: the three with most colour in all."""
    height, width = lab.shape[:2]
    features = cv2.GaussianBlur(lab, (0, 0), 2).reshape(-1, 3) * np.array([0.5, 1, 1], np.float32)
    cv2.setRNGSeed(0)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 15, 1.0)
    _, labels, _ = cv2.kmeans(features, 6, np.empty(0), stop, 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    found: list[tuple[float, NDArray[np.bool_]]] = []
    for label in range(6):
        mask = (labels.reshape(height, width) == label).astype(np.uint8)
        for operation in (cv2.MORPH_CLOSE, cv2.MORPH_OPEN):
            mask = cv2.morphologyEx(mask, operation, np.ones((9, 9), np.uint8))
        count, parts = cv2.connectedComponents(np.asarray(mask, np.uint8))
        for part in range(1, count):
            region = parts == part
            chroma = float(np.median(np.hypot(lab[region][:, 1], lab[region][:, 2])))
            if 0.015 < region.mean() < 0.5 and chroma > 12:
                found.append((chroma * float(region.sum()), region))
    return [region for _, region in sorted(found, key=lambda item: -item[0])[:3]]


def stroke(region: NDArray[np.bool_], rng: np.random.Generator) -> Plane:
    """The region with an outline that goes wrong."""
    height, width = region.shape
    inside, outside = (
        cv2.distanceTransform(side.astype(np.uint8), cv2.DIST_L2, 5) for side in (region, ~region)
    )
    coarse = rng.standard_normal((7, 7)).astype(np.float32)
    noise = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    moved = cv2.GaussianBlur(inside - outside, (0, 0), 3) + 0.02 * max(height, width) * noise
    return (moved > 0).astype(np.float32)


def shares(photo: Photo, lab: Plane, region: NDArray[np.bool_], mask: Plane) -> list[float]:
    """The errors of the stroke as it is and of the hint, over the gray photo's."""
    swatch = np.median(photo.native[region], 0)
    ink = (int(swatch[0]), int(swatch[1]), int(swatch[2]))
    gray = cv2.cvtColor(np.asarray(photo.native, np.uint8), cv2.COLOR_RGB2GRAY)
    made = with_region_colours(
        [convert.from_array(gray, max_pixels=10**8)], [RegionColour(mask, ink)]
    )[0]
    got = lab_of(np.asarray(made.native, np.uint8))[..., 1:]
    flat = mask[..., None] * lab_of(np.array(ink, np.uint8).reshape(1, 1, 3))[0, 0, 1:]
    truth = np.where(region[..., None], lab[..., 1:], 0)
    reach = np.ones((61, 61), np.uint8)
    around = cv2.dilate(np.maximum(region, mask > 0).astype(np.uint8), reach) > 0
    errors = [
        np.linalg.norm(value - truth, axis=2)[around].mean() for value in (flat, got, truth * 0)
    ]
    return [float(error / errors[2]) for error in errors[:2]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=12)
    given = parser.parse_args()
    files = sorted(path for path in given.photos.iterdir() if path.suffix in (".jpg", ".png"))
    rows: list[list[float]] = []
    for path in files[:: max(1, len(files) // given.count)][: given.count]:
        image = cv2.imread(str(path))
        assert image is not None
        scale = LONG_SIDE / max(image.shape[:2])
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        rgb = np.ascontiguousarray(small[..., ::-1]).astype(np.uint8)
        lab, photo = lab_of(rgb), convert.from_array(rgb, max_pixels=10**8)
        rng = np.random.default_rng(0)
        for region in regions(lab):
            rows.append(shares(photo, lab, region, stroke(region, rng)))
        print(path.name, len(rows), "regions so far", flush=True)
    plain, hinted = np.mean(rows, 0)
    print(f"{len(rows)} regions: error over that of gray: {plain:.3f} with the stroke as painted, "
          f"{hinted:.3f} with its edges found")  # fmt: skip


if __name__ == "__main__":
    main()
