from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pytest
from PIL import Image

import unfade
from unfade import manifest as manifests
from unfade.api import Restorer
from unfade.errors import OutputError, UsageError
from unfade.imaging import read_mask, read_photo, write_mask
from unfade.options import RestoreOptions, Task

MakePhoto = Callable[..., Path]


def half_mask(path: Path, height: int = 64, width: int = 80) -> Path:
    """A mask that marks a block in the middle."""
    mask = np.zeros((height, width), np.uint8)
    mask[height // 2 - 5 : height // 2 + 5, width // 2 - 5 : width // 2 + 5] = 255
    write_mask(path, mask)
    return path


def test_manifest_says_what_was_done(restorer: Restorer, make_photo: MakePhoto) -> None:
    path = make_photo("a.png")
    manifest = restorer.restore(path, tile=256, seed=7).manifest
    assert manifest["unfade"] == unfade.__version__
    assert manifest["options"]["tile"] == 256
    assert manifest["options"]["seed"] == 7
    assert manifest["options"]["preset"] == "compact"
    assert manifest["weights"] == restorer.weights_for(RestoreOptions())
    assert all(len(digest) == 64 for digest in manifest["weights"].values())
    assert manifest["input"] == {
        "name": "a.png",
        "sha256": manifests.sha256_file(path),
        "bytes": path.stat().st_size,
        "width": 80,
        "height": 64,
    }
    assert {"read", "detect", "mend"} <= set(manifest["seconds"])
    assert manifest["output"] is None


def test_every_kind_of_source_gives_the_same_photo(
    restorer: Restorer, make_photo: MakePhoto
) -> None:
    path = make_photo("a.png")
    with Image.open(path) as image:
        image.load()
    sources = [path, str(path), image, np.asarray(image), read_photo(path)]
    results = [restorer.restore(source).image.native for source in sources]
    assert all(np.array_equal(result, results[0]) for result in results)


def test_photo_from_memory_is_told_by_its_pixels(restorer: Restorer) -> None:
    array = np.full((16, 16, 3), 128, np.uint8)
    first, second = (restorer.restore(a).manifest["input"] for a in (array, array + 1))
    assert first["name"] is None
    assert first["sha256"] != second["sha256"]


def test_nothing_is_filled_when_the_mask_is_none(restorer: Restorer, make_photo: MakePhoto) -> None:
    out = restorer.restore(make_photo("a.png"), mask="none")
    assert out.mask is None
    assert out.manifest["damaged"] is None


def test_only_the_masked_part_changes_when_only_damage_is_mended(
    restorer: Restorer, make_photo: MakePhoto, tmp_path: Path
) -> None:
    path = make_photo("a.png")
    mask = half_mask(tmp_path / "mask.png")
    out = restorer.restore(path, mask=mask, only_damage=True)
    before, after = read_photo(path).native, out.image.native
    changed = (before != after).any(axis=2)
    far = cv2.dilate(read_mask(mask, size=None), np.ones((21, 21))) == 0
    assert not changed[far].any()
    assert out.manifest["damaged"] == pytest.approx(100 / (64 * 80), abs=1e-6)
    assert out.manifest["options"]["mask_sha256"] == manifests.sha256_file(mask)
    assert changed.any() and out.alignment == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("only_damage", [False, True])
def test_mask_that_was_found_and_its_file_give_the_same_bytes(
    restorer: Restorer, make_photo: MakePhoto, tmp_path: Path, only_damage: bool
) -> None:
    path = make_photo("a.png", height=128, width=160)
    options = {"threshold": 0.3, "strength": 0, "only_damage": only_damage}
    soft = restorer.detect(path, soft=True)
    assert ((soft >= 0.3 * 255) & (soft < 0.6 * 255)).sum() > 10  # doubtful pixels are filled too
    write_mask(tmp_path / "mask.png", restorer.detect(path, threshold=0.3))
    automatic = restorer.restore(path, **options).image.native
    given = restorer.restore(path, mask=tmp_path / "mask.png", **options).image.native
    np.testing.assert_array_equal(automatic, given)


def test_progress_only_grows_and_ends_at_one(restorer: Restorer, make_photo: MakePhoto) -> None:
    seen: list[float] = []
    restorer.restore(make_photo("a.png"), progress=lambda stage, share: seen.append(share))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_detect_gives_yes_and_no_or_probabilities(
    restorer: Restorer, make_photo: MakePhoto
) -> None:
    path = make_photo("a.png")
    hard, soft = restorer.detect(path), restorer.detect(path, soft=True)
    assert hard.shape == soft.shape == (64, 80)
    assert set(np.unique(hard)) <= {0, 255}
    strict = restorer.detect(path, threshold=0.99)
    assert (strict <= hard).all()
    level = int(np.ceil(0.99 * 255))
    assert np.array_equal(strict == 255, soft >= level)


def test_sensitivity_is_a_threshold_of_the_detector(
    restorer: Restorer, make_photo: MakePhoto
) -> None:
    path = make_photo("a.png", height=128, width=160)
    assert restorer.thresholds["normal"] == restorer.threshold
    masks: list[np.ndarray] = []
    for name in ("low", "normal", "high"):
        threshold = restorer.thresholds[name]
        masks.append(restorer.detect(path, sensitivity=name))
        np.testing.assert_array_equal(masks[-1], restorer.detect(path, threshold=threshold))
        out = restorer.restore(path, sensitivity=name, strength=0)
        named = restorer.restore(path, threshold=threshold, strength=0)
        np.testing.assert_array_equal(out.image.native, named.image.native)
        options = out.manifest["options"]
        assert (options["sensitivity"], options["threshold"]) == (name, threshold)
    low, normal, high = ((mask > 0).sum() for mask in masks)
    assert 0 < low < normal < high


@pytest.mark.parametrize("task", ["old-photo", "colorize"])
def test_protected_pixels_keep_their_values_and_are_no_damage(
    restorer: Restorer, make_photo: MakePhoto, tmp_path: Path, task: Task
) -> None:
    path = make_photo("a.png", height=128, width=160)
    protected = np.zeros((128, 160), np.uint8)
    protected[40:80] = 255  # across the scratch
    write_mask(tmp_path / "keep.png", protected)
    write_mask(tmp_path / "dress.png", np.full((128, 160), 255, np.uint8))
    colours = [(tmp_path / "dress.png", "red")]
    out = restorer.restore(
        path, task=task, protect=tmp_path / "keep.png", colours=colours, sensitivity="high"
    )
    assert out.mask is not None and out.mask[:40].any() and not out.mask[40:80].any()
    before, after = read_photo(path).native, out.image.native
    np.testing.assert_array_equal(after[40:80], before[40:80])
    assert (after[:30] != before[:30]).any(2).mean() > 0.9
    record = out.manifest["options"]
    assert record["protect"] == [str(tmp_path / "keep.png")]
    assert record["protect_sha256"] == [manifests.sha256_file(tmp_path / "keep.png")]
    mask = restorer.detect(path, protect=[tmp_path / "keep.png"], sensitivity="high")
    np.testing.assert_array_equal(mask > 0, out.mask >= restorer.thresholds["high"] * 255)


def test_protection_counts_for_a_mask_from_a_file_too(
    restorer: Restorer, make_photo: MakePhoto, tmp_path: Path
) -> None:
    path, mask = make_photo("a.png"), half_mask(tmp_path / "mask.png")
    protected = np.zeros((64, 80), np.uint8)
    protected[:, 40:] = 255
    write_mask(tmp_path / "keep.png", protected)
    out = restorer.restore(path, mask=mask, protect=str(tmp_path / "keep.png"), only_damage=True)
    assert out.manifest["damaged"] == pytest.approx(50 / (64 * 80), abs=1e-6)
    changed = (out.image.native != read_photo(path).native).any(2)
    assert changed[:, :40].any() and not changed[:, 40:].any()


def test_save_writes_photo_and_manifest(
    restorer: Restorer, make_photo: MakePhoto, tmp_path: Path
) -> None:
    path, out = make_photo("a.png"), tmp_path / "new" / "b.tif"
    manifest = restorer.restore(path).save(out)
    assert sorted(p.name for p in out.parent.iterdir()) == ["b.json", "b.tif"]
    assert manifests.read(out.with_suffix(".json")) == manifest
    assert manifest["output"] == {
        "name": "b.tif",
        "sha256": manifests.sha256_file(out),
        "bytes": out.stat().st_size,
    }
    assert manifest["command"] is not None
    assert manifest["command"].endswith(f"-- {path}")
    xmp = read_photo(out).metadata.xmp
    assert xmp is not None
    assert b"DigitalSourceType" in xmp
    assert manifest["input"]["sha256"].encode() in xmp


def test_save_leaves_nothing_when_it_cannot_write(
    restorer: Restorer, make_photo: MakePhoto, tmp_path: Path
) -> None:
    restored = restorer.restore(make_photo("a.png"))
    folder = tmp_path / "out"
    (folder / "b.json").mkdir(parents=True)
    (folder / "b.png.json").write_text("mine")
    for name in ("b.png", "b.nonsense"):
        with pytest.raises(OutputError):
            restored.save(folder / name)
    assert sorted(p.name for p in folder.iterdir()) == ["b.json", "b.png.json"]


def test_function_restores_a_file_with_its_options(
    make_photo: MakePhoto, tmp_path: Path, plain_preset: Path
) -> None:
    path, out = make_photo("a.png"), tmp_path / "b.png"
    given: dict[str, Any] = {"task": "super-resolution", "scale": 2.0, "strength": 0, "tile": 128}
    restored = unfade.restore(path, out, preset=plain_preset, device="cpu", **given)
    assert np.array_equal(read_photo(out).native, restored.image.native)
    assert restored.image.native.shape == (128, 160, 3)
    record = json.loads(out.with_suffix(".json").read_text())
    assert record["output"]["name"] == "b.png"
    assert {name: record["options"][name] for name in given} == given
    assert record["options"]["preset"] == str(plain_preset)
    with pytest.raises(UsageError, match="the photo itself"):
        unfade.restore(path, path, device="cpu")


def test_run_takes_the_preset_of_the_restorer(restorer: Restorer, make_photo: MakePhoto) -> None:
    options = RestoreOptions(preset="elsewhere", device="cuda")
    record = restorer.run(make_photo("a.png"), options).manifest["options"]
    assert record["preset"] == "compact"
    assert record["device"] == "cpu"


def test_alignment_is_measured_and_recorded(
    restorer: Restorer, make_photo: MakePhoto, tmp_path: Path
) -> None:
    out = restorer.restore(make_photo("a.png"))
    assert out.alignment is not None and 0 < out.alignment <= 1
    assert out.manifest["alignment"] == out.alignment
    assert "align" in out.manifest["seconds"]
    assert out.save(tmp_path / "b.png")["alignment"] == out.alignment
    xmp = read_photo(tmp_path / "b.png").metadata.xmp
    assert xmp is not None
    assert f"<unfade:Alignment>{out.alignment:.4f}<".encode() in xmp
    everywhere, small = out.alignment_map(), out.alignment_map((16, 20))
    assert everywhere is not None and small is not None
    assert everywhere.shape == (64, 80) and small.shape == (16, 20)
    assert everywhere.dtype == np.float32


@pytest.mark.parametrize(
    ("task", "tone", "told"),
    [("old-photo", None, True), ("old-photo", "keep", False), ("colorize", None, False)],
)
def test_protected_part_that_keeps_another_tone_is_told(
    restorer: Restorer, make_photo: MakePhoto, tmp_path: Path, caplog: pytest.LogCaptureFixture,
    task: Task, tone: Literal["keep"] | None, told: bool,
) -> None:  # fmt: skip
    gray = read_photo(make_photo("a.png", height=96, width=96)).native.mean(2, keepdims=True)
    faded = (gray * [0.35, 0.315, 0.245] + 110).astype(np.uint8)
    protected = np.zeros((96, 96), np.uint8)
    protected[20:60, 20:60] = 255
    write_mask(tmp_path / "keep.png", protected)
    restorer.restore(
        faded, task=task, tone=tone, mask="none", strength=0, protect=tmp_path / "keep.png"
    )
    assert ("tone='keep'" in caplog.text) == told
