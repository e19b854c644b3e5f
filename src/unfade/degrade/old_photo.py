"""The old-photo recipe: simulates printing, ageing, damage and scanning, in random order.

The photo and a copy without structured damage go through the same operations. The visible
difference between the two at the end, above texture and noise, is the damage mask.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from unfade.degrade import damage as dm
from unfade.degrade import kernels, ops
from unfade.degrade.severity import MODERATE, Severity
from unfade.degrade.stencils import KINDS as STENCIL_KINDS
from unfade.degrade.stencils import Stencil, lay
from unfade.degrade.tone import Tone, draw_tone
from unfade.degrade.types import Degraded, Image, Mask, Params, Value, extent

_DrawOnce = Callable[[int, int, np.random.Generator, float], Mask]
_DrawSeveral = Callable[[int, int, np.random.Generator, float, int], Mask]

#: Structured damage: name -> (how often it is drawn, kind of damage).
_DAMAGE = {
    "scratches": (0.16, "scratches"),
    "abrasion": (0.05, "abrasion"),
    "rubbed": (0.05, "abrasion"),
    "worn_edges": (0.08, "abrasion"),
    "hairs": (0.10, "hairs"),
    "cracks": (0.15, "cracks"),
    "network": (0.05, "networks"),
    "wrinkles": (0.05, "creases"),
    "fold": (0.1, "creases"),
    "dust": (0.15, "specks"),
    "blots": (0.08, "blobs"),
    "flakes": (0.06, "blobs"),
    "torn": (0.1, "borders"),
    "scribble": (0.02, "writing"),
    "handwriting": (0.03, "writing"),
    "strip": (0.04, "stains"),
}
#: Damage that is drawn several times: name -> (its coverage, least and largest number).
_SEVERAL: dict[str, tuple[_DrawSeveral, int, int]] = {
    "scratches": (dm.scratches, 1, 8),
    "abrasion": (dm.abrasion, 1, 8),
    "hairs": (dm.hairs, 1, 7),
    "cracks": (dm.cracks, 1, 4),
    "wrinkles": (dm.wrinkles, 3, 20),
    "dust": (dm.dust, 4, 60),
    "blots": (dm.blots, 1, 6),
}
_MUCH_DUST = (60, 250)  # specks on a very dusty photo
#: Damage that is drawn once: name -> its coverage. `_damage` draws "torn".
_SINGLE: dict[str, _DrawOnce] = {
    "rubbed": dm.rubbed,
    "worn_edges": dm.worn_edges,
    "network": dm.network,
    "fold": dm.fold,
    "flakes": dm.flakes,
    "scribble": dm.scribble,
    "handwriting": dm.handwriting,
    "strip": dm.strip,
}
_TORN = ["corner", "edge", "bite", "sides"]
_STENCILS = 0.35  # chance that damage is a shape of real damage, where there are any
_LEAST_CHANGE = 0.07  # [0, 1] units; a smaller change does not show
#: Shares of damage that is light, dark and of any hue; the rest changes the brightness alone.
_LOOKS = {
    "hairs": (0.35, 0.5, 0.05),
    "specks": (0.55, 0.3, 0.07),
    "stains": (0.2, 0.5, 0.25),
    "writing": (0.2, 0.6, 0.2),
    "abrasion": (0.5, 0.25, 0.1),
}

Step = Callable[[], None]


@dataclass
class _Print:
    """The state of a photo in the recipe.

    Attributes:
        image: the photo after all operations so far.
        undamaged: the same without structured damage.
        toned: the clean photo with the changes of tone alone.
        covers: coverage of each kind of damage, (H, W) in [0, 1].
        lost: mask of the lost border.
    """

    image: Image
    undamaged: Image
    toned: Image
    lost: Mask
    rng: np.random.Generator
    severity: Severity
    unit: float
    covers: dict[str, Mask] = field(default_factory=dict[str, Mask])
    params: list[Params] = field(default_factory=list[Params])
    gray: bool = False

    def note(self, op: str, **values: Value) -> None:
        self.params.append({"op": op, **values})

    def everywhere(self, change: Callable[[Image, np.random.Generator], Image]) -> None:
        """Applies a change, with the same random numbers, to the photo and its undamaged copy."""
        seed = int(self.rng.integers(1 << 31))
        untouched = self.image is self.undamaged
        self.image = change(self.image, np.random.default_rng(seed))
        same = untouched and not self.covers
        self.undamaged = self.image if same else change(self.undamaged, np.random.default_rng(seed))

    def draws_optional(self, share: float, limit: float = 1.0) -> bool:
        """Whether an optional operation with this limit is drawn."""
        roll = self.rng.random()
        return limit > 0 and (self.severity.only or roll < share)

    def draws_unless_mixture(self, share: float) -> bool:
        """Whether an operation is drawn that mixtures of two kinds leave out."""
        return self.rng.random() < share and not self.severity.only


def _lens(p: _Print) -> None:
    if not p.draws_optional(0.65, p.severity.blur):
        return
    rng = p.rng
    sx = rng.uniform(0.25, 1.0) * p.severity.blur * p.unit
    sy = sx * (1.0 if rng.random() < 0.6 else rng.uniform(0.5, 1.5))
    theta = rng.uniform(0, math.pi)
    if max(sx, sy) > 0.25:
        size = min(kernels.size_for(max(sx, sy)), max(41, 2 * round(6.5 * p.unit) + 1))
        kernel = kernels.gaussian(size, sx, sy, theta)
        p.everywhere(lambda image, _: kernels.apply(image, kernel))
        p.note("blur", sigma_x=sx, sigma_y=sy, theta=theta)


def _resample(p: _Print, largest: float, quality: int | None = None) -> None:
    """Downsamples the photo and enlarges it again, optionally with JPEG in between."""
    h, w = extent(p.image)
    factor = math.exp(p.rng.uniform(-math.log(largest), 0))
    down, up = (str(x) for x in p.rng.choice(["area", "bilinear", "bicubic"], 2))
    up = "bicubic" if up == "area" else up

    def change(image: Image, _: np.random.Generator) -> Image:
        small = ops.resize(image, max(1, round(h * factor)), max(1, round(w * factor)), down)
        if quality is not None:
            small = ops.jpeg(small, quality)
        return ops.resize(small, h, w, up)

    p.everywhere(change)
    p.note("resample", factor=factor, down=down, up=up, jpeg=100 if quality is None else quality)


def _grain(p: _Print) -> None:
    rng = p.rng
    skipped = rng.random() < 0.2 and not p.severity.only
    if skipped or p.severity.noise <= 0:
        return
    kind = str(rng.choice(["gaussian", "poisson", "grain"], p=[0.3, 0.2, 0.5]))
    sigma = float(p.severity.noise * rng.uniform(0.1, 1.0))
    gray = bool(rng.random() < 0.5)
    size = float(rng.uniform(0.2, 0.9) * max(1.0, p.unit))
    if kind == "gaussian":
        p.everywhere(lambda image, noise: ops.gaussian_noise(image, sigma, gray, noise))
    elif kind == "poisson":
        p.everywhere(lambda image, noise: ops.poisson_noise(image, 2 * sigma**2, gray, noise))
    else:
        p.everywhere(lambda image, noise: ops.film_grain(image, sigma, size, noise))
        p.note("grain_size", size=size)
    p.note(kind, sigma=sigma, gray=int(gray))


def _tone(p: _Print, change: Tone) -> None:
    p.everywhere(lambda image, _: change.apply(image))
    p.toned = change.apply(p.toned)
    p.gray = p.gray or change.saturation == 0
    p.params.append(change.params())


def _vignette(p: _Print) -> None:
    amount = float(p.rng.uniform(-0.35, 0.6) * p.severity.fade)
    seed = int(p.rng.integers(1 << 31))
    p.everywhere(lambda image, _: dm.vignette(image, np.random.default_rng(seed), amount))
    p.toned = dm.vignette(p.toned, np.random.default_rng(seed), amount)
    p.note("vignette", amount=amount)


def _stain(p: _Print) -> None:
    p.everywhere(lambda image, rng: dm.stain(image, rng, p.unit))
    p.note("stain")


def _paper_texture(p: _Print) -> None:
    p.everywhere(lambda image, rng: dm.paper_texture(image, rng, p.unit))
    p.note("paper_texture")


def _halftone(p: _Print) -> None:
    rng = p.rng
    pitch, angle = float(rng.uniform(2.2, 5) * max(p.unit, 1)), float(rng.uniform(0.2, 1.4))
    amount = float(rng.uniform(0.2, 0.6))
    p.everywhere(lambda image, _: ops.halftone(image, pitch, angle, amount))
    p.note("halftone", pitch=pitch, angle=angle)


def _scan_blur(p: _Print) -> None:
    sigma = float(p.rng.uniform(0.3, 0.9))
    kernel = kernels.gaussian(5, sigma, sigma)
    p.everywhere(lambda image, _: kernels.apply(image, kernel))
    p.note("scan_blur", sigma=sigma)


def _scan_noise(p: _Print) -> None:
    sigma = float(p.rng.uniform(0.0, 0.3) * p.severity.noise)
    p.everywhere(lambda image, rng: ops.gaussian_noise(image, sigma, False, rng))
    p.note("scan_noise", sigma=sigma)


def _sharpen(p: _Print) -> None:
    sigma, amount = float(p.rng.uniform(0.6, 1.6)), float(p.rng.uniform(0.2, 1.2))
    p.everywhere(lambda image, _: ops.unsharp_mask(image, sigma, amount))
    p.note("sharpen", sigma=sigma, amount=amount)


def _jpeg(p: _Print) -> None:
    quality, subsample = int(p.rng.integers(p.severity.jpeg, 98)), bool(p.rng.random() < 0.6)
    p.everywhere(lambda image, _: ops.jpeg(image, quality, subsample=subsample))
    p.note("jpeg", quality=quality)


def _coverage(
    name: str, p: _Print, amount: float, stencils: Sequence[Stencil]
) -> tuple[str, Mask, int]:
    """Kind, coverage (H, W) and number of one kind of damage.

    Raises:
        KeyError: a name that is neither in `_SINGLE` nor in `_SEVERAL`.
    """
    rng, unit = p.rng, p.unit
    h, w = extent(p.image)

    if stencils and rng.random() < _STENCILS:
        n = 1 + int(rng.poisson(1.0))
        stencil = stencils[int(rng.integers(len(stencils)))]
        total = np.zeros((h, w), np.float32)
        alike = [s for s in stencils if s.kind == stencil.kind]
        for _ in range(n):
            shape = alike[int(rng.integers(len(alike)))]
            solid = stencil.kind in ("stain", "dots", "smut")
            least, most = (10, 160) if solid else (40, 360)
            cover = lay(shape, h, w, rng, unit, least=least, most=most)
            total = np.maximum(total, cover)
        return STENCIL_KINDS[stencil.kind], total, n
    kind = _DAMAGE[name][1]
    if name in _SINGLE:
        return kind, _SINGLE[name](h, w, rng, unit), 1
    draw, low, high = _SEVERAL[name]
    if name == "dust" and rng.random() >= 0.7:
        low, high = _MUCH_DUST
    n = max(1, round(amount * rng.uniform(low, high)))
    return kind, draw(h, w, rng, unit, n), n


def _look(name: str, kind: str, p: _Print) -> dm.Look:
    """How damage of this kind looks: light, dark, tinted, or a change of brightness alone."""
    rng = p.rng
    light, dark, tinted = _LOOKS.get(kind, (0.62, 0.12, 0.1))
    roll = rng.random()
    soft = float(rng.uniform(0, 1.4) * p.unit) if rng.random() < 0.4 else 0.0
    faint = rng.random() < 0.3
    opacity = float(rng.uniform(0.3, 0.7) if faint else rng.uniform(0.7, 1.0))
    relief = 0.0
    if kind in ("cracks", "networks", "blobs", "creases") and rng.random() < 0.5:
        relief = float(rng.uniform(0.25, 0.8))
    mottle = float(rng.uniform(0, 0.08)) if kind in ("cracks", "blobs") else 0.0
    if roll < light:
        return dm.Look(dm.paper(rng), opacity, soft, relief, mottle)
    if roll < light + dark:
        brown = np.array([1.0, rng.uniform(0.6, 1.0), rng.uniform(0.3, 1.0)], np.float32)
        shade = np.float32(rng.uniform(0.0, 0.25)) * brown
        if kind == "writing":
            shade = dm.any_hue(rng, 0.03, 0.5)
        return dm.Look(shade, opacity, soft, 0.0, mottle)
    if roll < light + dark + tinted:
        return dm.Look(dm.any_hue(rng, 0.1, 1.0), opacity, soft, relief, mottle)
    gain = float(rng.uniform(0.25, 0.8) * (1 if rng.random() < 0.7 else -1))
    return dm.Look(None, gain, soft, relief)


def _damage(p: _Print, name: str, amount: float, stencils: Sequence[Stencil]) -> None:
    """Paints one kind of damage on the photo and not on its undamaged copy."""
    if name == "torn":
        shape = str(p.rng.choice(_TORN, p=[0.35, 0.2, 0.2, 0.25]))
        p.image, cover = dm.torn(p.image, p.rng, p.unit, shape)
        p.lost = np.maximum(p.lost, (cover > 0.5).astype(np.float32))
        kind, n = "borders", 1
    else:
        kind, cover, n = _coverage(name, p, amount, stencils)
        raised = name == "wrinkles" or (name == "fold" and p.rng.random() < 0.45)
        if raised and kind == "creases":
            p.image, cover = dm.emboss(p.image, cover, p.rng, p.unit)
        else:
            if name == "fold" and kind == "creases":
                p.image = dm.shade_around(p.image, cover, p.rng, p.unit)
            look = _look(name, kind, p)
            p.image, cover = look.paint(p.image, cover, p.rng, p.unit)
    p.covers[kind] = np.maximum(p.covers.get(kind, np.float32(0)), cover)
    p.note(name, kind=kind, count=n)


def _noise_of(gray: Image) -> float:
    """The deviation of a photo's noise (Donoho and Johnstone 1994, section 4.2)."""
    h, w = gray.shape[0] // 2 * 2, gray.shape[1] // 2 * 2
    a, b, c, d = (gray[i:h:2, j:w:2] for i in (0, 1) for j in (0, 1))
    return float(np.median(np.abs(a - b - c + d))) / 2 / 0.6745 if h and w else 0.0


def visible(image: Image, undamaged: Image) -> Mask:
    """The mask of visible differences between a photo and its undamaged copy.

    A change counts where it exceeds the texture and the noise around it, in a pixel alone or in
    the mean of its neighbourhood, and is no blurred rim of a larger change beside it.

    Args:
        image, undamaged: (H, W, 3).

    Returns:
        (H, W) float32 in {0, 1}.
    """
    change = image - undamaged
    size = np.abs(change).max(2)
    around = np.abs(cv2.blur(change, (5, 5))).max(2)
    gray = np.asarray(cv2.cvtColor(undamaged, cv2.COLOR_RGB2GRAY), np.float32)
    mean, power = cv2.blur(gray, (7, 7)), cv2.blur(gray * gray, (7, 7))
    texture = np.sqrt(np.maximum(np.asarray(power) - np.square(mean), 0))
    noise = _noise_of(gray)
    alone = np.maximum(0.6 * texture, max(_LEAST_CHANGE, 2.2 * noise))
    joint = np.maximum(0.5 * texture, max(0.8 * _LEAST_CHANGE, 0.9 * noise))
    shows = (size > alone) | ((around > joint) & (size > 0.5 * alone))
    shows = shows & (size > 0.4 * cv2.dilate(size, np.ones((5, 5), np.uint8)))
    closed = cv2.morphologyEx(shows.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    return np.asarray(closed, np.float32)


def _masks(p: _Print) -> tuple[Mask, dict[str, Mask]]:
    """The mask of visible damage, and its masks by kind."""
    h, w = extent(p.image)
    empty = np.zeros((h, w), np.float32)
    if not p.covers:
        return empty, {}
    shows = visible(p.image, p.undamaged)
    lost_shows = bool((shows * p.lost).any())
    kinds: dict[str, Mask] = {}
    for kind, cover in p.covers.items():
        near = cv2.dilate((cover > 0.12).astype(np.float32), np.ones((3, 3), np.uint8))
        part = shows * np.asarray(near, np.float32)
        if kind == "borders" and lost_shows:
            part = np.maximum(part, p.lost)
        kinds[kind] = part
    total = np.maximum.reduce([empty, *kinds.values()])
    if not lost_shows:
        p.lost = empty
    return total, kinds


def _shuffled(rng: np.random.Generator, steps: list[Step]) -> list[Step]:
    return [steps[i] for i in rng.permutation(len(steps))]


def _ageing(p: _Print, stencils: Sequence[Stencil]) -> tuple[list[Step], list[Step]]:
    """The ageing steps and the damage steps of the print, before they are shuffled."""
    rng, severity = p.rng, p.severity
    steps: list[Step] = []
    if severity.fade > 0:
        changes = [draw_tone(rng, severity.fade)]
        while severity.only and changes[0] == Tone():
            changes = [draw_tone(rng, severity.fade)]
        if p.draws_unless_mixture(0.25):
            changes.append(draw_tone(rng, 0.7 * severity.fade))
        steps += [lambda c=change: _tone(p, c) for change in changes if change != Tone()]
    if p.draws_unless_mixture(0.2):
        steps.append(lambda: _vignette(p))
    if p.draws_unless_mixture(0.12 * severity.fade):
        steps.append(lambda: _stain(p))
    if p.draws_unless_mixture(0.12):
        steps.append(lambda: _paper_texture(p))
    if rng.random() < severity.clean:
        return steps, []
    h, w = extent(p.image)
    amount = severity.amount * min(1.5, max(0.3, h * w / (256 * p.unit) ** 2))
    count = 1 + min(int(rng.poisson(max(severity.damage - 1, 0.05))), 5) if severity.damage else 0
    share = np.array([share for share, _ in _DAMAGE.values()])
    names = [str(n) for n in rng.choice(list(_DAMAGE), count, p=share / share.sum())]
    return steps, [lambda n=name: _damage(p, n, amount, stencils) for name in names]


def _scan(p: _Print) -> list[Step]:
    """The steps of scanning and later processing, in their usual order."""
    steps: list[Step] = []
    if p.draws_unless_mixture(0.5):
        steps.append(lambda: _scan_blur(p))
    if p.draws_unless_mixture(0.5):
        steps.append(lambda: _scan_noise(p))
    if p.draws_unless_mixture(0.35):
        quality = int(p.rng.integers(p.severity.jpeg, 98)) if p.rng.random() < 0.4 else None
        steps.append(lambda: _resample(p, 1 + 1.6 * p.severity.blur, quality))
    if p.draws_unless_mixture(0.12):
        steps.append(lambda: _sharpen(p))
    if p.draws_optional(0.6, 98 - p.severity.jpeg):
        steps.append(lambda: _jpeg(p))
    return steps


def old_photo(
    hq: Image,
    rng: np.random.Generator,
    severity: Severity = MODERATE,
    *,
    unit: float | None = None,
    stencils: Sequence[Stencil] = (),
) -> Degraded:
    """Ages a clean photo.

    Args:
        hq: (H, W, 3) float32, sRGB [0, 1].
        rng: the only source of randomness.
        severity: how much of everything.
        unit: pixels for 1/256 of the photo's short side; a crop of a larger photo passes
            the whole photo's. By default that of `hq`.
        stencils: shapes of real damage that are laid on the photo too.

    Returns:
        The pair, all of its parts the size of `hq`. `hq` comes back gray where the recipe
        took all colour: mending does not invent it.
    """
    h, w = extent(hq)
    scale = min(h, w) / 256 if unit is None else unit
    p = _Print(hq, hq, hq, np.zeros((h, w), np.float32), rng, severity, scale)
    steps: list[Step] = [lambda: _lens(p)]
    if p.draws_unless_mixture(0.12):
        steps.append(lambda: _resample(p, 1 + 0.8 * severity.blur))
    if p.draws_unless_mixture(0.03):
        steps.append(lambda: _halftone(p))
    steps.append(lambda: _grain(p))
    aged, damage = _ageing(p, stencils)
    scan = _scan(p)
    if p.draws_unless_mixture(0.25):
        scan = _shuffled(rng, scan)
    late = [step for step in damage if rng.random() < 0.25]
    early = [step for step in damage if step not in late]
    if p.draws_unless_mixture(0.3):
        aged.append(steps.pop())
    history = [*steps, *_shuffled(rng, [*aged, *early])]
    for step in late:
        scan.insert(int(rng.integers(len(scan) + 1)), step)
    for step in [*history, *scan]:
        step()
    mask, kinds = _masks(p)
    target = np.repeat(ops.luma(hq)[..., None], 3, 2) if p.gray else hq
    return Degraded(np.clip(p.image, 0, 1), target, p.toned, mask, p.lost * mask, p.params, kinds)
