from __future__ import annotations

import copy
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from unfade.errors import UsageError, WeightsError
from unfade.models.compact import build_controlnet
from unfade.models.folder import Base, save_base
from unfade.models.prediction import noise_likeness
from unfade.models.single_file import load_controlnet_file, load_single_file
from unfade.models.sources import find_base, find_controlnet

LAYERS = 2  # layers_per_block of Stable Diffusion's networks
RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
TOP = {
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
    "mid_block.resnets.0": "middle_block.0", "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
}  # fmt: skip


def unet_name(key: str) -> str:
    """diffusers' name of a UNet's tensor -> that of the original code."""
    found = re.match(r"(down|up)_blocks\.(\d)\.(resnets|attentions|\w+samplers)\.(\d)\.(.*)", key)
    if found:
        way, i, kind, j, rest = found[1], int(found[2]), found[3], int(found[4]), found[5]
        if way == "down":
            number = (LAYERS + 1) * i + j + 1
            place = {"resnets": "0", "attentions": "1"}.get(kind)
            if place is None:
                number, place, rest = (LAYERS + 1) * (i + 1), "0", rest.replace("conv", "op")
            key = f"input_blocks.{number}.{place}.{rest}"
        else:
            place = {"resnets": "0", "attentions": "1"}.get(kind)
            number = (LAYERS + 1) * i + j
            if place is None:
                number, place = (LAYERS + 1) * i + LAYERS, "1" if i == 0 else "2"
            key = f"output_blocks.{number}.{place}.{rest}"
    for ours, theirs in TOP.items():
        key = re.sub(rf"^{re.escape(ours)}\b", theirs, key)
    if "attn" not in key and "transformer_blocks" not in key:
        for ours, theirs in RESNET.items():
            key = re.sub(rf"\.{ours}\.", f".{theirs}.", key)
    return "model.diffusion_model." + key


def vae_name(key: str) -> str:
    def up(found: re.Match[str]) -> str:
        return f"up.{3 - int(found[1])}."

    key = re.sub(r"up_blocks\.(\d)\.", up, key)
    for ours, theirs in (
        (r"down_blocks\.", "down."),
        (r"resnets\.", "block."),
        (r"mid_block\.block\.0", "mid.block_1"),
        (r"mid_block\.block\.1", "mid.block_2"),
        (r"mid_block\.attentions\.0", "mid.attn_1"),
        (r"downsamplers\.0", "downsample"),
        (r"upsamplers\.0", "upsample"),
        ("group_norm", "norm"),
        (r"to_out\.0", "proj_out"),
        (r"to_([qkv])", r"\1"),
        ("conv_norm_out", "norm_out"),
        ("conv_shortcut", "nin_shortcut"),
    ):
        key = re.sub(ours, theirs, key)
    return "first_stage_model." + key


def text_tensors(state: dict[str, Tensor]) -> dict[str, Tensor]:
    names = {
        "embeddings.token_embedding.weight": "token_embedding.weight",
        "embeddings.position_embedding.weight": "positional_embedding",
        "final_layer_norm.weight": "ln_final.weight",
        "final_layer_norm.bias": "ln_final.bias",
    }
    out: dict[str, Tensor] = {}
    for key, value in state.items():
        if key in names:
            out[names[key]] = value
            continue
        name = key.replace("encoder.layers.", "transformer.resblocks.")
        for ours, theirs in (
            ("layer_norm", "ln_"),
            ("mlp.fc1", "mlp.c_fc"),
            ("mlp.fc2", "mlp.c_proj"),
            ("self_attn.", "attn."),
        ):
            name = name.replace(ours, theirs)
        found = re.fullmatch(r"(.*attn)\.([qkv])_proj\.(\w+)", name)
        if found is None:
            out[name] = value
        elif found[2] == "q":
            parts = [state[key.replace("q_proj", f"{letter}_proj")] for letter in "qkv"]
            out[f"{found[1]}.in_proj_{found[3]}"] = torch.cat(parts)
    return {f"cond_stage_model.model.{key}": value for key, value in out.items()}


def write_single_file(path: Path, base: Base) -> None:
    """The weights as the original authors named them; tokenizer and configurations beside."""
    tensors = {unet_name(k): v for k, v in base.unet.state_dict().items()}
    for key, value in base.vae.state_dict().items():
        linear = "attentions" in key and value.ndim == 2
        tensors[vae_name(key)] = value[..., None, None] if linear else value
    tensors |= text_tensors(base.text_encoder.state_dict())
    tensors["cond_stage_model.model.logit_scale"] = torch.zeros(())
    tensors["betas"] = torch.zeros(1000)
    save_base(path.parent, base)
    for weights in path.parent.glob("*/*.safetensors"):
        weights.unlink()
    save_file({k: v.contiguous() for k, v in tensors.items()}, path)


def test_load_single_file_gives_every_weight_its_place(tiny_sd: Base, tmp_path: Path) -> None:
    path = tmp_path / "v2-1.safetensors"
    write_single_file(path, tiny_sd)
    again = find_base(path)
    for name in ("vae", "unet", "text_encoder"):
        ours, theirs = getattr(tiny_sd, name).state_dict(), getattr(again, name).state_dict()
        assert set(ours) == set(theirs)
        wrong = [key for key in ours if not torch.equal(ours[key], theirs[key])]
        assert not wrong, name
        assert not getattr(again, name).training
    assert again.tokenizer("red").input_ids == tiny_sd.tokenizer("red").input_ids
    with torch.no_grad():  # no buffer was left without a value
        ids = torch.tensor([[3, 5]])
        assert torch.equal(
            again.text_encoder(ids).last_hidden_state, tiny_sd.text_encoder(ids).last_hidden_state
        )


def test_load_single_file_takes_the_precision_asked_for(tiny_sd: Base, tmp_path: Path) -> None:
    path = tmp_path / "v2-1.safetensors"
    write_single_file(path, tiny_sd)
    again = load_single_file(path, dtype=torch.bfloat16)
    for model in (again.unet, again.text_encoder):
        assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in again.vae.parameters()} == {torch.float32}


def test_load_single_file_says_how_to_fetch_the_tokenizer(tiny_sd: Base, tmp_path: Path) -> None:
    path = tmp_path / "v2-1.safetensors"
    write_single_file(path, tiny_sd)
    shutil.rmtree(tmp_path / "tokenizer")
    with pytest.raises(WeightsError, match=r"hf download .*tokenizer/\*"):
        load_single_file(path)


@pytest.mark.parametrize("harm", ["missing", "configured", "other"])
def test_load_single_file_refuses_weights_that_do_not_fit(
    tiny_sd: Base, tmp_path: Path, harm: str
) -> None:
    path = tmp_path / "v2-1.safetensors"
    write_single_file(path, tiny_sd)
    if harm == "missing":
        tensors = load_file(path)
        del tensors["model.diffusion_model.middle_block.2.out_layers.3.bias"]
        save_file(tensors, path)
    elif harm == "configured":
        shutil.rmtree(tmp_path / "unet")  # the full size is taken for granted
    else:
        save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match="do not fit"):
        load_single_file(path)


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_load_single_file_names_a_damaged_configuration(
    tiny_sd: Base, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "v2-1.safetensors"
    write_single_file(path, tiny_sd)
    (tmp_path / "unet" / "config.json").write_text(text, "utf-8")
    with pytest.raises(WeightsError, match=r"unet/config\.json: got an unreadable"):
        load_single_file(path)


def write_v1_file(path: Path, base: Base, metadata: dict[str, str] | None = None) -> None:
    """A file of 1.x: its text encoder is CLIP-L under other names; no scheduler/ beside it."""
    write_single_file(path, base)
    tensors = {k: v for k, v in load_file(path).items() if not k.startswith("cond_stage_model")}
    for key, value in base.text_encoder.state_dict().items():
        tensors[f"cond_stage_model.transformer.text_model.{key}"] = value
    ids = "cond_stage_model.transformer.text_model.embeddings.position_ids"
    tensors[ids] = torch.arange(10)[None]
    save_file({k: v.contiguous() for k, v in tensors.items()}, path, metadata)
    shutil.rmtree(path.parent / "scheduler")


def test_load_single_file_reads_the_text_encoder_of_version_1(
    tiny_sd15: Base, tmp_path: Path
) -> None:
    path = tmp_path / "v1-5.safetensors"
    write_v1_file(path, tiny_sd15)
    again = load_single_file(path, prediction="epsilon")
    for name in ("vae", "unet", "text_encoder"):
        ours, theirs = getattr(tiny_sd15, name).state_dict(), getattr(again, name).state_dict()
        assert set(ours) == set(theirs)
        assert all(torch.equal(ours[key], theirs[key]) for key in ours), name
    shutil.rmtree(tmp_path / "tokenizer")
    with pytest.raises(WeightsError, match=r"hf download stable-diffusion-v1-5/.*tokenizer"):
        load_single_file(path)


def predicts(base: Base) -> str:
    config: Any = base.scheduler.config
    return str(config.prediction_type)


def gives_back(base: Base, share: float) -> Base:
    """The same with a UNet that answers noise x with share * x, and else with x of another channel.

    conv_in gives x and -x; the last block hands that on; silu(x) - silu(-x) is x.
    """
    base = copy.deepcopy(base)
    unet: Any = base.unet
    last = unet.up_blocks[-1]
    with torch.no_grad():
        for layer in (
            unet.conv_in,
            last.resnets[-1].conv2,
            last.resnets[-1].conv_shortcut,
            last.attentions[-1].proj_out,
            unet.conv_out,
        ):
            layer.weight.zero_()
            layer.bias.zero_()
        for k in range(4):
            unet.conv_in.weight[2 * k, k, 1, 1], unet.conv_in.weight[2 * k + 1, k, 1, 1] = 1, -1
            for j, weight in ((k, share), ((k + 1) % 4, (1 - share**2) ** 0.5)):
                unet.conv_out.weight[k, 2 * j, 1, 1] = weight
                unet.conv_out.weight[k, 2 * j + 1, 1, 1] = -weight
        for i in range(8):
            last.resnets[-1].conv_shortcut.weight[i, 8 + i] = 1
    return base


def test_single_file_without_a_scheduler_is_measured(tiny_sd15: Base, tmp_path: Path) -> None:
    base = gives_back(tiny_sd15, 1.0)
    assert noise_likeness(base.unet, 999) == pytest.approx(1, abs=0.01)
    assert abs(noise_likeness(tiny_sd15.unet, 999)) < 0.5
    path = tmp_path / "model.safetensors"
    write_v1_file(path, base)
    assert predicts(load_single_file(path)) == "epsilon"
    assert predicts(load_single_file(path, prediction="v")) == "v_prediction"
    write_v1_file(path, tiny_sd15)
    assert predicts(load_single_file(path)) == "v_prediction"
    assert predicts(load_single_file(path, prediction="epsilon")) == "epsilon"
    write_v1_file(path, tiny_sd15, {"modelspec.prediction_type": "epsilon"})
    assert predicts(load_single_file(path)) == "epsilon"  # the file's own word counts first


def test_single_file_that_cannot_be_told_is_asked_about(tiny_sd15: Base, tmp_path: Path) -> None:
    base = gives_back(tiny_sd15, 0.65)
    assert noise_likeness(base.unet, 999) == pytest.approx(0.65, abs=0.03)
    path = tmp_path / "model.safetensors"
    write_v1_file(path, base)
    with pytest.raises(UsageError, match="prediction='epsilon' or prediction='v'"):
        load_single_file(path)


def test_load_single_file_names_models_of_other_families(tiny_sd: Base, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_single_file(path, tiny_sd)
    tensors = load_file(path)
    name = "model.diffusion_model.input_blocks.0.0.weight"
    save_file(tensors | {name: torch.zeros(8, 9, 3, 3)}, path)
    with pytest.raises(WeightsError, match="9 channels, made for inpainting"):
        load_single_file(path)
    save_file(tensors | {"conditioner.embedders.0.x": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match="Stable Diffusion XL"):
        load_single_file(path)


CONDITION = {"conv_in": 0, "blocks.0": 2, "blocks.1": 4, "blocks.2": 6, "blocks.3": 8,
             "blocks.4": 10, "blocks.5": 12, "conv_out": 14}  # fmt: skip


def controlnet_name(key: str) -> str:
    """diffusers' name of a ControlNet's tensor -> that of the original code."""
    found = re.match(r"controlnet_cond_embedding\.(conv_in|conv_out|blocks\.\d)\.(\w+)", key)
    if found:
        return f"control_model.input_hint_block.{CONDITION[found[1]]}.{found[2]}"
    found = re.match(r"controlnet_down_blocks\.(\d+)\.(\w+)", key)
    if found:
        return f"control_model.zero_convs.{found[1]}.0.{found[2]}"
    if key.startswith("controlnet_mid_block."):
        return key.replace("controlnet_mid_block.", "control_model.middle_block_out.0.")
    return unet_name(key).replace("model.diffusion_model.", "control_model.")


@pytest.mark.parametrize("layout", ["original", "diffusers"])
def test_controlnet_file_gives_every_weight_its_place(
    tiny_sd15: Base, tmp_path: Path, layout: str
) -> None:
    ours = build_controlnet(tiny_sd15.unet, widths=(4, 4, 8, 8))
    for parameter in ours.parameters():
        torch.nn.init.normal_(parameter)
    name = controlnet_name if layout == "original" else str
    path = tmp_path / "tile.safetensors"
    save_file({name(k): v.contiguous() for k, v in ours.state_dict().items()}, path)
    with pytest.raises(WeightsError, match=r"shape .* put the ControlNet's config\.json beside"):
        load_controlnet_file(path)  # the full size is taken for granted
    ours.save_config(tmp_path)
    again = load_controlnet_file(path, dtype=torch.bfloat16)
    assert {p.dtype for p in again.parameters()} == {torch.bfloat16}
    theirs = find_controlnet(path).state_dict()
    assert set(theirs) == set(ours.state_dict())
    assert all(torch.equal(v, theirs[k]) for k, v in ours.state_dict().items())
