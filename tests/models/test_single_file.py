from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from unfade.errors import WeightsError
from unfade.models.folder import Base, save_base
from unfade.models.single_file import load_single_file

LAYERS = 2  # layers_per_block of Stable Diffusion's networks
RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
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
        (r"down_blocks\.", "down."), (r"resnets\.", "block."),
        (r"mid_block\.block\.0", "mid.block_1"), (r"mid_block\.block\.1", "mid.block_2"),
        (r"mid_block\.attentions\.0", "mid.attn_1"),
        (r"downsamplers\.0", "downsample"), (r"upsamplers\.0", "upsample"),
        ("group_norm", "norm"), (r"to_out\.0", "proj_out"), (r"to_([qkv])", r"\1"),
        ("conv_norm_out", "norm_out"), ("conv_shortcut", "nin_shortcut"),
    ):  # fmt: skip
        key = re.sub(ours, theirs, key)
    return "first_stage_model." + key


def text_tensors(state: dict[str, Tensor]) -> dict[str, Tensor]:
    names = {
        "embeddings.token_embedding.weight": "token_embedding.weight",
        "embeddings.position_embedding.weight": "positional_embedding",
        "final_layer_norm.weight": "ln_final.weight", "final_layer_norm.bias": "ln_final.bias",
    }  # fmt: skip
    out: dict[str, Tensor] = {}
    for key, value in state.items():
        if key in names:
            out[names[key]] = value
            continue
        name = key.replace("encoder.layers.", "transformer.resblocks.")
        for ours, theirs in (
            ("layer_norm", "ln_"), ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj"),
            ("self_attn.", "attn."),
        ):  # fmt: skip
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
    again = load_single_file(path)
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
    for model in (again.vae, again.unet, again.text_encoder):
        assert {p.dtype for p in model.parameters()} == {torch.bfloat16}


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
