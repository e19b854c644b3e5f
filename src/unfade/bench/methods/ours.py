"""Implements this project's methods: presets with options, and the first stage alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import cv2

from unfade._version import __version__
from unfade.api import Restorer
from unfade.bench.cases import Case, Cost
from unfade.bench.methods.in_process import (
    in_colours_of_reference,
    pixels,
    resized,
    restore_each,
    with_pixels,
)
from unfade.bench.result_checks import target_size
from unfade.config import from_dict, to_dict
from unfade.errors import UsageError
from unfade.imaging import Photo, read_photo
from unfade.manifest import Value
from unfade.models.presets import find_preset
from unfade.options import NOT_PUBLISHED, RestoreOptions
from unfade.types import Restored

FIRST_STAGE = "first-stage"
TRAINED_STEPS = 1000  # T of the presets' schedules


class _Ours:
    """A method that runs `Restorer` in this process. The last weights stay in memory."""

    takes_whole_case = False

    def __init__(self, name: str) -> None:
        self.name = name
        self._loaded: tuple[tuple[Any, ...], Restorer] | None = None
        self._parameters: dict[RestoreOptions, int | None] = {}
        self._warm: set[bool] = set()

    def _restorer(self, options: RestoreOptions) -> Restorer:
        key = (
            options.preset, options.device, options.base, options.controlnet, options.prediction,
            options.dtype, options.offload, options.compiled,
        )  # fmt: skip
        if self._loaded is None or self._loaded[0] != key:
            preset, device, base, controlnet, prediction, dtype, offload, compiled = key
            restorer = Restorer.from_pretrained(
                preset,
                device=device,
                base=base,
                controlnet=controlnet,
                prediction=prediction,
                dtype=dtype,
                offload=offload,
                compiled=compiled,
            )
            self._loaded, self._warm = (key, restorer), set()
        return self._loaded[1]

    def _restore_each(
        self,
        case: Case,
        options: RestoreOptions,
        images: Mapping[str, Path],
        outputs: Path,
        read: Callable[[Path], Path | Photo],
    ) -> Cost:
        """Restores the photo that `read` returns for each file."""
        restorer = self._restorer(options)
        if options not in self._parameters:
            self._parameters[options] = count_parameters(restorer, options)
        self._warm_up(restorer, options, images, read)

        steps = [0]

        def restore(name: str, path: Path) -> Photo:
            result = restorer.run(read(path), options)
            steps.append(steps_run(result.manifest["diffusion"]))
            return in_colours_of_reference(case, name, result.image)

        return restore_each(images, outputs, restore, self._parameters[options], lambda: max(steps))

    def _warm_up(
        self,
        restorer: Restorer,
        options: RestoreOptions,
        images: Mapping[str, Path],
        read: Callable[[Path], Path | Photo],
    ) -> None:
        """Restores one image without measuring, so that the measured time excludes loading."""
        diffuses = restorer.takes_part(options)
        if diffuses in self._warm or not images:
            return
        short = replace(options, steps=1) if diffuses else options
        restorer.run(read(next(iter(images.values()))), short)
        self._warm.add(diffuses)


class Preset(_Ours):
    """A preset with options.

    Args:
        name: of the method.
        given: options by name; they take the place of the case's.
    """

    def __init__(self, name: str, given: Mapping[str, Value]) -> None:
        super().__init__(name)
        self._given = dict(given)

    def options(self, case: Case) -> RestoreOptions:
        """The options for the photos of a case. UsageError if they contradict each other.

        Paper mode leaves out what a case says of options that the published method fixes; it
        takes no part where one of these is swept.
        """
        fixed = NOT_PUBLISHED if self._given.get("paper") else ()
        if case.parameter in fixed:
            got = f"paper mode with a sweep of {case.parameter}"
            raise UsageError(got, "an option that the published method leaves open", "omit paper")
        own = {name: value for name, value in to_dict(case.options).items() if name not in fixed}
        options = from_dict(own | self._given, RestoreOptions)
        if options.variants != 1:
            got = f"{options.variants} variants in a comparison"
            raise UsageError(got, "one result of each photo", "leave variants out")
        return options

    def first_stage(self, case: Case, path: Path) -> Restored:
        """The first stage's result for a photo, at the size of the final result."""
        options = self.options(case)
        alone = replace(
            options,
            strength=0.0,
            steps="auto",
            fidelity="auto",
            posterior_mean="auto",
            vae_residual="auto",
            eta=0.0,
            paper=False,
            reach=None,
        )
        return self._restorer(options).run(path, alone)

    def threshold(self, case: Case) -> float:
        """The probability from which a pixel counts as damaged."""
        options = self.options(case)
        default = self._restorer(options).threshold
        return default if options.threshold is None else options.threshold

    def lacks_diffusion(self, case: Case) -> bool:
        """Whether the preset has no diffusion model for a case."""
        return not self._restorer(self.options(case)).diffuses

    def check(self, cases: Sequence[Case]) -> None:
        """Loads the first stage; looks for the diffusion model where a case asks for it.

        Raises:
            UsageError: options that make no sense for a case.
            WeightsError: weights that are missing or damaged.
        """
        for case in cases:
            options = self.options(case)
            self._restorer(options).weights_for(options)

    def identity(self, case: Case) -> Mapping[str, Value]:
        """The options and the hashes of the weights."""
        options = self.options(case)
        restorer = self._restorer(options)
        settings = {k: v for k, v in restorer.record(options).items() if k != "max_pixels"}
        return {
            "kind": "preset",
            "unfade": __version__,
            **settings,
            **restorer.weights_for(options),
        }

    def restore_folder(
        self, case: Case, images: Mapping[str, Path], outputs: Path, log: Path
    ) -> Cost | None:
        """Restores images of one case (`Method.restore_folder`)."""
        return self._restore_each(case, self.options(case), images, outputs, lambda path: path)


class FirstStage(_Ours):
    """The first stage of a preset without its diffusion model.

    Where a case enlarges, it is given the input enlarged by bicubic interpolation.
    """

    def __init__(self, name: str = FIRST_STAGE) -> None:
        super().__init__(name)

    def options(self, case: Case) -> RestoreOptions:
        """The case's options that concern the first stage."""
        given = case.options
        return RestoreOptions(
            strength=0,
            mask=given.search,
            tone="auto" if given.mends_tone else "keep",
            only_damage=given.only_damage,
            tile=given.tile,
            threshold=given.threshold,
            sensitivity=given.sensitivity,
            protect=given.protect,
            preset=given.preset,
            device=given.device,
        )

    def check(self, cases: Sequence[Case]) -> None:
        """Loads the networks. WeightsError if they are damaged."""
        for case in cases:
            self._restorer(self.options(case))

    def identity(self, case: Case) -> Mapping[str, Value]:
        """The options, the scale, and the hashes of the weights."""
        options = self.options(case)
        restorer = self._restorer(options)
        return {
            "kind": FIRST_STAGE,
            "unfade": __version__,
            **restorer.record(options),
            **restorer.weights,
            "enlarged": case.options.task == "super-resolution",
            "scale": case.options.scale,
        }

    def restore_folder(
        self, case: Case, images: Mapping[str, Path], outputs: Path, log: Path
    ) -> Cost | None:
        """Restores images of one case (`Method.restore_folder`)."""

        def enlarged(path: Path) -> Photo:
            photo = read_photo(path)
            large = resized(pixels(photo), target_size(case, photo), cv2.INTER_CUBIC)
            return with_pixels(photo, large)

        return self._restore_each(case, self.options(case), images, outputs, enlarged)


def steps_run(sampling: Mapping[str, float] | None) -> int:
    """The sampling steps that ran for a photo, by the `diffusion` of its manifest.

    At posterior mean 1 sampling ends after its first step; a low strength leaves room for fewer
    steps than were asked for.
    """
    if sampling is None or not sampling["strength"]:
        return 0
    from unfade.diffusion.schedule import timesteps

    if sampling["posterior_mean"] == 1:
        return 1
    return len(timesteps(int(sampling["steps"]), sampling["strength"], TRAINED_STEPS))


def count_parameters(restorer: Restorer, options: RestoreOptions) -> int | None:
    """The number of values in all weights that these options use, with statistics of norms.

    None if a part comes from the hub.
    """
    folder = find_preset(restorer.preset).folder
    elsewhere = {"base": options.base, "controlnet": options.controlnet}
    total = 0
    for name in restorer.weights_for(options):
        root, _, rest = name.partition("/")
        source = elsewhere.get(root)
        path = folder / name if source is None else Path(source, rest)
        if source is not None and Path(source).is_file():
            path = Path(source)
        if not path.is_file():
            return None
        if path.suffix == ".safetensors":
            total += _numbers(path)
    return total


def _numbers(path: Path) -> int:
    from safetensors import safe_open

    with cast(Any, safe_open)(path, framework="numpy") as file:
        return sum(math.prod(file.get_slice(key).get_shape()) for key in file.keys())  # noqa: SIM118
