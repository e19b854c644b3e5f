"""What the autoencoder keeps: photos through the latent and back, at full size.

    python benchmarks/autoencoder.py --vae RUN/vae --data PHOTOS [--json FILE]

PSNR and SSIM on RGB, data range 1, no border cropped, outputs rounded to 8 bits, means over the
photos. Each photo goes through whole; its sides are padded by reflection to a multiple of the
autoencoder's factor, and the padding is cut off again.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import cv2
import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch.nn import functional as F

from unfade.diffusion.condition import decode, encode
from unfade.eval import metrics
from unfade.models.folder import load_part
from unfade.models.inference import inference, placed
from unfade.models.patches import downscale_of


def reconstruct(vae: AutoencoderKL, rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32 in [0, 1] -> the same, through the mean latent, rounded to 8 bits."""
    cell = downscale_of(vae)
    h, w = rgb.shape[:2]
    x = torch.from_numpy(rgb).permute(2, 0, 1)[None]  # (1, 3, H, W)
    x = F.pad(x, (0, -w % cell, 0, -h % cell), mode="reflect")
    with inference(torch.device("cpu")):
        out = decode(vae, encode(vae, x))
    out = out.float().clamp(0, 1)[0, :, :h, :w]
    return np.rint(out.permute(1, 2, 0).numpy() * 255).astype(np.float32) / 255


@click.command(help=__doc__)
@click.option("--vae", "folder", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write the figures too.")
def main(folder: Path, data: Path, out: Path | None) -> None:
    vae = placed(load_part(folder, AutoencoderKL), torch.device("cpu"))
    rows: dict[str, tuple[float, float]] = {}
    for path in sorted(p for p in data.iterdir() if p.suffix.lower() in (".jpg", ".png")):
        read = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if read is None:
            raise click.ClickException(f"{path} is no picture")
        rgb = np.ascontiguousarray(read[..., ::-1]).astype(np.float32) / np.float32(255)
        back = reconstruct(vae, rgb)
        rows[path.name] = metrics.psnr(back, rgb), metrics.ssim(back, rgb)
        click.echo(f"\r{len(rows)} {path.name:30s}", err=True, nl=False)
    click.echo("", err=True)
    psnr, ssim = np.array(list(rows.values())).mean(0)
    click.echo("| photos | latent channels | PSNR, dB | SSIM |\n| --- | --- | --- | --- |")
    click.echo(f"| {len(rows)} | {vae.config['latent_channels']} | {psnr:.2f} | {ssim:.4f} |")
    worst = sorted(rows, key=lambda name: rows[name][0])[:3]
    click.echo("worst: " + ", ".join(f"{name} {rows[name][0]:.1f} dB" for name in worst))
    if out:
        out.write_text(json.dumps({"psnr": psnr, "ssim": ssim, "photos": rows}, indent=2))


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
