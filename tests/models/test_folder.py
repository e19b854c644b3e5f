from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.controlnet.pipeline_controlnet import StableDiffusionControlNetPipeline
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel

from unfade.errors import OutputError, WeightsError
from unfade.models.compact import build_controlnet, build_scheduler
from unfade.models.folder import Base, load_base, load_part, load_scheduler, save_base, save_part


@pytest.fixture(params=["compact", "sd21"])
def base(request: pytest.FixtureRequest, tiny_compact: Base, tiny_sd: Base) -> Base:
    return tiny_compact if request.param == "compact" else tiny_sd


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    theirs = b.state_dict()
    return set(theirs) == set(a.state_dict()) and all(
        torch.equal(v.half().float() if v.is_floating_point() else v, theirs[k])
        for k, v in a.state_dict().items()
    )


def test_load_base_gives_back_what_save_base_wrote(base: Base, tmp_path: Path) -> None:
    save_base(tmp_path, base)
    again = load_base(tmp_path)
    for name in ("vae", "unet", "text_encoder"):
        loaded = getattr(again, name)
        assert same(getattr(base, name), loaded), name
        assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())
        assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    assert again.tokenizer("a red dress").input_ids == base.tokenizer("a red dress").input_ids
    assert torch.equal(again.scheduler.alphas_cumprod, base.scheduler.alphas_cumprod)
    assert (again.downscale, again.stride) == (base.downscale, base.stride)
    weights = load_file(tmp_path / "unet" / "diffusion_pytorch_model.safetensors")
    assert {v.dtype for v in weights.values()} == {torch.float16}


def test_load_base_takes_the_precision_asked_for(base: Base, tmp_path: Path) -> None:
    save_base(tmp_path, base)
    again = load_base(tmp_path, dtype=torch.bfloat16)
    for model in (again.unet, again.text_encoder):
        assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in again.vae.parameters()} == {torch.float32}


def test_load_part_takes_the_hubs_fp16_variant_and_the_prefix_of_old_text_encoders(
    tiny_sd: Base, tmp_path: Path
) -> None:
    save_part(tmp_path, tiny_sd.text_encoder)
    tensors = load_file(tmp_path / "model.safetensors")
    old = {f"text_model.{key}": value for key, value in tensors.items()}
    save_file(old, tmp_path / "model.fp16.safetensors", {"format": "pt"})
    (tmp_path / "model.safetensors").unlink()
    assert same(tiny_sd.text_encoder, load_part(tmp_path, CLIPTextModel))


def test_load_base_names_every_missing_part(tiny_compact: Base, tmp_path: Path) -> None:
    save_base(tmp_path, tiny_compact)
    shutil.rmtree(tmp_path / "unet")
    shutil.rmtree(tmp_path / "tokenizer")
    with pytest.raises(WeightsError, match="got no unet/, tokenizer/, expected"):
        load_base(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "diffusion_pytorch_model.safetensors"])
def test_load_part_refuses_a_missing_file(tiny_compact: Base, tmp_path: Path, name: str) -> None:
    save_part(tmp_path, tiny_compact.unet)
    (tmp_path / name).unlink()
    with pytest.raises(WeightsError, match="no weights here"):
        load_part(tmp_path, UNet2DConditionModel)


def test_load_part_never_reads_pickles(tiny_compact: Base, tmp_path: Path) -> None:
    save_part(tmp_path, tiny_compact.unet)
    weights = tmp_path / "diffusion_pytorch_model.safetensors"
    torch.save(load_file(weights), tmp_path / "diffusion_pytorch_model.bin")
    weights.unlink()
    with pytest.raises(WeightsError, match="no weights here"):
        load_part(tmp_path, UNet2DConditionModel)


@pytest.mark.parametrize("harm", ["cut", "tensor", "shape", "config"])
def test_load_part_refuses_damaged_weights(tiny_compact: Base, tmp_path: Path, harm: str) -> None:
    save_part(tmp_path, tiny_compact.unet)
    path = tmp_path / "diffusion_pytorch_model.safetensors"
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif harm == "config":
        (tmp_path / "config.json").write_text("{", "utf-8")
    else:
        tensors = load_file(path)
        del tensors["conv_out.bias"]
        if harm == "shape":
            tensors["conv_out.bias"] = torch.zeros(7)
        save_file(tensors, path, {"format": "pt"})
    with pytest.raises(WeightsError):
        load_part(tmp_path, UNet2DConditionModel)


def test_load_scheduler_takes_the_noise_of_another_sampler(tmp_path: Path) -> None:
    config = {
        "_class_name": "PNDMScheduler", "beta_start": 0.00085, "beta_end": 0.012,
        "beta_schedule": "scaled_linear", "set_alpha_to_one": False, "skip_prk_steps": True,
        "steps_offset": 1, "prediction_type": "v_prediction",
    }  # fmt: skip
    (tmp_path / "scheduler_config.json").write_text(json.dumps(config), "utf-8")
    found: Any = load_scheduler(tmp_path)
    assert torch.equal(found.alphas_cumprod, build_scheduler().alphas_cumprod)
    assert found.config.prediction_type == "v_prediction" and not found.config.clip_sample
    (tmp_path / "scheduler_config.json").write_text("[]", "utf-8")
    with pytest.raises(WeightsError, match="scheduler"):
        load_scheduler(tmp_path)


def test_save_part_reports_a_folder_that_cannot_be_written(
    tiny_compact: Base, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        save_part(tmp_path / "file" / "unet", tiny_compact.unet)


def test_save_part_leaves_what_was_there_when_it_fails(
    tiny_compact: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_part(tmp_path, tiny_compact.unet)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def full(_: object) -> str:  # the file is open, and empty, by then
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(UNet2DConditionModel, "to_json_string", full)
    with pytest.raises(OutputError, match="no space left"):
        save_part(tmp_path, tiny_compact.unet)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_saved_controlnet_runs_in_diffusers_own_pipeline(tiny_sd: Base, tmp_path: Path) -> None:
    ours = build_controlnet(tiny_sd.unet)
    for parameter in ours.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    save_base(tmp_path, tiny_sd)
    save_part(tmp_path / "controlnet", ours)
    theirs, info = ControlNetModel.from_pretrained(
        tmp_path / "controlnet", output_loading_info=True
    )  # pyright: ignore[reportGeneralTypeIssues]
    assert not info["missing_keys"] and not info["unexpected_keys"]
    pipeline: Any = StableDiffusionControlNetPipeline(
        tiny_sd.vae, tiny_sd.text_encoder, tiny_sd.tokenizer,  # pyright: ignore
        tiny_sd.unet, theirs, tiny_sd.scheduler, None, None,  # pyright: ignore
        requires_safety_checker=False,
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    tokens = {
        "prompt_embeds": torch.randn(1, 10, 16),
        "negative_prompt_embeds": torch.zeros(1, 10, 16),
    }
    photo, outs = torch.rand(1, 3, 64, 64), []
    for condition in (photo, 1 - photo):
        generator = torch.Generator().manual_seed(0)
        out = pipeline(
            image=condition, num_inference_steps=2, generator=generator, output_type="np", **tokens
        )
        outs.append(out.images)
    assert outs[0].shape == (1, 64, 64, 3) and np.isfinite(outs[0]).all()
    assert not np.array_equal(outs[0], outs[1])
