from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import unfade.api
from unfade.api import Restorer
from unfade.cli.main import run
from unfade.errors import InputError, UsageError, WeightsError
from unfade.imaging import read_mask, read_photo
from unfade.options import Task
from unfade.web import actions, masks, results
from unfade.web.session import AppContext, OpenedPhoto
from unfade.web.settings import Settings

MakePhoto = Callable[..., Path]
Upload = Callable[[Path], Path]
Edit = Callable[..., dict[str, object]]


def quiet(stage: str, share: float) -> None:
    """Progress that nobody looks at."""


@pytest.fixture
def edit_of(layer_of: Callable[..., str]) -> Callable[..., dict[str, object]]:
    """What the editor sends of a photo: damage added at the top left, removed from below."""

    def make(opened: OpenedPhoto, *, painted: bool = True) -> dict[str, object]:
        size = masks.preview_size(opened.height, opened.width)
        edits = np.zeros(size, np.uint8)
        edits[: size[0] // 3, : size[1] // 4] = masks.ADD
        edits[size[0] // 2 :] = masks.REMOVE
        layer = layer_of(edits) if painted else ""
        return {"id": opened.key, "sensitivity": "high", "layer": layer}

    return make


@pytest.fixture
def same_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The note inside a result holds the second that it was made in."""
    monkeypatch.setattr(unfade.api, "now", lambda: "2026-01-01T00:00:00+00:00")


@pytest.mark.parametrize(
    ("name", "size", "painted"),
    [("wide.jpg", (72, 1300), True),  # shown smaller on the page
     ("soft.tif", (644, 660), False)],  # searched at three scales
)  # fmt: skip
@pytest.mark.usefixtures("same_moment")
def test_result_is_the_command_lines_to_the_byte(
    desk: AppContext,
    make_photo: MakePhoto,
    upload: Upload,
    edit_of: Edit,
    tmp_path: Path,
    name: str,
    size: tuple[int, int],
    painted: bool,
) -> None:
    photo = make_photo(name, height=size[0], width=size[1])
    opened = actions.open_photo(desk, upload(photo))
    made = actions.restore(desk, opened, Settings(), edit_of(opened, painted=painted), quiet)
    out = tmp_path / f"restored{Path(name).suffix}"
    more = ["--mask", str(made.masks[0])] if painted else ["--sensitivity", "high"]
    assert run(["restore", str(photo), "-o", str(out), "--device", "cpu", *more]) == 0
    assert made.photos[0].read_bytes() == out.read_bytes()


def test_mask_is_used_as_it_was_painted(
    desk: AppContext,
    make_photo: MakePhoto,
    upload: Upload,
    edit_of: Edit,
    caplog: pytest.LogCaptureFixture,
) -> None:
    opened = actions.open_photo(desk, upload(make_photo("a.png")))
    made = actions.restore(desk, opened, Settings(only_damage=True), edit_of(opened), quiet)
    mask = read_mask(made.masks[0], size=(opened.height, opened.width))
    assert (mask[:20, :19] == 255).all() and not mask[33:].any()
    assert "large areas are filled smoothly, without detail" in caplog.text
    assert "%): check them" in dict(made.views[0].facts)["Filled in"]
    before, after = read_photo(opened.path).native, read_photo(made.photos[0]).native
    np.testing.assert_array_equal(before[45:], after[45:])
    assert (before[:20, :19] != after[:20, :19]).any()


@pytest.mark.parametrize(
    ("more", "told"),
    [*(({"colours": colours}, "colour") for colours in ("red", ["red"] * 41, ["reddish"])),
     *(({"sensitivity": value}, "sensitivity") for value in (None, 0.5, "highest", ["low"])),
     ({"id": "of another photo"}, "a mask of another photo")],
)  # fmt: skip
def test_edits_that_make_no_sense_are_refused(
    desk: AppContext,
    make_photo: MakePhoto,
    upload: Upload,
    edit_of: Edit,
    layer_of: Callable[..., str],
    more: dict[str, object],
    told: str,
) -> None:
    opened = actions.open_photo(desk, upload(make_photo("a.jpg")))
    edit = edit_of(opened) | {"tints": layer_of(np.ones((64, 80), np.uint8)), "colours": ["red"]}
    with pytest.raises(UsageError, match=told):
        actions.restore(desk, opened, Settings(), edit | more, quiet)


def test_manifest_names_no_folder_of_the_server(
    desk: AppContext, make_photo: MakePhoto, upload: Upload, edit_of: Edit
) -> None:
    opened = actions.open_photo(desk, upload(make_photo("a.jpg")))
    made = actions.restore(desk, opened, Settings(), edit_of(opened), quiet)
    text = made.manifest_paths[0].read_text("utf-8")
    assert str(desk.store.root) not in text
    manifest = json.loads(text)
    assert manifest["options"]["mask"] == "a-mask-1.png"
    assert manifest["command"].startswith(
        "unfade restore -o restored-1/a-restored.jpg --mask a-mask-1.png "
    )
    assert manifest["command"].endswith(" -- a.jpg")
    facts = dict(made.views[0].facts)
    filled = float(facts["Filled in"].partition(" % of the photo")[0])
    assert filled == pytest.approx(100 * manifest["damaged"], abs=0.5)
    strength = manifest["diffusion"]["strength"]
    assert facts["Redrawn by a generative model"] == f"Yes, with strength {strength:.2f} of 1"


def test_light_damage_is_mended_without_the_diffusion_model(
    desk: AppContext,
    make_photo: MakePhoto,
    upload: Upload,
    edit_of: Edit,
    layer_of: Callable[..., str],
) -> None:
    opened = actions.open_photo(desk, upload(make_photo("a.jpg")))
    edits = np.full(masks.preview_size(opened.height, opened.width), masks.REMOVE, np.uint8)
    edits[4:8, 4:8] = masks.ADD
    edit = edit_of(opened) | {"layer": layer_of(edits)}
    made = actions.restore(desk, opened, Settings(), edit, quiet)
    facts = dict(made.views[0].facts)
    assert "% of the photo" in facts["Filled in"]
    assert facts["Redrawn by a generative model"] == "No"


@pytest.mark.usefixtures("same_moment")
def test_colours_and_what_is_protected_are_those_of_the_command_line(
    desk: AppContext,
    make_photo: MakePhoto,
    upload: Upload,
    edit_of: Edit,
    layer_of: Callable[..., str],
    tmp_path: Path,
) -> None:
    photo = make_photo("a.png", height=72, width=1300)
    opened = actions.open_photo(desk, upload(photo))
    edits, tints = np.zeros((2, *masks.preview_size(72, 1300)), np.uint8)
    edits[20:40, 200:500] = masks.PROTECT  # across the scratch, which lies at 325..433
    tints[10:40, 20:150], tints[20:60, 600:900] = 1, 3
    edit = edit_of(opened, painted=False) | {
        "layer": layer_of(edits), "tints": layer_of(tints), "colours": ["red", "blue", "#40a060"],
    }  # fmt: skip
    made = actions.restore(desk, opened, Settings(), edit, quiet)
    paths = {path.name: path for path in made.masks}
    protect, *regions = names = ["a-protect-1.png", "a-colour-1.png", "a-colour-2.png"]
    assert len(paths) == 4 and set(names) < set(paths)
    mask, white = (
        read_mask(paths[name], size=(72, 1300)) == 255 for name in (made.masks[0].name, protect)
    )
    assert white.mean() == pytest.approx(20 * 300 / edits.size, rel=0.05)
    assert not mask[white].any()
    before, after = read_photo(photo).native, read_photo(made.photos[0]).native
    np.testing.assert_array_equal(after[white], before[white])
    assert (after[~white] != before[~white]).mean() > 0.1
    out, given = tmp_path / "out" / "a.png", ["--sensitivity", "high", "--device", "cpu"]
    given += ["--protect", str(paths[protect])]
    for name, colour in zip(regions, ("red", "#40a060"), strict=True):
        given += ["--colour-region", f"{paths[name]}={colour}"]
    assert run(["restore", str(photo), "-o", str(out), *given]) == 0
    assert made.photos[0].read_bytes() == out.read_bytes()
    manifest = json.loads(made.manifest_paths[0].read_text("utf-8"))
    assert manifest["options"]["protect"] == [protect]
    command = manifest["command"]
    assert " --sensitivity high " in command and f" --protect {protect} " in command
    assert f"--colour-region {regions[0]}=red --colour-region '{regions[1]}=#40a060'" in command


def test_diffusion_is_refused_when_there_is_none(
    plain_desk: AppContext, make_photo: MakePhoto, upload: Upload, edit_of: Edit
) -> None:
    opened = actions.open_photo(plain_desk, upload(make_photo("a.jpg")))
    with pytest.raises(WeightsError, match="the diffusion model"):
        actions.restore(plain_desk, opened, Settings(task="colorize"), edit_of(opened), quiet)


def test_diffusion_makes_variants_when_it_is_there(
    desk: AppContext, tiny_preset: Path, make_photo: MakePhoto, upload: Upload, edit_of: Edit
) -> None:
    tiny = AppContext(Restorer.from_pretrained(tiny_preset, device="cpu"), desk.store, desk.limits)
    assert tiny.restorer.diffuses
    opened = actions.open_photo(tiny, upload(make_photo("a.png")))
    settings = Settings(
        task="colorize", existing_colours="replace", prompt="a red dress", steps=1, variants=2
    )
    made = actions.restore(tiny, opened, settings, edit_of(opened), quiet)
    assert [path.name for path in made.photos] == ["a-coloured-1.png", "a-coloured-2.png"]
    assert len(made.views) == 2
    assert dict(made.views[0].facts)["Described as"] == "a red dress"
    own = replace(settings, prompt="", variants=1, automatic=False, fidelity=0.4, strength=0.9)
    made = actions.restore(tiny, opened, own, edit_of(opened), quiet)
    taken = json.loads(made.manifest_paths[0].read_text("utf-8"))["diffusion"]
    assert (taken["fidelity"], taken["strength"], taken["steps"]) == (0, 0.9, 1)
    larger = Settings(task="super-resolution", steps=1, scale=2)
    made = actions.restore(tiny, opened, larger, edit_of(opened), quiet)
    assert read_photo(made.photos[0]).native.shape[:2] == (128, 160) and not made.masks


@pytest.mark.parametrize("task", ["old-photo", "super-resolution", "colorize"])
def test_nothing_redrawn_is_no_mistake(task: Task) -> None:
    settings = Settings(task=task, automatic=False, strength=0)
    options = settings.options(mask="auto", max_pixels=10**8, diffuses=True)
    assert options.strength == 0 and not options.asks_diffusion


def test_zip_holds_all_results_of_each_photo(
    desk: AppContext, make_photo: MakePhoto, upload: Upload, edit_of: Edit
) -> None:
    first = actions.open_photo(desk, upload(make_photo("one/a.jpg")))
    second = actions.open_photo(desk, upload(make_photo("two/a.jpg", seed=1)))
    made = [
        actions.restore(desk, photo, Settings(), edit_of(photo, painted=False), quiet)
        for photo in (first, second, first)
    ]
    with zipfile.ZipFile(results.pack(desk, made)) as file:
        names = ["a-mask.png", "a-restored.jpg", "a-restored.json"]
        again = [name.replace("a-", "a-2-") for name in names]
        assert sorted(file.namelist()) == [*(f"2/{name}" for name in names), *again, *names]
        assert file.read("a-restored.jpg") == made[0].photos[0].read_bytes()
        assert file.read("a-2-mask.png") == made[2].masks[0].read_bytes()
        assert file.read("2/a-restored.jpg") == made[1].photos[0].read_bytes()
        assert file.read("2/a-mask.png") == made[1].masks[0].read_bytes()
    with pytest.raises(UsageError, match="restore a photo first"):
        results.pack(desk, [])


def test_photo_that_was_removed_after_an_hour_is_told(
    desk: AppContext, make_photo: MakePhoto, upload: Upload, edit_of: Edit
) -> None:
    kept, gone = (actions.open_photo(desk, upload(make_photo(f"{n}.png"))) for n in "ab")
    made = [actions.restore(desk, one, Settings(), edit_of(one), quiet) for one in (kept, gone)]
    shutil.rmtree(gone.path.parent)
    with pytest.raises(InputError, match=r"b\.png: got a photo that was removed"):
        actions.restore(desk, gone, Settings(), edit_of(gone), quiet)
    with zipfile.ZipFile(results.pack(desk, made)) as file:
        assert {"a-restored.json", "a-restored.png", "a-mask.png"} <= set(file.namelist())
        assert all(name.startswith("a-") for name in file.namelist())
    with pytest.raises(UsageError, match="no result that is still here"):
        results.pack(desk, made[1:])
