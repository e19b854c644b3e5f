"""`unfade restore` with Stable Diffusion: tiny random weights in the published layouts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from unfade import manifest as manifests
from unfade.cli.main import run
from unfade.imaging import read_photo

if TYPE_CHECKING:
    from unfade.models.folder import Base

MakePhoto = Callable[..., Path]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def models(tiny_sd: Base, tiny_sd15: Base, tmp_path: Path) -> Path:
    """sd15/, sd21/, tile/ (a ControlNet for 1.5, fp16 variant) and iide/ (one for 2.1, a mask)."""
    from unfade.models.compact import build_controlnet
    from unfade.models.folder import save_base, save_part

    save_base(tmp_path / "sd15", tiny_sd15)
    save_base(tmp_path / "sd21", tiny_sd)
    torch.manual_seed(4)
    for name, base, mask in (("tile", tiny_sd15, False), ("iide", tiny_sd, True)):
        made = build_controlnet(base.unet, mask=mask, widths=(4, 4, 8, 8))
        for parameter in made.parameters():
            if not parameter.any():
                torch.nn.init.normal_(parameter, std=0.3)
        save_part(tmp_path / name, made)
    tile = tmp_path / "tile" / "diffusion_pytorch_model.safetensors"
    tile.rename(tile.with_name("diffusion_pytorch_model.fp16.safetensors"))
    return tmp_path


def restore(photo: Path, out: Path, *extra: str | Path) -> int:
    options = ["--device", "cpu"]
    if "super-resolution" not in extra:
        options += ["--tone", "keep"]
    if "--strength" not in extra and "--steps" not in extra:
        options += ["--steps", "2"]
    return run(["restore", str(photo), "-o", str(out), *options, *map(str, extra)])


def damage(folder: Path) -> tuple[Path, NDArray[np.bool_]]:
    mask = np.zeros((64, 80), np.uint8)
    mask[20:36, 30:50] = 255
    cv2.imwrite(str(folder / "mask.png"), mask)
    return folder / "mask.png", mask > 0


def test_sd15_with_a_published_controlnet_restores_the_whole_photo(
    models: Path, make_photo: MakePhoto
) -> None:
    photo, names = make_photo("a.png"), ["--base", models / "sd15", "--controlnet", models / "tile"]
    assert restore(photo, models / "with", *names, "--prompt", "red", "--mask", "none") == 0
    assert restore(photo, models / "without", "--mask", "none", "--strength", "0") == 0
    with_, without = (read_photo(models / x / "a.png").native for x in ("with", "without"))
    assert with_.shape == (64, 80, 3)
    differs = np.abs(with_.astype(int) - without.astype(int)).max(2) > 1
    assert differs.mean() > 0.5
    manifest = manifests.read(models / "with" / "a.json")
    assert manifest["options"]["reach"] == "all"
    assert manifest["diffusion"] is not None and manifest["diffusion"]["strength"] == 0.4
    names = {name.split("/")[0] for name in manifest["weights"]}
    assert {"base", "controlnet"} < names and "unet" not in names


def test_sd21_alone_fills_the_damage(models: Path, make_photo: MakePhoto) -> None:
    photo, (mask, hurt) = make_photo("a.png"), damage(models)
    extra = ["--preset", "sd21", "--base", models / "sd21", "--mask", mask]
    assert restore(photo, models / "alone", *extra, "--prompt", "red", "--only-damage") == 0
    before, after = read_photo(photo).native, read_photo(models / "alone" / "a.png").native
    assert restore(photo, models / "first", "--mask", mask, "--strength", "0", "--only-damage") == 0
    first = read_photo(models / "first" / "a.png").native
    assert (after != first)[hurt].mean() > 0.5
    near = cv2.dilate(hurt.astype(np.uint8), np.ones((17, 17), np.uint8)) > 0
    assert np.array_equal(after[~near], before[~near])
    manifest = manifests.read(models / "alone" / "a.json")
    assert manifest["options"]["reach"] == "damage"
    assert manifest["diffusion"] is not None and manifest["diffusion"]["strength"] == 0.8
    assert not any(name.startswith("controlnet") for name in manifest["weights"])


def test_sd21_with_a_controlnet_of_ones_own_in_bf16(models: Path, make_photo: MakePhoto) -> None:
    photo, (mask, _) = make_photo("a.png"), damage(models)
    names = ["--preset", "sd21", "--base", models / "sd21", "--controlnet", models / "iide"]
    half = ["--dtype", "bf16", "--offload"]
    assert restore(photo, models / "fp32", *names, "--mask", mask, "--dtype", "fp32") == 0
    assert restore(photo, models / "bf16", *names, "--mask", mask, *half) == 0
    fine, coarse = (read_photo(models / x / "a.png").native for x in ("fp32", "bf16"))
    difference = np.abs(fine.astype(int) - coarse.astype(int))
    assert difference.max() > 0 and difference.mean() < 8
    options = manifests.read(models / "bf16" / "a.json")["options"]
    assert options["dtype"] == "bf16" and options["offload"] is True


def test_gray_photo_is_coloured_at_the_size_of_the_unet(
    models: Path, make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    seen: list[tuple[int, ...]] = []
    forward = UNet2DConditionModel.forward

    def noted(self: UNet2DConditionModel, sample: torch.Tensor, *args: object, **kwargs: object):
        seen.append(tuple(sample.shape[2:]))
        return forward(self, sample, *args, **kwargs)  # pyright: ignore

    monkeypatch.setattr(UNet2DConditionModel, "forward", noted)
    photo = make_photo("a.png", height=600, width=750)
    names = ["--base", models / "sd15", "--controlnet", models / "tile"]
    extra = ["--task", "colorize", "--existing-colours", "replace", "--mask", "none"]
    extra += ["--steps", "1"]
    assert restore(photo, models / "out", *names, *extra) == 0
    assert seen == [(64, 72)]  # 458 x 572 pixels, 512 x 512 in all, padded to multiples of 64


def test_what_a_base_alone_cannot_do_is_said_in_one_sentence(
    models: Path, make_photo: MakePhoto, capfd: Capture
) -> None:
    extra = ["--base", models / "sd21", "--task", "super-resolution"]
    assert restore(make_photo("a.png"), models / "out", *extra) == 2
    out, err = capfd.readouterr()
    assert "--controlnet" in err and "Traceback" not in err and out == ""
    assert not list((models / "out").glob("*.png"))


def test_prediction_is_taken_as_told(models: Path, make_photo: MakePhoto) -> None:
    photo, (mask, _) = make_photo("a.png"), damage(models)
    for prediction in ("v", "epsilon"):
        extra = ["--base", models / "sd15", "--mask", mask, "--prediction", prediction]
        assert restore(photo, models / prediction, *extra) == 0
    v, epsilon = (read_photo(models / x / "a.png").native for x in ("v", "epsilon"))
    assert not np.array_equal(v, epsilon)
    assert manifests.read(models / "v" / "a.json")["weights"]["prediction"] == "v"


@pytest.mark.parametrize("option", ["--base", "--controlnet"])
def test_a_wrong_path_is_refused_even_where_diffusion_has_no_part(
    tmp_path: Path, make_photo: MakePhoto, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    wrong = tmp_path / "nothing.safetensors"
    assert restore(make_photo("a.png"), tmp_path / "out", "--strength", "0", option, wrong) == 1
    assert f"no weights at '{wrong}'" in capsys.readouterr().err


def test_too_little_memory_is_said_in_one_sentence(
    models: Path, make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    def full(*args: object, **kwargs: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    photo, (mask, _) = make_photo("a.png"), damage(models)
    for name in ("to", "forward"):  # while it is loaded, and while it runs
        with monkeypatch.context() as patch:
            patch.setattr(UNet2DConditionModel, name, full)
            extra = ["--base", models / "sd21", "--mask", mask]
            assert restore(photo, models / "out", *extra) == 1
        out, err = capfd.readouterr()
        assert "Use --offload, --dtype fp16, a smaller --tile N, or --device cpu" in out + err
        assert "Traceback" not in err and not list((models / "out").glob("*.png"))
