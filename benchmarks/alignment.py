"""How well encoders rank semantic edits below harmless changes.

    python benchmarks/alignment.py --data PHOTOS [--count 127] [--seed 0] [--json FILE]

Every photo is changed in known ways. Semantic edits alter one region: another photo's content is
pasted in (small: in half the size), what is there is taken away (Telea's inpainting) or replaced by
what stands elsewhere, the content is swirled, its hue is turned, a word is exchanged for another, a
face for another (photos called face-*). Harmless changes keep the content: blur, noise, JPEG, tone,
half a pixel of shift, denoising, halving and enlarging, sharpening, and a mixture.

ranked: the share of pairs (an edit, a harmless change, of one photo) where the edit scores lower.
AUC: the same over the pairs of all photos. map AUC: of the pixels of an edited photo that was
changed harmlessly too, how often one inside the edit has less similarity than one outside.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
import cv2
import numpy as np
import torch
from torch.nn import functional as F

from unfade.bench.protocols.photos import photos_in
from unfade.bench.sections import table_line
from unfade.eval.alignment import ssim_map
from unfade.eval.evaluation import read_rgb
from unfade.models.checkpoint import load_model
from unfade.models.presets import find_preset
from unfade.models.scratch import ScratchDetector
from unfade.models.stage1 import Stage1Net
from unfade.pipeline.alignment import Encoder, similarity_grid, tail_mean
from unfade.pipeline.content import content_features
from unfade.rng import generator

TAILS = (1.0, 0.1, 0.05, 0.02)  # shares of the places, the least similar ones, that are averaged
Rng = np.random.Generator
Image = np.ndarray  # (H, W, 3) float32, sRGB [0, 1]
Plane = np.ndarray  # (H, W)
Mask = np.ndarray  # (H, W) float32, 1 = edited


@dataclass
class Edit:
    """A photo, and the same with other content inside the mask."""

    target: Image
    output: Image
    mask: Mask


def region(
    shape: tuple[int, ...], rng: Rng, energy: Plane, scale: float = 1.0
) -> tuple[tuple[int, int], Mask]:
    """The busiest of six ellipses, with an edge of a few pixels."""
    short = min(shape[:2])
    best = None
    for _ in range(6):
        a, b = (int(rng.uniform(0.11, 0.2) * scale * short) for _ in range(2))
        y, x = int(rng.integers(b, shape[0] - b)), int(rng.integers(a, shape[1] - a))
        mask = np.zeros(shape[:2], np.float32)
        cv2.ellipse(mask, (x, y), (a, b), 0, 0, 360, 1.0, -1)
        busy = float((energy * mask).sum() / mask.sum())
        if best is None or busy > best[0]:
            best = busy, (y, x), mask
    assert best is not None
    return best[1], cv2.GaussianBlur(best[2], (0, 0), 1.5)


def blend(photo: Image, other: Image, mask: Mask) -> Image:
    return (photo + (other - photo) * mask[..., None]).astype(np.float32)


def matched(other: Image, photo: Image, mask: Mask) -> Image:
    """With the photo's mean and half of its deviation inside the mask."""
    inside = mask > 0.5
    ours, theirs = photo[inside], other[inside]
    gain = 0.5 + 0.5 * ours.std() / max(0.02, float(theirs.std()))
    moved = (other - theirs.mean(0)) * min(gain, 2.0) + ours.mean(0)
    return np.clip(moved, 0, 1).astype(np.float32)


def fitted(other: Image, photo: Image) -> Image:
    size = photo.shape[1], photo.shape[0]
    return cv2.resize(other, size, interpolation=cv2.INTER_AREA)


def pasted(photo: Image, other: Image, place: tuple[int, int], mask: Mask, rng: Rng) -> Image:
    return blend(photo, matched(fitted(other, photo), photo, mask), mask)


def removed(photo: Image, other: Image, place: tuple[int, int], mask: Mask, rng: Rng) -> Image:
    hole = (mask > 0.02).astype(np.uint8)
    filled = cv2.inpaint(as_bytes(photo), hole, 3, cv2.INPAINT_TELEA)
    return blend(photo, filled.astype(np.float32) / np.float32(255), mask)


def swapped(photo: Image, other: Image, place: tuple[int, int], mask: Mask, rng: Rng) -> Image:
    """The region is replaced by what stands elsewhere in the photo."""
    height, width = photo.shape[:2]
    dy, dx = (int(rng.uniform(0.3, 0.7) * side) for side in (height, width))
    return blend(photo, np.roll(photo, (dy, dx), (0, 1)), mask)


def warped(photo: Image, other: Image, place: tuple[int, int], mask: Mask, rng: Rng) -> Image:
    """Swirled by up to a radian and a half around the middle of the region."""
    y, x = np.mgrid[: photo.shape[0], : photo.shape[1]].astype(np.float32)
    angle = 1.5 * cv2.GaussianBlur(mask, (0, 0), 0.03 * min(mask.shape))
    off_y, off_x = y - place[0], x - place[1]
    to_x = place[1] + np.cos(angle) * off_x - np.sin(angle) * off_y
    to_y = place[0] + np.sin(angle) * off_x + np.cos(angle) * off_y
    return cv2.remap(
        photo, to_x.astype(np.float32), to_y.astype(np.float32), cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT,
    ).clip(0, 1)  # fmt: skip


def recoloured(photo: Image, other: Image, place: tuple[int, int], mask: Mask, rng: Rng) -> Image:
    """Lab's hue turned by 90 to 180 degrees, with a chroma of at least 20."""
    lab = cv2.cvtColor(photo, cv2.COLOR_RGB2LAB)
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    hue = np.arctan2(lab[..., 2], lab[..., 1]) + rng.uniform(np.pi / 2, np.pi)
    chroma = np.maximum(chroma, 20)
    lab[..., 1], lab[..., 2] = chroma * np.cos(hue), chroma * np.sin(hue)
    return blend(photo, cv2.cvtColor(lab, cv2.COLOR_LAB2RGB).clip(0, 1), mask)


EDITS: Mapping[str, Callable[[Image, Image, tuple[int, int], Mask, Rng], Image]] = {
    "paste": pasted, "remove": removed, "swap": swapped, "warp": warped, "hue": recoloured,
    "small": pasted,
}  # fmt: skip
WORDS = ("PHARMACY", "RAILWAYS", "FOUNDRY.", "BREWERS.", "MERCHANT", "GARDENER")


def text_edit(photo: Image, rng: Rng) -> Edit:
    """A word in white on black, and another of as many letters in its place."""
    first, second = rng.choice(WORDS, 2, replace=False)
    scale = min(photo.shape[:2]) / 330
    place = int(0.08 * photo.shape[1]), int(rng.uniform(0.3, 0.9) * photo.shape[0])

    def written(word: str) -> Image:
        out = as_bytes(photo)
        for colour, width in ((0, 7), (255, 2)):
            thick = max(1, round(width * scale))
            cv2.putText(
                out, word, place, cv2.FONT_HERSHEY_DUPLEX, scale, (colour,) * 3, thick, cv2.LINE_AA
            )
        return out.astype(np.float32) / np.float32(255)

    target, output = written(str(first)), written(str(second))
    changed = (np.abs(target - output).max(2) > 0.1).astype(np.uint8)
    mask = cv2.morphologyEx(changed, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    return Edit(target, output, mask.astype(np.float32))


def face_edit(photo: Image, other: Image) -> Edit:
    height, width = photo.shape[:2]
    mask = np.zeros((height, width), np.float32)
    axes = int(0.17 * width), int(0.23 * height)
    cv2.ellipse(mask, (width // 2, int(0.52 * height)), axes, 0, 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 0.012 * width)
    return Edit(photo, blend(photo, matched(fitted(other, photo), photo, mask), mask), mask)


def edits(photo: Image, other: Image, face: Image | None, rng: Rng) -> dict[str, Edit]:
    gray = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    energy = np.abs(cv2.Laplacian(cv2.GaussianBlur(gray, (0, 0), 2), cv2.CV_32F))
    out: dict[str, Edit] = {}
    for name, edit in EDITS.items():
        place, mask = region(photo.shape, rng, energy, 0.5 if name == "small" else 1.0)
        out[name] = Edit(photo, edit(photo, other, place, mask, rng), mask)
    out["text"] = text_edit(photo, rng)
    if face is not None:
        out["face"] = face_edit(photo, face)
    return out


def as_bytes(image: Image) -> np.ndarray:
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def toned(image: Image, rng: Rng) -> Image:
    cast = rng.uniform(-0.03, 0.03, 3)
    return np.clip(0.06 + 0.84 * image**0.85 + cast, 0, 1).astype(np.float32)


def jpeg(image: Image, rng: Rng) -> Image:
    done, code = cv2.imencode(".jpg", as_bytes(image)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 40])
    assert done
    read = cv2.imdecode(code, cv2.IMREAD_COLOR)
    assert read is not None
    return read[..., ::-1].astype(np.float32) / np.float32(255)


def noisy(image: Image, rng: Rng) -> Image:
    noise = rng.normal(0, 8 / 255, image.shape)
    return np.clip(image + noise, 0, 1).astype(np.float32)


def moved(image: Image, rng: Rng) -> Image:
    matrix = np.array([[1, 0, 0.5], [0, 1, 0.5]])
    size = image.shape[1], image.shape[0]
    return cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REFLECT)


def denoised(image: Image, rng: Rng) -> Image:
    return cv2.bilateralFilter(image, 5, 0.12, 2)


def halved(image: Image, rng: Rng) -> Image:
    size = image.shape[1], image.shape[0]
    small = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, size, interpolation=cv2.INTER_CUBIC).clip(0, 1)


def sharpened(image: Image, rng: Rng) -> Image:
    return np.clip(2 * image - cv2.GaussianBlur(image, (0, 0), 1.5), 0, 1)


def mixed(image: Image, rng: Rng) -> Image:
    """Tone, blur, noise and JPEG, one after the other."""
    soft = cv2.GaussianBlur(toned(image, rng), (0, 0), 0.8)
    return jpeg(noisy(soft, rng), rng)


HARMLESS: Mapping[str, Callable[[Image, Rng], Image]] = {
    "blur": lambda image, rng: cv2.GaussianBlur(image, (0, 0), 1.2), "noise": noisy, "jpeg": jpeg,
    "tone": toned, "shift": moved, "denoise": denoised, "half": halved, "sharpen": sharpened,
    "mixture": mixed,
}  # fmt: skip


class NetworkEncoder:
    """The features of a shipped network's encoder at 1/4, 1/8 and 1/16, on the grid of 1/8.

    Args:
        features: (1, 3, H, W) -> those three levels.
    """

    def __init__(self, features: Callable[[torch.Tensor], list[torch.Tensor]]) -> None:
        self.features = features

    def __call__(self, image: Image) -> np.ndarray:
        height, width = image.shape[:2]
        x = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]  # (1, 3, H, W)
        x = F.pad(x, (0, -width % 32, 0, -height % 32), mode="replicate")
        with torch.inference_mode():
            found = self.features(x)
        size = (found[1].shape[-2], found[1].shape[-1])
        levels = [F.normalize(F.adaptive_avg_pool2d(level, size), dim=1) for level in found]
        grid = torch.cat(levels, 1)[0].permute(1, 2, 0)  # (h, w, D)
        return grid[: max(1, height // 8), : max(1, width // 8)].numpy()


def part(*places: slice) -> Encoder:
    """Some of the features of the shipped encoder."""
    return lambda image: np.concatenate([content_features(image)[..., p] for p in places], 2)


def detector() -> Encoder:
    folder = find_preset("compact").folder
    net = load_model(folder / "scratch.safetensors", ScratchDetector)
    return NetworkEncoder(lambda x: net.encoder(x)[1:4])


def first_stage() -> Encoder:
    folder = find_preset("compact").folder
    net = load_model(folder / "stage1.safetensors", Stage1Net)

    def features(x: torch.Tensor) -> list[torch.Tensor]:
        found: list[torch.Tensor] = []

        def keep(_module: torch.nn.Module, _inputs: object, out: torch.Tensor) -> None:
            found.append(out)

        hooks = [stage.register_forward_hook(keep) for stage in net.net.encode]
        net(x, torch.zeros_like(x[:, :1]))
        for hook in hooks:
            hook.remove()
        return found[1:]

    return NetworkEncoder(features)


ENCODERS: Mapping[str, Callable[[], Encoder | None]] = {
    "content": lambda: content_features,
    "edges": lambda: part(slice(0, 9), slice(26, 35)),
    "structure": lambda: part(slice(9, 26), slice(35, 52)),
    "colour": lambda: part(slice(52, 55)),
    "detector": detector,
    "stage1": first_stage,
    "ssim": lambda: None,
}


def compared(output: Image, target: Image, encoder: Encoder | None) -> np.ndarray:
    """The similarity of places; without an encoder SSIM at each pixel."""
    return ssim_map(output, target) if encoder is None else similarity_grid(output, target, encoder)


def below(low: np.ndarray, high: np.ndarray) -> float:
    """The share of pairs (of `low`, of `high`) that are in this order, ties by half: the AUC."""
    ordered = np.sort(low)
    less, most = (np.searchsorted(ordered, high, side) for side in ("left", "right"))
    return float((less + most).mean() / 2 / len(low))


@dataclass
class Scores:
    """What one encoder came to."""

    edits: list[dict[str, np.ndarray]] = field(default_factory=list)  # name -> (tails,)
    harmless: list[dict[str, np.ndarray]] = field(default_factory=list)
    inside: dict[str, list[float]] = field(default_factory=dict)  # map AUC by edit
    seconds: float = 0.0
    maps: int = 0

    def add(
        self, photo: Image, made: Mapping[str, Edit], encoder: Encoder | None, rng: Rng
    ) -> None:
        started = time.process_time()
        found = {n: values(compared(e.output, e.target, encoder)) for n, e in made.items()}
        self.edits.append(found)
        changed = {n: change(photo, rng) for n, change in HARMLESS.items()}
        self.harmless.append({n: values(compared(c, photo, encoder)) for n, c in changed.items()})
        self.seconds += time.process_time() - started
        self.maps += len(made) + len(changed)
        kinds = list(HARMLESS.values())
        for name, edit in made.items():
            output = kinds[int(rng.integers(len(kinds)))](edit.output, rng)
            places = compared(output, edit.target, encoder)
            size = photo.shape[1], photo.shape[0]
            pixels = cv2.resize(places, size, interpolation=cv2.INTER_LINEAR)
            edited = edit.mask > 0.5
            self.inside.setdefault(name, []).append(below(pixels[edited], pixels[~edited]))

    def row(self, tail: int) -> dict[str, float]:
        """The figures for one of TAILS."""
        pairs = [
            (edit, change, float(a[tail] < b[tail]) + 0.5 * float(a[tail] == b[tail]))
            for low, high in zip(self.edits, self.harmless, strict=True)
            for edit, a in low.items()
            for change, b in high.items()
        ]
        low, high = (
            np.array([v[tail] for of in side for v in of.values()])
            for side in (self.edits, self.harmless)
        )
        out = {
            "ranked": float(np.mean([right for *_, right in pairs])),
            "AUC": below(low, high),
            "map AUC": float(np.mean([np.mean(v) for v in self.inside.values()])),
            "ms": 1000 * self.seconds / self.maps,
        }
        for name in (*EDITS, "text", "face"):
            of = [right for edit, _, right in pairs if edit == name]
            out[f"- {name}"] = float(np.mean(of)) if of else float("nan")
        for name in HARMLESS:
            out[f"+ {name}"] = float(np.mean([right for _, of, right in pairs if of == name]))
        return out


def values(places: np.ndarray) -> np.ndarray:
    return np.array([tail_mean(places, tail) for tail in TAILS])


def measure(
    files: Sequence[Path], indices: Iterable[int], seed: int,
    known: Mapping[str, tuple[Encoder | None, Scores]],
) -> None:  # fmt: skip
    """Scores some of the files by every encoder; the others give what is pasted in."""
    faces = [file for file in files if file.name.startswith("face-")]
    for index in indices:
        rng = generator(seed, "alignment", index)
        photo = read_rgb(files[index])
        other = read_rgb(files[(index + int(rng.integers(1, len(files)))) % len(files)])
        face = None
        if files[index] in faces and len(faces) > 1:
            face = read_rgb(faces[(faces.index(files[index]) + 1) % len(faces)])
        made = edits(photo, other, face, rng)
        for encoder, scores in known.values():
            scores.add(photo, made, encoder, generator(seed, "harmless", index))


@click.command(help=__doc__)
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--count", default=127)
@click.option("--seed", default=0)
@click.option("--encoders", default=",".join(ENCODERS), show_default=True)
@click.option("--json", "json_file", type=click.Path(path_type=Path))
def main(data: Path, count: int, seed: int, encoders: str, json_file: Path | None) -> None:
    files = photos_in(data, count)
    known = {name: (ENCODERS[name](), Scores()) for name in encoders.split(",")}
    measure(files, range(len(files)), seed, known)
    rows = {
        f"{name}, {tail:g}": scores.row(place)
        for name, (_, scores) in known.items()
        for place, tail in enumerate(TAILS)
    }
    figures = list(next(iter(rows.values())))
    click.echo(f"{len(files)} photos, seed {seed}")
    click.echo(table_line("encoder, tail", *figures))
    click.echo(table_line(*["---"] * (len(figures) + 1)))
    for name, row in rows.items():
        cells = (f"{v:.0f}" if f == "ms" else f"{v:.3f}" for f, v in row.items())
        click.echo(table_line(name, *cells))
    if json_file is not None:
        json_file.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
