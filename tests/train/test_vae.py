from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

from unfade.data.sources import CleanPhoto
from unfade.diffusion.condition import decode, encode
from unfade.errors import UsageError
from unfade.models.compact import VaeConfig
from unfade.models.folder import load_part
from unfade.train.sample_grid import mean_psnr
from unfade.train.vae import VaeRecipe, VaeTask, latents_std

MakeTask = Callable[..., Any]


def test_sample_is_a_crop_with_its_noise(make_diffusion_task: MakeTask) -> None:
    task = make_diffusion_task("vae")
    for split, index in (("train", 0), ("train", 7), ("validation", 0)):
        sample = task.sample(split, index)
        assert sample["hq"].shape == (3, 32, 32) and sample["noise"].shape == (4, 8, 8)
        assert sample["hq"].min() >= 0 and sample["hq"].max() <= 1
        again = task.sample(split, index)
        assert all(torch.equal(sample[k], again[k]) for k in sample)
    assert not torch.equal(task.sample("train", 0)["noise"], task.sample("train", 1)["noise"])


def test_an_autoencoder_that_folds_starts_as_the_best_linear_one(
    make_diffusion_task: MakeTask,
) -> None:
    config = VaeConfig(8, [64], latent_channels=16, groups=1)
    task = make_diffusion_task("vae", model=config)
    vae = task.build()
    hq = torch.stack([task.sample("train", n)["hq"] for n in range(40)])
    assert task.sample("train", 0)["noise"].shape == (16, 4, 4)
    with torch.no_grad():
        out = decode(vae, encode(vae, hq))
    assert mean_psnr(out, hq) > 30  # smooth pictures; an untrained network has about 10 dB


def test_held_out_photos_are_not_trained_on(photos: list[CleanPhoto]) -> None:
    many = [CleanPhoto(f"{i}{j}", photos[i].code) for j in range(5) for i in range(6)]
    task = VaeTask(VaeRecipe(), many)
    assert len(task.held_out) == 3 and len(task.photos) == 27
    assert not {p.key for p in task.held_out} & {p.key for p in task.photos}


def test_loss_falls_with_the_error(make_diffusion_task: MakeTask) -> None:
    task = make_diffusion_task("vae")
    vae = task.build()
    batch = {
        k: torch.stack([task.sample("train", n)[k] for n in range(2)]) for k in ("hq", "noise")
    }
    loss, figures = task.loss(vae, batch)
    optimizer = torch.optim.Adam(vae.parameters(), 5e-3)
    for _ in range(25):
        optimizer.zero_grad()
        task.loss(vae, batch)[0].backward()
        optimizer.step()
    after, better = task.loss(vae, batch)
    assert after < 0.8 * loss and better["psnr"] > figures["psnr"] + 1


def test_export_keeps_a_scale_that_gives_latents_unit_variance(
    make_diffusion_task: MakeTask, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    task = make_diffusion_task("vae")
    vae = task.build()
    with torch.no_grad():
        vae.quant_conv.weight[:4] *= 30  # latents far from unit variance
        vae.quant_conv.bias[4:] = -6
    task.export(vae, tmp_path / "vae")
    loaded = load_part(tmp_path / "vae", AutoencoderKL)
    scale = float(loaded.config["scaling_factor"])
    assert abs(scale - 1) > 0.2
    hq = torch.stack([task.sample("validation", i)["hq"] for i in range(48)])
    assert latents_std(loaded, hq) * scale == pytest.approx(1, rel=0.02)
    assert isinstance(task.load(tmp_path / "vae"), AutoencoderKL)


def test_validate_writes_a_sample_grid_and_the_psnr(
    make_diffusion_task: MakeTask, tmp_path: Path
) -> None:
    task = make_diffusion_task("vae")
    figures = task.validate(task.build().eval(), tmp_path / "sheet.png")
    assert 3 < figures["shown_psnr"] < 30
    assert (tmp_path / "sheet.png").stat().st_size > 1000


def test_task_refuses_crops_that_do_not_fit(make_diffusion_task: MakeTask) -> None:
    with pytest.raises(UsageError, match="crops of 30 pixels"):
        make_diffusion_task("vae", size=30)


def test_decoder_only_leaves_the_latents_and_their_scale_as_they_are(
    make_diffusion_task: MakeTask, tmp_path: Path
) -> None:
    task = make_diffusion_task("vae")
    task.export(task.build(), tmp_path / "start")
    task = make_diffusion_task("vae", decoder_only=True)
    vae = task.build()
    vae.load_state_dict(task.load(tmp_path / "start").state_dict())
    batch = {
        k: torch.stack([task.sample("train", n)[k] for n in range(2)]) for k in ("hq", "noise")
    }
    task.loss(vae, batch)[0].backward()
    learns = {name.split(".")[0] for name, p in vae.named_parameters() if p.grad is not None}
    assert learns == {"decoder", "post_quant_conv"}
    again = task.loss(vae, batch | {"noise": 9 * batch["noise"]})[0]
    assert again.item() == pytest.approx(task.loss(vae, batch)[0].item())
    task.export(vae, tmp_path / "end")
    first, last = (load_part(tmp_path / name, AutoencoderKL) for name in ("start", "end"))
    assert first.config["scaling_factor"] == last.config["scaling_factor"]
