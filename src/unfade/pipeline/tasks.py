"""The tasks that need the diffusion model: from a photo to its restored variants."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unfade.diffusion.condition import prompt_length
from unfade.imaging import Photo
from unfade.imaging.photo import resize
from unfade.models.vocabulary import unknown_words, words_beyond
from unfade.options import GUIDANCE, SCALE, RestoreOptions
from unfade.pipeline.auto import Effort
from unfade.pipeline.chroma import ChromaMap
from unfade.pipeline.colour import to_lab, with_chroma
from unfade.pipeline.denoise import Tick
from unfade.pipeline.diffusion import RestorationPipeline
from unfade.pipeline.enlarge import EnlargedPicture, check_size, passes, shrunk, with_print_size
from unfade.pipeline.holes import Mask, hole_map, put_faded, weight_rows
from unfade.pipeline.picture import LumaPicture, PhotoPicture, Picture
from unfade.pipeline.restore import Mender
from unfade.pipeline.settings import DiffusionSettings
from unfade.pipeline.upscale import Upscaler

logger = logging.getLogger(__name__)

#: The largest tile of the diffusion model, pixels: larger ones are not what it was trained on.
TILE = 512
_OVERLAP = 64
#: Short side of the copy that is coloured, pixels: colours were learnt on whole scenes.
COLOUR_SIDE = 144
_ROWS = 256
_FIRST = 0.1  # of the time goes into the first stage

Band = tuple[slice, Tensor]  # rows, and (1, 3, h, W) in [0, 1]


@dataclass(frozen=True)
class Work:
    """One photo and all that it takes to restore it.

    Memory is bounded by the tile, but for the photo, its results, and their latent.

    Attributes:
        mender: the first stage of old photos.
        upscaler: the first stage of super-resolution; None is bicubic interpolation.
        pipeline: the diffusion model.
        mask: (H, W), probability of damage in 1/255; None fills nothing.
        effort: how the model is run; its strength is above 0.
        limit: the probability from which a pixel is damage.
        progress: called with the stage and its share of the work that is done, 0..1.
    """

    mender: Mender
    upscaler: Upscaler | None
    pipeline: RestorationPipeline
    photo: Photo
    mask: Mask | None
    options: RestoreOptions
    effort: Effort
    limit: float
    progress: Callable[[str, float], None]

    def results(self) -> list[Photo]:
        """The variants that were asked for.

        Raises:
            InputError: they would be larger than the options allow.
        """
        if self.options.task == "super-resolution":
            scale = SCALE if self.options.scale is None else float(self.options.scale)
            check_size(self.photo, scale, self.options.max_pixels)
            return [self._enlarged(scale, i) for i in range(self.options.variants)]
        damaged = self.mask is not None and bool((self.mask >= self.limit * 255).any())
        seen = self.photo
        if damaged or self._mends_tone or self.options.task == "old-photo":
            seen = self._first_stage()
        holes = hole_map(self.mask, self.limit) if damaged and self.mask is not None else None
        if self.options.within_damage and holes is None:
            logger.warning(
                "no damage was found, so the diffusion model has nothing to do; "
                "reach 'all' gives it the whole photo"
            )
            return [self._kept(seen)] * self.options.variants
        restore = self._coloured if self.options.task == "colorize" else self._restored
        return [restore(seen, holes, i) for i in range(self.options.variants)]

    @property
    def _mends_tone(self) -> bool:
        return self.options.mends_tone and not self.options.only_damage

    def _first_stage(self) -> Photo:
        """What the model is shown of an old photo: all of it mended, whatever is kept later."""
        return self.mender.mend(
            self.photo, self.mask, only_damage=False, tone="auto" if self._mends_tone else "keep",
            tile=self.options.tile, threshold=self.limit,
            progress=lambda stage, share: self.progress(stage, _FIRST * share),
        )  # fmt: skip

    def _kept(self, seen: Photo) -> Photo:
        """What stands where the model's result is not taken."""
        return self.photo if self.options.only_damage else seen

    def _restored(self, seen: Photo, holes: Mask | None, variant: int) -> Photo:
        """An old photo. What the model makes of its damage keeps the first stage's chroma.

        A monochrome stays one: texture is lightness, and colours are not asked for.

        Args:
            seen: what the model is shown.
            holes: (H, W) uint8, 255 = the model is told that nothing is left there.
        """
        within = self.options.within_damage or self.options.only_damage
        kept = self._kept(seen) if within else None
        out = (kept or self.photo).blank()
        tick = self._ticker(variant, self.options.variants)
        picture, cols = PhotoPicture(seen, holes), slice(0, seen.width)
        for rows, band in self._bands(picture, variant, tick):
            if self.options.within_damage:
                band = with_chroma(to_lab(picture.read(rows, cols))[:, 1:], band)
            self._put(out, rows, band, kept)
        return out

    def _coloured(self, seen: Photo, holes: Mask | None, variant: int) -> Photo:
        """The model's chroma on the luminance that it was shown; arguments as of `_restored`.

        It is asked on a small copy: what has which colour is told by the whole, not by a tile.
        The mean of several draws errs less than each of them; no two variants share one.
        """
        small, photo, draws = _small(seen, holes), PhotoPicture(seen), self.effort.draws
        drawn = [self._chroma(small, variant * draws + i) for i in range(draws)]
        chroma = self.effort.saturation * torch.stack(drawn).mean(0)  # (2, h, w)
        whole = small.read(slice(0, small.height), slice(0, small.width))
        found = ChromaMap(chroma, to_lab(whole)[0, 0])
        out = self.photo.blank(gray=False)
        for top in range(0, seen.height, _ROWS):
            rows = slice(top, min(top + _ROWS, seen.height))
            light = photo.read(rows, slice(0, seen.width))  # (1, 3, n, W)
            kept = self.photo if self.options.only_damage else None
            self._put(out, rows, with_chroma(found.rows(light, rows, seen.height), light), kept)
        return out

    def _chroma(self, small: Picture, draw: int) -> Tensor:
        """Lab's a and b as the model finds them from one noise, (2, h, w)."""
        tick = self._ticker(draw, self.options.variants * self.effort.draws)
        bands = [to_lab(band) for _, band in self._bands(small, draw, tick)]
        return torch.cat(bands, 2)[0, 1:]

    def _enlarged(self, scale: float, variant: int) -> Photo:
        """Twice or four times as large, as often as it takes, then made smaller to fit."""
        large, steps = self.photo, passes(scale)
        for i, step in enumerate(steps):
            picture = self._made_large(large, step)
            large = large.blank(size=(picture.height, picture.width))
            tick = self._ticker(variant * len(steps) + i, self.options.variants * len(steps))
            for rows, band in self._bands(picture, variant, tick):
                large.put_srgb(rows, slice(0, picture.width), _pixels(band))
        size = (round(scale * self.photo.height), round(scale * self.photo.width))
        return with_print_size(shrunk(large, size), scale)

    def _made_large(self, photo: Photo, step: int) -> Picture:
        """What the model is shown of a small photo."""
        if self.upscaler is None:
            return EnlargedPicture(photo, step)
        return PhotoPicture(self.upscaler.once(photo, step, tick=lambda _: None))

    def _bands(self, picture: Picture, noise: int, tick: Tick) -> Iterator[Band]:
        for top, band in self.pipeline.bands(picture, self._settings, variant=noise, tick=tick):
            yield slice(top, top + band.shape[2]), band

    @property
    def _settings(self) -> DiffusionSettings:
        """The settings of the model. Where the colours are to be found, none are taken over.

        An old photo's broad colours can be: its tone has been mended before, or is to be kept.
        """
        options, tile = self.options, min(self.options.tile, TILE)
        return DiffusionSettings(
            steps=self.effort.steps,
            strength=self.effort.strength,
            prompt=options.full_prompt,
            negative_prompt=options.negative_prompt,
            guidance=GUIDANCE if options.guidance is None else options.guidance,
            self_condition=options.self_condition,
            fidelity=self.effort.fidelity,
            colour_fix="none" if options.task == "colorize" else "wavelet",
            seed=options.seed,
            tile=tile,
            overlap=min(_OVERLAP, tile // 2),
        )

    def _put(self, out: Photo, rows: slice, band: Tensor, kept: Photo | None) -> None:
        """Stores a band of the result: all of it or, beside what is kept, what lies in damage."""
        cols = slice(0, self.photo.width)
        if kept is not None and self.mask is not None:
            weight = weight_rows(self.mask, self.limit, rows)
            put_faded(out, kept, rows, cols, _pixels(band), weight)
        else:
            out.put_srgb(rows, cols, _pixels(band))

    def _ticker(self, done: int, parts: int) -> Tick:
        """Reports the share of the diffusion that is done, of which this is one of some parts."""
        rest = 1 - _FIRST
        return lambda share: self.progress("diffuse", _FIRST + rest * (done + share) / parts)


def warn_of_lost_words(pipeline: RestorationPipeline, options: RestoreOptions) -> None:
    """Warnings that name the words of the prompts that the model never saw, or will not see."""
    base = pipeline.networks.base
    words = unknown_words(base.tokenizer, f"{options.prompt} {options.negative_prompt}")
    if words:
        logger.warning("words that the model does not know, and ignores: %s", ", ".join(words))
    length = prompt_length(base.text_encoder)
    for prompt in (options.full_prompt, options.negative_prompt):
        cut = words_beyond(base.tokenizer, prompt, length)
        if cut:
            logger.warning(
                "a prompt of more than %d tokens: its end is cut off: %s", length, " ".join(cut)
            )


def _small(photo: Photo, holes: Mask | None) -> LumaPicture:
    """A photo to be coloured and its holes, no larger than `COLOUR_SIDE`."""
    factor = min(1.0, COLOUR_SIDE / min(photo.height, photo.width))
    size = (max(1, round(factor * photo.height)), max(1, round(factor * photo.width)))
    if holes is not None:
        holes = resize(holes, size)
    return LumaPicture(shrunk(photo, size), holes)


def _pixels(band: Tensor) -> NDArray[np.float32]:
    """(1, 3, h, W) -> (h, W, 3)."""
    return np.ascontiguousarray(band[0].permute(1, 2, 0).numpy())
