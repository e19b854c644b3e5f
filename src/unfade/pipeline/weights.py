"""Locates and checks the files of the diffusion model before they are loaded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from unfade.errors import WeightsError
from unfade.manifest import sha256_file
from unfade.models.presets import CFW, DIFFUSION_PARTS, SD21, Preset, find_preset
from unfade.options import Prediction

Source = str | Path  # a path, or an id of the hub
_HASHED = (".safetensors", ".bin", ".json", ".txt")


@dataclass(frozen=True)
class DiffusionWeights:
    """The parts of a diffusion model.

    Attributes:
        preset: the source of all parts that are not named separately.
        base: a base model in its place (`models.sources.find_base`), or None.
        controlnet: a ControlNet in its place (`models.sources.find_controlnet`), or None.
        prediction: what the base model predicts, "epsilon" or "v"; None is what its files say.
    """

    preset: Preset
    base: Source | None = None
    controlnet: Source | None = None
    prediction: Prediction | None = None

    @classmethod
    def find(
        cls, preset: Source, *, base: Source | None = None, controlnet: Source | None = None,
        prediction: Prediction | None = None,
    ) -> DiffusionWeights:  # fmt: skip
        """Those of a preset, by name or folder, with parts from elsewhere.

        Raises:
            UsageError: no such preset.
            WeightsError: the preset is damaged, or nothing is where a part is to come from.
        """
        for source, option in ((base, "base"), (controlnet, "controlnet")):
            if source is not None and not Path(source).exists():
                from unfade.models.sources import check_named

                check_named(source, option)
        return cls(find_preset(preset), base, controlnet, prediction)

    @property
    def chosen_by_user(self) -> bool:
        """Whether the user named a base model or a ControlNet, rather than a preset alone."""
        return self.preset.name == SD21 or self.base is not None or self.controlnet is not None

    @property
    def lacks_controlnet(self) -> bool:
        """Whether the model is a base model that was named, without a ControlNet.

        A preset's ControlNet was trained on the preset's base model, and does not count for
        another one.
        """
        named = self.base is not None or self.preset.name == SD21
        return named and self.controlnet is None

    @property
    def missing(self) -> list[str]:
        """The parts that are not there and are not named either."""
        if self.base is not None or self.preset.name == SD21:
            return []
        missing = self.preset.missing
        if self.controlnet is not None:
            missing = [name for name in missing if name != "controlnet"]
        return missing

    @property
    def cfw(self) -> Path | None:
        """The folder of the CFW: beside a ControlNet named apart, or the preset's own.

        The preset's own knows the preset's autoencoder only.
        """
        neighbour = None if self.controlnet is None else Path(self.controlnet) / CFW
        if neighbour is not None and neighbour.is_dir():
            return neighbour
        fits = self.base is None and bool(self.preset.part(CFW))
        return self.preset.folder / CFW if fits else None

    def require(self, *, cfw: bool = False) -> None:
        """Raises an error if a part is missing.

        Args:
            cfw: whether the CFW counts.

        Raises:
            WeightsError: a part is missing.
        """
        if not self.missing:
            if cfw and self.cfw is None:
                fix = "leave the fidelity out, or train a CFW (`unfade train cfw`)"
                raise WeightsError(
                    f"no {CFW}/", "the CFW, which fidelity needs", fix, path=self.preset.folder
                )
            return
        raise WeightsError(
            f"no {', '.join(f'{name}/' for name in self.missing)}",
            "the diffusion model, which this needs",
            "use a preset that has it (preset=FOLDER), or name a base model and a ControlNet "
            "(preset='sd21' base=ID|PATH controlnet=ID|PATH); `unfade models` shows what is "
            "there",
            path=self.preset.folder,
        )

    def verify(self) -> None:
        """Checks the hashes of the preset's files. WeightsError if one differs."""
        self.preset.check(self._preset_files)

    @cached_property
    def hashes(self) -> dict[str, str]:
        """What the model is made of: file -> SHA-256; of a model from the hub, its ID@REVISION."""
        hashes = {name: self.preset.sha256[name] for name in self._preset_files}
        if self.base is not None or self.preset.name == SD21:
            hashes |= _hashes("base", self.base, DIFFUSION_PARTS[:-1])
        if self.controlnet is not None:
            inner = "controlnet" if (Path(self.controlnet) / "controlnet").is_dir() else "."
            hashes |= _hashes("controlnet", self.controlnet, (inner, CFW))
        if self.prediction is not None and hashes:
            hashes["prediction"] = self.prediction
        return hashes

    @property
    def _preset_files(self) -> list[str]:
        """The preset's files that the model is loaded from."""
        parts: list[str] = [] if self.base is not None else list(DIFFUSION_PARTS[:-1])
        if self.controlnet is None and not self.lacks_controlnet:
            parts.append("controlnet")
        preset_cfw = self.preset.folder / CFW
        parts += [CFW] if self.cfw == preset_cfw else []
        return [name for part in parts for name in self.preset.part(part)]


def _hashes(name: str, source: Source | None, parts: tuple[str, ...]) -> dict[str, str]:
    """The files of a part from elsewhere. A revision of the hub stands for its contents."""
    path = None if source is None else Path(source)
    if path is not None and path.is_file():
        return {f"{name}/{path.name}": sha256_file(path)}
    if path is None or not path.is_dir():
        from unfade.models.sd21 import SD21_ID
        from unfade.models.sources import revision_of

        revision = revision_of(SD21_ID if source is None else str(source))
        return {name: str(source) if revision is None else "@".join(revision)}
    folders = [path / part for part in parts if (path / part).is_dir()]
    files = sorted(p for f in folders for p in f.iterdir() if p.suffix in _HASHED and p.is_file())
    return {f"{name}/{p.relative_to(path).as_posix()}": sha256_file(p) for p in files}
