"""The HTTP API: detect and restore, for programs; they queue with the visitors of the page."""

from __future__ import annotations

from dataclasses import dataclass

from unfade.errors import UsageError
from unfade.options import ExistingColours, Sensitivity, Task
from unfade.web import actions
from unfade.web.session import AppContext
from unfade.web.settings import Settings, settings_from


@dataclass(frozen=True)
class Programs:
    """The two functions of the HTTP API."""

    context: AppContext

    def detect(
        self, photo: str | None, threshold: float | None = None,
        sensitivity: Sensitivity = "normal", protect: str | None = None,
    ) -> str:  # fmt: skip
        """The damage of a photo as a mask: PNG, 255 = damaged."""
        if photo is None:
            raise UsageError("no photo", "a photo", "upload one")
        with self.context.detecting.hold():
            mask = actions.detect_upload(
                self.context, photo, threshold, sensitivity=sensitivity, protect=protect
            )
        return str(mask)

    def restore(
        self, photo: str | None, mask: str | None = None, threshold: float | None = None,
        task: Task = Settings.task, only_damage: bool = Settings.only_damage,
        keep_tone: bool = Settings.keep_tone, prompt: str = Settings.prompt,
        automatic: bool = Settings.automatic, fidelity: float = Settings.fidelity,
        strength: float = Settings.strength, steps: float = Settings.steps,
        seed: float = Settings.seed, variants: float = Settings.variants,
        scale: float = Settings.scale,
        existing_colours: ExistingColours = Settings.existing_colours,
        sharp: bool = Settings.sharp,
        regions: list[str] | None = None, colours: str = "",
        sensitivity: Sensitivity = "normal", protect: str | None = None,
    ) -> list[str]:  # fmt: skip
        """Restores a photo: the photo in its own format, then its manifest.

        `colours` names one for each mask of `regions`, with commas between them.
        """
        if photo is None:
            raise UsageError("no photo", "a photo", "upload one")
        chosen = settings_from(
            (task, only_damage, keep_tone, prompt, automatic, fidelity, strength, steps, seed,
             variants, scale, existing_colours, sharp)
        )  # fmt: skip
        named = [word.strip() for word in str(colours).split(",") if word.strip()]
        if len(named) != len(regions or []):
            got = f"{len(regions or [])} regions and {len(named)} colours"
            raise UsageError(got, "as many of both", "name one colour for each region")
        painted = list(zip(regions or [], named, strict=True))
        with self.context.restoring.hold():
            files = actions.restore_upload(
                self.context, photo, mask, chosen, threshold, painted, sensitivity=sensitivity,
                protect=protect,
            )  # fmt: skip
        return [str(file) for file in files]
