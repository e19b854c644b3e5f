from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from unfade.errors import UsageError
from unfade.imaging import Metadata, Photo
from unfade.models.colouriser import Colouriser, ColouriserConfig, bin_centres
from unfade.pipeline.colour import to_lab
from unfade.pipeline.colourise import (
    ColourSettings,
    PhotoColouriser,
    network_size,
    painted_chroma,
    small_light,
)
from unfade.pipeline.region_colours import RegionColour

MakePhoto = Callable[..., Photo]
CONFIG = ColouriserConfig(
    widths=[8, 8, 16], heads=2, text_width=8, text_layers=1, length=6, words=["red", "dress"],
    side=64,
)  # fmt: skip
CENTRES = torch.tensor(bin_centres())


class Painter(Colouriser):
    """Sure of blue above and red below, but where a hint says something else; else two colours."""

    def forward(
        self, light: torch.Tensor, hints: torch.Tensor, tokens: torch.Tensor
    ) -> torch.Tensor:
        h, w = light.shape[2] // 4, light.shape[3] // 4
        out = torch.zeros(1, 260, h, w)
        blue, red, green = (nearest(c) for c in ((20.0, -50.0), (60.0, 40.0), (-40.0, 30.0)))
        out[:, blue, : h // 2] = 12
        out[:, red, h // 2 :] = out[:, green, h // 2 :] = 12
        if bool((tokens[:, 1:] > 0).any()):
            out[:, red, h // 2 :] = 14
        for y, x in hints[0, 2, 2 * h :].nonzero()[:1].tolist():
            hinted = nearest(tuple(hints[0, :2, 2 * h + y, x].tolist()))
            out[:, :, h // 2 :] = 0
            out[:, hinted, h // 2 :] = 12
        return out


def nearest(chroma: tuple[float, ...]) -> int:
    return int((CENTRES - torch.tensor(chroma)).norm(dim=1).argmin())


@pytest.fixture
def painter() -> PhotoColouriser:
    torch.manual_seed(0)
    return PhotoColouriser(Painter(CONFIG).eval(), torch.device("cpu"))


@pytest.fixture
def untrained() -> PhotoColouriser:
    torch.manual_seed(0)
    net = Colouriser(CONFIG).eval()
    return PhotoColouriser(net, torch.device("cpu"))


def colours(
    stage: PhotoColouriser, photo: Photo, prompt: str = "", hints: tuple[RegionColour, ...] = (),
    settings: ColourSettings | None = None, variant: int = 0,
) -> torch.Tensor:  # fmt: skip
    """a and b of a photo at its size, (2, H, W)."""
    found = stage.chroma_map(photo, prompt, hints, settings, variant=variant)
    rgb = photo.srgb(slice(0, photo.height), slice(0, photo.width))
    picture = torch.tensor(rgb.transpose(2, 0, 1).copy())[None]
    return found.rows(picture, slice(0, photo.height), photo.height)[0]


def halves(height: int = 128, width: int = 160) -> Photo:
    """A gray photo, light above and dark below."""
    native = np.full((height, width, 1), 200, np.uint8)
    native[height // 2 :] = 90
    return Photo(native, None, Metadata(None, None, None, None, "PNG"))


def test_sure_colours_are_found_and_unsure_ones_are_calm(painter: PhotoColouriser) -> None:
    out = colours(painter, halves())
    torch.testing.assert_close(out[:, 20, 80], torch.tensor([20.0, -50]), atol=1, rtol=0)
    mean = (torch.tensor([60.0, 40]) + torch.tensor([-40.0, 30])) / 2
    torch.testing.assert_close(out[:, 110, 80], mean, atol=1, rtol=0)
    step = out[1, 66:68, 80] - out[1, 60:62, 80]  # the edge of the light
    assert (step > 60).all()


def test_the_luminance_alone_is_looked_at(
    untrained: PhotoColouriser, make_photo: MakePhoto
) -> None:
    photo = make_photo(70, 90)
    light = to_lab(torch.tensor(photo.srgb(slice(0, 70), slice(0, 90)).transpose(2, 0, 1))[None])
    gray = halves(70, 90)
    from unfade.pipeline.colour import from_lab

    same = from_lab(torch.cat([light[:, :1], torch.zeros_like(light[:, 1:])], 1))[0]
    level = np.rint(255 * same.permute(1, 2, 0).numpy()).astype(np.uint8)
    gray.native[...] = level[..., :1]
    one, other = (colours(untrained, p) for p in (photo, gray))
    assert (one - other).abs().mean() < 0.5 < one.std()


def test_settings_change_the_colours(painter: PhotoColouriser) -> None:
    photo = halves()
    plain = colours(painter, photo)
    half = colours(painter, photo, settings=ColourSettings(saturation=0.5))
    torch.testing.assert_close(half, plain / 2, atol=0.1, rtol=0)
    told = colours(painter, photo, "red")
    more = colours(painter, photo, "red", settings=ColourSettings(guidance=3))
    none = colours(painter, photo, "red", settings=ColourSettings(guidance=0))
    assert plain[0, 110, 80] < told[0, 110, 80] < more[0, 110, 80]
    torch.testing.assert_close(none, plain)
    cold = colours(painter, photo, "red", settings=ColourSettings(temperature=0.05))
    torch.testing.assert_close(cold[:, 110, 80], torch.tensor([60.0, 40]), atol=1, rtol=0)


def test_doubt_and_focus_calm_what_is_unsure_and_what_the_prompt_does_not_name(
    painter: PhotoColouriser,
) -> None:
    photo = halves(512, 512)
    plain = colours(painter, photo)
    calm = colours(painter, photo, settings=ColourSettings(doubtful=0.55, certain=0.8))
    torch.testing.assert_close(calm[:, 20, 80], plain[:, 20, 80], atol=0.5, rtol=0)
    assert calm[:, 500, 80].norm() < 0.5 * plain[:, 500, 80].norm()  # red or green
    told = colours(painter, photo, "red", settings=ColourSettings(focus=0.8))
    torch.testing.assert_close(told[:, 20, 80], plain[:, 20, 80], atol=0.5, rtol=0)
    torch.testing.assert_close(
        told[:, 500, 80], colours(painter, photo, "red")[:, 500, 80], atol=0.5, rtol=0
    )


def test_liveliness_prefers_rare_colours() -> None:
    net = Painter(CONFIG).eval()
    shares = torch.ones(260)
    shares[nearest((-40.0, 30.0))] = 2000
    net.set_prior(shares)
    stage = PhotoColouriser(net, torch.device("cpu"))
    reds = [
        float(colours(stage, halves(), settings=ColourSettings(liveliness=x))[0, 110, 80])
        for x in (0, 0.5, 1)
    ]
    assert reds[0] < reds[1] < reds[2] and reds[0] == pytest.approx(10, abs=2)


def test_painted_regions_reach_the_network(painter: PhotoColouriser) -> None:
    mask = np.zeros((64, 80), np.float32)
    mask[45:55, 30:50] = 1
    plain = colours(painter, halves())
    out = colours(painter, halves(), hints=(RegionColour(mask, (30, 160, 60)),))
    ink = to_lab(torch.tensor([30, 160, 60]).reshape(1, 3, 1, 1) / 255)[0, 1:, 0, 0]
    turn = torch.atan2(out[1, 110, 80], out[0, 110, 80]) - torch.atan2(ink[1], ink[0])
    assert abs(float(turn)) < 0.3
    torch.testing.assert_close(out[:, 20, 80], plain[:, 20, 80], atol=1, rtol=0)


def test_painted_chroma_goes_with_the_lightness() -> None:
    light = np.full((32, 32), 20.0, np.float32)
    light[:, 16:] = 80
    left, right = np.zeros((2, 32, 32), np.float32)
    left[4:12, 2:10], right[4:12, 20:28] = 1, 1
    both = painted_chroma(
        light, [RegionColour(left, (180, 30, 40)), RegionColour(right, (180, 30, 40))]
    )
    assert both[2].sum() == 2 * 64 and set(np.unique(both[2])) == {0.0, 1.0}
    assert 0 < both[0, 8, 5] < 0.7 * both[0, 8, 24]
    later = painted_chroma(
        light, [RegionColour(left, (180, 30, 40)), RegionColour(left, (0, 0, 200))]
    )
    assert later[1, 8, 5] < 0
    assert not painted_chroma(light, [RegionColour(np.zeros((8, 8), np.float32), (9, 9, 9))]).any()


def test_a_thin_stroke_is_not_lost() -> None:
    mask = np.zeros((512, 512), np.float32)
    mask[100, 50:400] = 1
    assert (
        painted_chroma(np.full((64, 64), 50, np.float32), [RegionColour(mask, (200, 0, 0))])[
            2
        ].sum()
        > 30
    )


def test_variants_have_colours_of_their_own_that_are_the_same_again(
    painter: PhotoColouriser,
) -> None:
    photo = halves()
    found = [colours(painter, photo, variant=i) for i in range(1, 6)]
    torch.testing.assert_close(found[0], colours(painter, photo, variant=1))
    below = {tuple(x[:, 110, 80].round().tolist()) for x in found}
    assert len(below) > 1
    likely = {(60.0, 40.0), (-40.0, 30.0)}
    for x in found:
        a, b = x[:, 110, 80].tolist()
        assert any(abs(a - c) < 12 and abs(b - d) < 12 for c, d in likely)  # one of the modes
        assert float(x[0, 80:, :].std()) < 3  # all of the object has it
    other = colours(painter, photo, settings=ColourSettings(seed=7), variant=1)
    assert other.shape == found[0].shape


@pytest.mark.parametrize(
    ("size", "expected"),
    [((64, 64), (64, 64)), ((1000, 1500), (64, 96)), ((20, 30), (64, 96)), ((10, 900), (64, 256)),
     ((4000, 40), (256, 64))],
)  # fmt: skip
def test_network_sees_every_photo_at_about_one_size(
    size: tuple[int, int], expected: tuple[int, int], untrained: PhotoColouriser
) -> None:
    photo = halves(*size)
    assert network_size(photo, 64) == expected
    light = small_light(photo, expected)
    assert light.shape == expected and 30 < light.min() < light.max() < 85
    assert colours(untrained, photo).shape == (2, *size)


@pytest.mark.parametrize(
    "values",
    [
        {"saturation": 3},
        {"liveliness": -0.1},
        {"temperature": 0},
        {"guidance": 40},
        {"focus": 2},
        {"certain": 0.5, "doubtful": 0.6},
    ],
)
def test_settings_out_of_range_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(values))):
        ColourSettings(**values)
