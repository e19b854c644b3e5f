"""The diffusion model through the door."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from unfade import manifest as manifests
from unfade.api import Restorer
from unfade.errors import WeightsError
from unfade.imaging import read_photo
from unfade.models.checkpoint import save_model
from unfade.models.colouriser import Colouriser, ColouriserConfig
from unfade.models.enlarger import Enlarger, EnlargerConfig
from unfade.models.presets import COLOUR, ENLARGER, FILES, MANIFEST, write_manifest
from unfade.options import TASKS, RestoreOptions, Task
from unfade.pipeline import request
from unfade.pipeline.colour import to_lab
from unfade.pipeline.damage_estimate import Damage
from unfade.pipeline.traits import TRAITS

MakePhoto = Callable[..., Path]

NEW_COLOURS: dict[str, Any] = {"task": "colorize", "existing_colours": "replace"}


@pytest.fixture(scope="module")
def tiny(tiny_preset: Path) -> Restorer:
    """The tiny diffusion model, on the processor."""
    return Restorer.from_pretrained(tiny_preset, device="cpu")


@pytest.fixture(scope="module")
def bare(first_stage_preset: Path) -> Restorer:
    """The first stage alone."""
    return Restorer.from_pretrained(first_stage_preset, device="cpu")


def sealed(folder: Path, first_stage: Path, name: str, network: Any) -> Restorer:
    """The first stage of old photos with another network."""
    shutil.copytree(first_stage, folder)
    save_model(folder / name, network)
    write_manifest(folder)
    return Restorer.from_pretrained(folder, device="cpu")


@pytest.fixture(scope="module")
def enlarging(tmp_path_factory: pytest.TempPathFactory, first_stage_preset: Path) -> Restorer:
    """The first stages of old photos and, untrained, of super-resolution."""
    network = Enlarger(EnlargerConfig([8, 8], [1, 1], hidden=8))
    return sealed(tmp_path_factory.mktemp("a") / "b", first_stage_preset, ENLARGER, network)


@pytest.fixture(scope="module")
def colouring(tmp_path_factory: pytest.TempPathFactory, first_stage_preset: Path) -> Restorer:
    """The first stages of old photos and, untrained, of colours."""
    torch.manual_seed(0)
    shape = ColouriserConfig(
        widths=[8, 8, 16], heads=2, text_width=8, text_layers=1, length=4, words=["red", "dress"],
        side=64, saturation=1.5,
    )  # fmt: skip
    network = Colouriser(shape)
    torch.nn.init.normal_(network.leave.weight, std=3)  # colours that differ from place to place
    return sealed(tmp_path_factory.mktemp("a") / "b", first_stage_preset, COLOUR, network)


@pytest.mark.parametrize("strength", ["auto", 0])
def test_photo_is_coloured_without_the_model_when_there_is_a_first_stage(
    colouring: Restorer, make_photo: MakePhoto, strength: Any
) -> None:
    assert colouring.tasks == ("old-photo", "colorize")
    path = make_photo("a.png", height=40, width=50)
    out = colouring.restore(path, **NEW_COLOURS, mask="none", strength=strength, variants=3)
    assert out.manifest["diffusion"] is None
    assert out.manifest["colours"] == {
        "saturation": 1.5, "liveliness": 0, "temperature": 1, "guidance": 1, "focus": 0,
        "doubtful": 0, "certain": 0, "seed": 0,
    }  # fmt: skip
    assert set(out.manifest["weights"]) == {*FILES, COLOUR}
    assert colouring.restore(path).manifest["colours"] is None
    photos = [out.image, *(variant.image for variant in out.variants)]
    assert all(np.ptp(photo.native.astype(int), 2).mean() > 3 for photo in photos)
    source = read_photo(path).srgb(slice(0, 40), slice(0, 50)).transpose(2, 0, 1)
    given = to_lab(torch.tensor(source)[None])
    for photo in photos:
        got = photo.srgb(slice(0, 40), slice(0, 50)).transpose(2, 0, 1)
        off = (to_lab(torch.tensor(got)[None]) - given)[:, 0].abs()
        assert float(off.max()) < 1.5  # Lab's L is kept, but for rounding
    assert not np.array_equal(photos[0].native, photos[1].native)
    assert not np.array_equal(photos[1].native, photos[2].native)


def test_saturation_and_regions_reach_the_first_stage_for_colours(
    colouring: Restorer, make_photo: MakePhoto, tmp_path: Path
) -> None:
    path = make_photo("a.png", height=64, width=80)
    usual, pale, none = (
        colouring.restore(path, **NEW_COLOURS, mask="none", saturation=value).image.native
        for value in (1.0, 0.5, 0.0)
    )
    spread = [float(np.ptp(x.astype(int), 2).mean()) for x in (none, pale, usual)]
    assert spread[0] < 0.5 < spread[1] < spread[2]
    mask = np.zeros((64, 80), np.uint8)
    mask[:16, :16] = 255
    cv2.imwrite(str(tmp_path / "m.png"), mask)
    hinted = colouring.restore(
        path, **NEW_COLOURS, mask="none", colours=[(tmp_path / "m.png", "red")]
    ).image.native
    beyond = np.abs(hinted.astype(int) - usual)[40:, 40:]
    assert beyond.max() > 0  # the network itself was told, and looks at the whole photo


def test_unknown_words_are_warned_of_by_the_first_stage_for_colours(
    colouring: Restorer, make_photo: MakePhoto, caplog: pytest.LogCaptureFixture
) -> None:
    path = make_photo("a.png")
    for _ in range(2):
        colouring.restore(path, **NEW_COLOURS, mask="none", prompt="a red blorb dress red red")
    messages = [record.getMessage() for record in caplog.records]
    assert messages == [
        "words that the colours do not know, and ignore: blorb",
        "a prompt of more than 3 words: left out: red",
    ]


@pytest.mark.parametrize("strength", ["auto", 0])
def test_photo_is_enlarged_without_the_model_when_there_is_a_first_stage(
    enlarging: Restorer, make_photo: MakePhoto, strength: Any
) -> None:
    path = make_photo("a.png", height=40, width=50)
    out = enlarging.restore(path, task="super-resolution", scale=2.5, strength=strength)
    assert (out.image.height, out.image.width) == (100, 125)
    assert out.manifest["diffusion"] is None and out.mask is None
    assert set(out.manifest["weights"]) == {*FILES, ENLARGER}
    assert enlarging.restore(path).manifest["weights"] == enlarging.weights
    options = RestoreOptions(task="super-resolution", strength=strength)
    assert set(enlarging.weights_for(options)) == {*FILES, ENLARGER}


def test_missing_enlarger_is_told_when_the_model_is_left_out(
    tiny: Restorer, make_photo: MakePhoto
) -> None:
    with pytest.raises(WeightsError, match=r"no enlarger\.safetensors"):
        tiny.restore(make_photo("a.png"), task="super-resolution", strength=0)


def test_missing_model_is_told_before_the_photo_is_read(
    bare: Restorer, make_photo: MakePhoto
) -> None:
    with pytest.raises(WeightsError, match=r"no vae/.*preset='sd21' base=") as raised:
        bare.restore("none.jpg", task="colorize")
    assert "\n" not in str(raised.value)
    with pytest.raises(WeightsError, match="the diffusion model, which this needs"):
        bare.restore(make_photo("a.png"), paper=True)


def test_first_stage_alone_does_what_it_always_did(
    bare: Restorer, tiny: Restorer, make_photo: MakePhoto
) -> None:
    path = make_photo("a.png")
    out = bare.restore(path)
    assert out.manifest["diffusion"] is None and out.variants == ()
    again = tiny.restore(path, strength=0)
    assert again.manifest["diffusion"] is None
    assert again.manifest["weights"] == bare.weights
    np.testing.assert_array_equal(again.image.native, out.image.native)


def test_restoring_without_the_model_does_not_import_its_libraries(make_photo: MakePhoto) -> None:
    code = (
        "import sys, unfade\n"
        f"unfade.Restorer.from_pretrained('compact').restore({str(make_photo('a.png'))!r}, "
        "strength=0)\n"
        "names = {m.split('.')[0] for m in sys.modules}\n"
        "sys.exit(len(names & {'diffusers', 'transformers', 'tokenizers', 'huggingface_hub'}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_shipped_weights_colour_a_gray_photo(restorer: Restorer) -> None:
    assert restorer.diffuses and restorer.tasks == TASKS
    levels = np.linspace(40, 200, 96)[:, None] + np.linspace(0, 40, 112)
    gray = np.rint(levels).astype(np.uint8)
    out = restorer.restore(gray, task="colorize", mask="none", prompt="a red dress", steps=1)
    assert out.image.native.shape == (96, 112, 3)
    assert np.ptp(out.image.native.astype(int), 2).mean() > 3
    light = [
        cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 0]
        for image in (out.image.native, np.repeat(gray[..., None], 3, 2))
    ]
    assert np.abs(light[0] - light[1]).mean() < 0.5


def test_manifest_holds_what_auto_took(
    tiny: Restorer, make_photo: MakePhoto, tiny_preset: Path, tmp_path: Path
) -> None:
    damage = np.zeros((64, 80), np.uint8)
    damage[20:30, 10:50] = 255
    cv2.imwrite(str(tmp_path / "damage.png"), damage)
    out = tiny.restore(make_photo("a.png"), steps=1, mask=tmp_path / "damage.png")
    manifest = out.manifest
    text = manifests.xmp_description(manifest)
    assert "<unfade:Steps>1</unfade:Steps>" in text
    taken = manifest["diffusion"]
    assert taken is not None
    how = {"strength", "fidelity", "posterior_mean", "vae_residual", "eta", "steps", "draws",
           "saturation"}  # fmt: skip
    assert set(taken) == how | {"share", "grain", "blur"}
    assert (taken["steps"], taken["draws"]) == (1, 1)
    assert 0 < taken["strength"] <= TRAITS["old-photo"].max_strength
    assert manifest["options"]["strength"] == "auto" and manifest["options"]["steps"] == 1
    assert "unet/config.json" in manifest["weights"] and manifest["variant"] is None
    assert {"measure", "diffuse", "read"} <= set(manifest["seconds"])
    assert "<unfade:Strength>" in text and str(tiny_preset) not in text
    assert "compositeWithTrainedAlgorithmicMedia" in text
    fixed = tiny.restore(make_photo("a.png"), steps=1, strength=0.3, fidelity=0.1).manifest
    assert fixed["diffusion"] is not None
    assert (fixed["diffusion"]["strength"], fixed["diffusion"]["fidelity"]) == (0.3, 0.1)


def test_variants_come_with_their_manifests(
    tiny: Restorer, make_photo: MakePhoto, tmp_path: Path
) -> None:
    path, out = make_photo("a.png"), tmp_path / "new" / "b.png"
    restored = tiny.restore(path, **NEW_COLOURS, steps=1, variants=3)
    assert [r.manifest["variant"] for r in (restored, *restored.variants)] == [1, 2, 3]
    written = restored.save(out)
    names = sorted(p.name for p in out.parent.iterdir())
    assert names == ["b-1.json", "b-1.png", "b-2.json", "b-2.png", "b-3.json", "b-3.png"]
    assert written == manifests.read(out.with_name("b-1.json"))
    third = manifests.read(out.with_name("b-3.json"))
    assert third["variant"] == 3 and third["command"] == written["command"]
    assert f"-o {out} " in str(third["command"])
    np.testing.assert_array_equal(
        read_photo(out.with_name("b-3.png")).native, restored.variants[1].image.native
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [({}, "strength=0.5 has each drawn anew"), ({"mask": "none"}, "nothing was to be filled")],
)
def test_one_result_is_given_where_variants_would_be_alike(
    tiny: Restorer, make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, options: dict[str, Any], told: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(request, "estimate_damage", lambda *_: Damage())
    out = tiny.restore(make_photo("a.png"), variants=3, **options)
    assert out.variants == () and out.manifest["variant"] is None
    assert [p.name for p in out.outputs("b.png")] == ["b-1.png"]
    (record,) = caplog.records
    assert record.getMessage().startswith("one result in place of 3, as all would be alike: ")
    assert told in record.getMessage()


def test_preset_says_how_its_model_is_run(
    tiny_preset: Path, tmp_path: Path, make_photo: MakePhoto, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "own"
    shutil.copytree(tiny_preset, folder)
    listed = json.loads((folder / MANIFEST).read_text("utf-8"))
    own = {"strength": {"old-photo": 0}, "steps": {"colorize": 1}, "draws": {"colorize": 2}}
    (folder / MANIFEST).write_text(json.dumps(listed | own), "utf-8")
    restorer, path = Restorer.from_pretrained(folder, device="cpu"), make_photo("a.png")
    out = restorer.restore(path, **NEW_COLOURS, mask="none", variants=2)
    taken = out.manifest["diffusion"]
    assert taken is not None and (taken["steps"], taken["draws"]) == (1, 2)
    assert out.manifest["options"]["steps"] == "auto"
    assert (out.image.native != out.variants[0].image.native).mean() > 0.3
    with caplog.at_level(logging.WARNING):
        old = restorer.restore(path, prompt="red")
    assert old.manifest["diffusion"] is None and old.manifest["weights"] == restorer.weights
    assert any("no effect: prompt" in record.getMessage() for record in caplog.records)
    plain = restorer.restore(path, strength=0)
    np.testing.assert_array_equal(old.image.native, plain.image.native)


def test_model_from_elsewhere_restores(make_photo: MakePhoto, tiny_preset: Path) -> None:
    restorer = Restorer.from_pretrained(
        "sd21", base=tiny_preset, controlnet=tiny_preset, device="cpu"
    )
    out = restorer.restore(make_photo("a.png"), task="super-resolution", scale=2, steps=1)
    assert out.image.native.shape == (128, 160, 3)
    record = out.manifest["options"]
    assert record["preset"] == "sd21"
    assert record["base"] == record["controlnet"] == str(tiny_preset)
    assert "base/unet/config.json" in out.manifest["weights"]


def test_wrong_weights_are_refused_when_they_are_needed(
    tiny_preset: Path, tmp_path: Path, make_photo: MakePhoto
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_preset, copy)
    path = copy / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    restorer = Restorer.from_pretrained(copy, device="cpu")
    photo = make_photo("a.png")
    restorer.restore(photo, strength=0)
    with pytest.raises(WeightsError, match=r"unet.*sha256"):
        restorer.restore(photo, task="colorize")


@pytest.mark.parametrize("task", TASKS)
def test_the_published_method_leaves_all_to_the_model(
    tiny: Restorer, make_photo: MakePhoto, tmp_path: Path, task: Task
) -> None:
    damage = np.zeros((64, 80), np.uint8)
    damage[20:30, 10:50] = 255
    cv2.imwrite(str(tmp_path / "damage.png"), damage)
    given: dict[str, Any] = {"scale": 2} if task == "super-resolution" else {}
    if task == "old-photo":
        given = {"mask": tmp_path / "damage.png"}
    gray = cv2.imread(str(make_photo("a.png")), cv2.IMREAD_GRAYSCALE)
    assert gray is not None
    cv2.imwrite(str(tmp_path / "gray.png"), gray)
    out = tiny.restore(tmp_path / "gray.png", task=task, paper=True, steps=2, **given)
    taken = out.manifest["diffusion"]
    assert taken is not None and (taken["strength"], taken["steps"]) == (1, 2)
    assert (taken["posterior_mean"], taken["vae_residual"]) == (0, 0)
    assert taken["fidelity"] == (0.5 if task == "super-resolution" else 0)
    assert not {"mend", "enlarge", "colour"} & set(out.manifest["seconds"])
    assert out.image.height == (128 if task == "super-resolution" else 64)
    if task != "super-resolution":
        assert np.ptp(out.to_numpy(), axis=2).max() > 8  # a gray photo may get colours
