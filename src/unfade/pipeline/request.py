"""Resolves a request: one photo with its mask, options and sampling parameters, immutable."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from unfade.imaging import Photo, read_mask
from unfade.masks import Mask, damaged_share, harden
from unfade.options import RestoreOptions, Sensitivity
from unfade.pipeline.colourise import ColourSettings
from unfade.pipeline.damage_estimate import Damage, estimate_damage
from unfade.pipeline.first_stage import FirstStage
from unfade.pipeline.protect import read_protected, remove_protected
from unfade.pipeline.region_colours import RegionColour, read_region_colours
from unfade.pipeline.sampling import SamplingParameters, sampling_parameters
from unfade.pipeline.stages import Stages
from unfade.pipeline.tone import has_colours
from unfade.pipeline.traits import TRAITS
from unfade.timing import Progress, StageTimer

logger = logging.getLogger(__name__)

#: The threshold of a user's own mask, where the options name none.
MASK_FILE_THRESHOLD = 0.5


@dataclass(frozen=True, eq=False)
class Request:
    """A photo, and the resolved settings of its restoration. Nothing of it is changed later.

    Attributes:
        photo: as it was read.
        options: as they were given.
        threshold: the probability, 0..1, from which a pixel of the mask is damaged.
        mask: (H, W), probability of damage in 1/255; None where nothing is to be filled.
        protected: (H, W), 255 where no pixel may change; None where nothing is protected.
        region_colours: the colours that regions of the photo are to get.
        damage: what was measured; None where the diffusion model cannot take part.
        sampling: how the diffusion model is run; None where it cannot take part.
        colour_settings: how the first stage for colours is run; None where it takes no part.
        refreshes: whether the photo is to be coloured, and has colours that are refreshed instead.
    """

    photo: Photo
    options: RestoreOptions
    threshold: float
    mask: Mask | None = None
    protected: Mask | None = None
    region_colours: tuple[RegionColour, ...] = ()
    damage: Damage | None = None
    sampling: SamplingParameters | None = None
    colour_settings: ColourSettings | None = None
    refreshes: bool = False

    @property
    def diffuses(self) -> bool:
        """Whether the diffusion model takes part."""
        return self.sampling is not None and self.sampling.strength > 0

    @property
    def corrects_tone(self) -> bool:
        """Whether the tone of the whole photo is corrected."""
        mends = self.options.tone != "keep" if self.refreshes else self.options.mends_tone
        return mends and not self.options.only_damage

    @property
    def damaged(self) -> float | None:
        """The share of damaged pixels, 0..1; None where nothing is to be filled."""
        return None if self.mask is None else damaged_share(self.mask, self.threshold)

    @property
    def colours_record(self) -> dict[str, float] | None:
        """How the colours are refreshed or found by the first stage, for the manifest."""
        if self.refreshes:
            return {"refreshed": True, "saturation": self.options.saturation}
        return None if self.colour_settings is None else asdict(self.colour_settings)

    @property
    def diffusion_record(self) -> dict[str, float] | None:
        """The sampling parameters and the measured damage, for the manifest."""
        if self.sampling is None or self.damage is None:
            return None
        return {**asdict(self.sampling), **asdict(self.damage)}


def resolve_threshold(options: RestoreOptions, thresholds: Mapping[Sensitivity, float]) -> float:
    """The probability, 0..1, from which a pixel of the mask is damaged.

    Args:
        thresholds: the detector's, by sensitivity.
    """
    if options.threshold is not None:
        return options.threshold
    if isinstance(options.search, Path):
        return MASK_FILE_THRESHOLD
    return thresholds[options.sensitivity]


def resolve(
    photo: Photo, options: RestoreOptions, stages: Stages, timer: StageTimer,
    detected: Mask | None = None,
) -> Request:  # fmt: skip
    """Detects or reads the damage of a photo, and resolves how it is restored.

    Args:
        detected: (H, W), the probability of damage in 1/255 from an earlier detection, or None.

    Raises:
        InputError: a mask cannot be read, or does not fit the photo.
    """
    threshold = resolve_threshold(options, stages.first_stage.thresholds)
    protected = read_protected(photo, options.protect, options.max_pixels)
    mask: Mask | None = None
    if options.search == "auto" and detected is not None:
        if detected.shape != (photo.height, photo.width):
            raise ValueError(
                f"damage of {detected.shape} for a photo {photo.height} x {photo.width}"
            )
        mask = detected
    elif options.search == "auto":
        with timer.stage("detect", 0.02, 0.3) as progress:
            mask = stages.first_stage.detect(photo, tile=options.tile, progress=progress)
    elif options.search != "none":
        with timer.stage("read", 0.02, 0.3):
            size = (photo.height, photo.width)
            mask = read_mask(options.search, size=size, max_pixels=options.max_pixels)
            mask = harden(mask, threshold)
    if mask is not None and protected is not None:
        mask = remove_protected(mask, protected)
    request = Request(
        photo, options, threshold, mask, protected, tuple(read_region_colours(photo, options))
    )
    if options.refreshes_colours and has_colours(photo, mask, threshold):
        mends = options.asks_mending
        _warn_of_refreshing(options, None if mends else request.damaged)
        return replace(request, mask=mask if mends else None, refreshes=True)
    diffusion = stages.diffusion
    if not diffusion.may_be_used(options):
        if TRAITS[options.task].finds_colours and stages.colouriser is not None:
            return replace(request, colour_settings=stages.colouriser.settings(options))
        return request
    with timer.stage("measure", 0.3, 0.3):
        damage = estimate_damage(photo, mask, threshold)
    cfw = diffusion.weights.cfw is not None
    sampling = sampling_parameters(
        options, damage, cfw=cfw, defaults=diffusion.defaults,
        chosen_by_user=diffusion.weights.chosen_by_user,
    )  # fmt: skip
    return replace(request, damage=damage, sampling=sampling)


def _warn_of_refreshing(options: RestoreOptions, left: float | None) -> None:
    """Warns that colours are refreshed, unless the options say so, and of unused options.

    Args:
        left: the share of damaged pixels that are not mended.
    """
    texts: list[str] = []
    if options.existing_colours is None:
        texts.append(
            "this photo has colours: they were refreshed; existing_colours='replace' gives it "
            "new ones"
        )
    if left:
        texts.append(
            f"{100 * left:.2f} % of this photo looks damaged and was left as it is; "
            "task='old-photo' mends it, and refreshes the colours too"
        )
    unused = [name.replace("_", " ") for name in options.for_new_colours]
    if unused:
        texts.append(f"colours are refreshed, so this has no effect: {', '.join(unused)}")
    for text in texts:
        logger.warning(text)


def detect_damage(
    photo: Photo, options: RestoreOptions, first_stage: FirstStage, progress: Progress
) -> Mask:
    """The probability of damage, (H, W) in 1/255: 0 where something is protected.

    Raises:
        InputError: a mask of what is protected cannot be read, or does not fit the photo.
    """
    protected = read_protected(photo, options.protect, options.max_pixels)
    mask = first_stage.detect(photo, tile=options.tile, progress=progress)
    return mask if protected is None else remove_protected(mask, protected)
