"""Trains the first stage of colouring: lightness, prompt and region colours to chroma."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unfade.data.captions import phrase_words
from unfade.data.colour import (
    ColourSample,
    colour_sample,
    middle,
    plain_sample,
    split_photos,
)
from unfade.data.garments import garment_words, label_regions, recolour_garments
from unfade.data.pairs import check_size
from unfade.data.recolour import Lab, to_lab, to_rgb
from unfade.data.sources import CleanPhoto
from unfade.models.colouriser import (
    CELL,
    STRIDE,
    Colouriser,
    annealed_mean,
    bin_centres,
    padded,
    soft_bins,
)
from unfade.models.inference import inference
from unfade.models.tensors import from_array
from unfade.models.words import Vocabulary, learn_vocabulary
from unfade.rng import generator
from unfade.train.options import ColourRecipe
from unfade.train.sample_grid import write_sample_grid
from unfade.train.task import Batch, Split, random_index

_GRID_SAMPLES = 24  # photos on the sheet
_VALIDATION_SAMPLES = 96  # held-out photos, at most
_COUNTED = 600  # photos that the frequency of colours is counted on
_THUMB = 32  # pixels, their side
_RENAMED = 32  # held-out people, at most, one garment of whom gets another colour
_HUE = 30.0  # degrees: how near the named colour a garment's hue is to be
_CHROMATIC = 8.0  # chroma from which a colour has a hue


class ColourTask:
    """Learns the chroma of `data.colour`'s samples with a cross-entropy over bins.

    Photos held out by the hash of their keys (`data.colour.is_held_out`) are never trained on.

    Raises:
        UsageError: crops that do not fit the network.
    """

    def __init__(self, recipe: ColourRecipe, photos: Sequence[CleanPhoto]) -> None:
        check_size(recipe.samples.size, STRIDE)
        self.photos, self.held_out = split_photos(photos)
        self.labelled = [i for i, photo in enumerate(self.photos) if photo.labels is not None]
        words = recipe.model.words or _vocabulary(recipe, self.photos)
        self.recipe = replace(recipe, model=replace(recipe.model, words=words))
        self.vocabulary = Vocabulary(words)
        self.shares = colour_shares(self.photos)

    def build(self) -> nn.Module:
        """The untrained network, whose encoder may have ImageNet's weights."""
        network = Colouriser(self.recipe.model)
        network.set_prior(self.shares)
        if self.recipe.imagenet:
            network.encoder.load_imagenet()
        return network

    def sample(self, split: Split, index: int) -> Batch:
        """Light (1, S, S), region colours (3, S, S), tokens (T,) and chroma (2, S / 4, S / 4)."""
        drawn = colour_sample(
            self.photos,
            self.labelled,
            self.recipe.loop.seed,
            random_index(split, index),
            self.recipe.samples,
        )
        return self._batch(drawn, drawn.prompt)

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """The mean cross-entropy of the bins; the errors of the mean chroma and of gray."""
        network = cast(Colouriser, model)
        logits = network(batch["light"], batch["region_colours"], batch["tokens"]).float()
        chroma, centres = batch["chroma"], cast(Tensor, network.centres)
        target = soft_bins(chroma, centres)  # (N, Q, h, w)
        losses = -(target * logits.log_softmax(1)).sum(1)  # (N, h, w)
        if self.recipe.rebalance > 0:
            weights = network.bin_weights(self.recipe.rebalance)
            losses = losses * torch.einsum("nqhw,q->nhw", target, weights)
        mean = annealed_mean(logits.detach(), centres)
        figures = {"chroma_error": chroma_distance(mean, chroma), "gray_error": _length(chroma)}
        return losses.mean(), figures

    def validate(self, model: nn.Module, path: Path) -> dict[str, float]:
        """Validates on held-out photos: gray, coloured, coloured with the caption, original.

        Figures are means over the photos: the distance of the chroma from the photo's, of gray
        (`gray_error`), of the network without and with the caption; how colourful the results are
        as a share of the photos' colourfulness; and, of garments that a prompt gives another
        colour, the share whose hue is within 30 degrees of it (`renamed`).
        """
        network = cast(Colouriser, model)
        step = max(1, len(self.held_out) // _VALIDATION_SAMPLES)
        errors: dict[str, list[float]] = {}
        rows: list[list[Tensor]] = []
        for photo in self.held_out[::step][:_VALIDATION_SAMPLES]:
            sample = plain_sample(photo, self.recipe.samples.size)
            plain, prompted = (
                self._coloured(network, sample, text) for text in ("", sample.prompt)
            )
            true = _cells(sample.lab[..., 1:])
            _add(errors, _figures(plain, prompted, true))
            if len(rows) < _GRID_SAMPLES:
                chromas = (torch.zeros_like(true), plain, prompted, true)
                rows.append([_picture(sample.lab[..., 0], chroma) for chroma in chromas])
        write_sample_grid(path, [rows[i] + rows[i + 1] for i in range(0, len(rows) - 1, 2)] or rows)
        means = {name: sum(values) / len(values) for name, values in errors.items()}
        for name in ("colourful", "told_colourful"):
            means[name] /= max(1e-6, means["true_colourful"])
        del means["true_colourful"]
        return {**means, **self._renamed(network)}

    def _batch(self, sample: ColourSample, prompt: str) -> Batch:
        length = self.recipe.model.length
        return {
            "light": from_array(np.ascontiguousarray(sample.seen, np.float32))[None],
            "region_colours": from_array(
                np.ascontiguousarray(sample.region_colours.transpose(2, 0, 1))
            ),
            "tokens": padded(self.vocabulary.encode(prompt, length), length),
            "chroma": _cells(sample.lab[..., 1:]),
        }

    def _coloured(self, network: Colouriser, sample: ColourSample, prompt: str) -> Tensor:
        """The mean chroma of a sample, (2, S / 4, S / 4)."""
        device = next(network.parameters()).device
        batch = {k: v[None].to(device) for k, v in self._batch(sample, prompt).items()}
        with inference(device):
            logits = network(batch["light"], batch["region_colours"], batch["tokens"])
            return annealed_mean(logits, cast(Tensor, network.centres))[0].cpu()

    def _renamed(self, network: Colouriser) -> dict[str, float]:
        """The share of held-out garments that take the hue that a prompt gives them."""
        right: list[float] = []
        for number, photo in enumerate(p for p in self.held_out if p.labels is not None):
            if len(right) >= _RENAMED:
                break
            rng = generator(self.recipe.loop.seed, "renamed", number)
            sample = renamed_sample(photo, self.recipe.samples.size, rng)
            if sample is not None:
                region = _cells(sample.region[..., None])  # (1, h, w)
                target = _cells(sample.lab[..., 1:])
                got = self._coloured(network, sample, sample.prompt)
                right.append(_same_hue(got, target, region))
        return {"renamed": sum(right) / len(right)} if right else {}


def _vocabulary(recipe: ColourRecipe, photos: Sequence[CleanPhoto]) -> list[str]:
    """The words of the photos' captions and of generated phrases."""
    captions = [text for photo in photos for text in photo.captions]
    phrases = [*phrase_words(), *garment_words(photos)] * recipe.least
    return learn_vocabulary([*captions, *phrases], least=recipe.least, most=recipe.vocabulary)


def colour_shares(photos: Sequence[CleanPhoto]) -> Tensor:
    """The frequency of each bin of chroma, (Q,), on photos spread evenly over all."""
    centres = from_array(bin_centres())
    total = torch.zeros(len(centres))
    for photo in photos[:: max(1, len(photos) // _COUNTED)]:
        small = cv2.resize(photo.decode(), (_THUMB, _THUMB), interpolation=cv2.INTER_AREA)
        chroma = from_array(np.ascontiguousarray(to_lab(np.asarray(small, np.float32))[..., 1:]))
        total += soft_bins(chroma.permute(2, 0, 1)[None], centres).mean((0, 2, 3))
    return total / total.sum()


def renamed_sample(photo: CleanPhoto, size: int, rng: np.random.Generator) -> ColourSample | None:
    """The middle square of a labelled photo, with a new colour for one garment.

    None if the new colour has no hue, or no garment is large enough.
    """
    sample, labels = plain_sample(photo, size), photo.labels
    assert labels is not None, "only labelled photos are asked for"
    levels = middle(labels.decode())
    levels = np.asarray(cv2.resize(levels, (size, size), interpolation=cv2.INTER_NEAREST), np.uint8)
    regions = label_regions(levels, labels.names)
    regions = {name: mask for name, mask in regions.items() if name not in ("null", "hair")}
    if not regions:
        return None
    name = sorted(regions)[int(rng.integers(len(regions)))]
    lab, prompt, _ = recolour_garments(sample.lab, {name: regions[name]}, (), rng)
    chroma = lab[..., 1:][regions[name] > 0.5].mean(0)
    if float(np.hypot(*chroma)) < _CHROMATIC:
        return None
    return replace(sample, lab=lab, prompt=prompt, region=regions[name])


def chroma_distance(out: Tensor, target: Tensor) -> float:
    """The mean distance of a and b; (..., 2, H, W) each."""
    return _length(out - target)


def _length(chroma: Tensor) -> float:
    return float(chroma.square().sum(-3).sqrt().mean())


def colourfulness(chroma: Tensor) -> float:
    """M(1) of Hasler and Suesstrunk (2003): the spread of a and b and how far their mean is off.

    Args:
        chroma: (2, H, W).
    """
    flat = chroma.flatten(1)
    spread, middle = flat.var(1, correction=0).sum().sqrt(), flat.mean(1).square().sum().sqrt()
    return float(spread + 0.37 * middle)


def _figures(plain: Tensor, told: Tensor, true: Tensor) -> dict[str, float]:
    return {
        "gray_error": _length(true),
        "chroma_error": chroma_distance(plain, true),
        "told_error": chroma_distance(told, true),
        "colourful": colourfulness(plain),
        "told_colourful": colourfulness(told),
        "true_colourful": colourfulness(true),
    }


def _same_hue(got: Tensor, wanted: Tensor, region: Tensor) -> float:
    """1 where the mean chroma of a region is within 30 degrees of the wanted one's hue, else 0."""
    (a, b), (c, d) = (((x * region).sum((1, 2))).numpy() for x in (got, wanted))
    turn = math.degrees(abs(math.atan2(a * d - b * c, a * c + b * d)))
    return float(turn <= _HUE)


def _add(lists: dict[str, list[float]], figures: dict[str, float]) -> None:
    for name, value in figures.items():
        lists.setdefault(name, []).append(value)


def _cells(plane: Lab) -> Tensor:
    """(S, S, C) -> (C, S / 4, S / 4), means."""
    tensor = from_array(np.ascontiguousarray(plane.transpose(2, 0, 1)))
    return F.avg_pool2d(tensor[None], CELL)[0]


def _picture(light: Lab, chroma: Tensor) -> Tensor:
    """L (S, S) with chroma (2, S / 4, S / 4) as sRGB, (3, S, S)."""
    size = (int(light.shape[0]), int(light.shape[1]))
    full = F.interpolate(chroma[None], size=size, mode="bilinear", align_corners=False)[0]
    lab = np.concatenate([light[..., None], full.permute(1, 2, 0).numpy()], 2)
    return from_array(np.ascontiguousarray(to_rgb(lab).transpose(2, 0, 1)))
