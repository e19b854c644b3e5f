"""Trains the enlarger's branch for texture, against a discriminator.

A loss on pixels alone gives the mean of what is possible, which is blurred. What the fast
restorers do (OSEDiff, arXiv 2406.08177; SinSR, arXiv 2311.14760) is done here for one pass of a
small network: a feature loss, and a discriminator on features.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unfade.data.pairs import check_size, large_photos
from unfade.data.sources import CleanPhoto
from unfade.errors import UsageError
from unfade.models.checkpoint import load_model, save_model
from unfade.models.discriminator import SCALES, Discriminator
from unfade.models.enlarger import SCALE, Enlarger
from unfade.models.stage1 import CELL
from unfade.train.enlarger import batch_pair
from unfade.train.losses import feature_distance, imagenet_encoder, texture_distance
from unfade.train.net2net import net2net
from unfade.train.options import TextureRecipe
from unfade.train.sample_grid import mean_psnr, write_sample_grid
from unfade.train.task import Batch, Split

_GRID_SAMPLES = 16
_TEXTURES = 3  # resolutions of the features whose textures are compared
_JUDGED = 2  # resolutions of the features that the discriminator sees
#: Weight of the verdict on features: its gradient is that much longer, and hardly seen in pixels.
_FEATURE_SHARE = 0.02
_FILE = "enlarger.safetensors"


class _Adversaries(nn.Module):
    """The enlarger, of which the branch for texture is trained, and the discriminator."""

    def __init__(self, enlarger: Enlarger, discriminator: Discriminator) -> None:
        super().__init__()
        self.enlarger = enlarger
        self.discriminator = discriminator
        for name, parameter in enlarger.named_parameters():
            parameter.requires_grad_(name.startswith("texture."))

    def train(self, mode: bool = True) -> _Adversaries:
        """The enlarger's statistics stay those that it was trained with."""
        super().train(mode)
        self.enlarger.eval()
        return self


class TextureTask:
    """Pairs of `data.enlarging`, enlarged with texture that a discriminator takes for real.

    Raises:
        UsageError: a recipe without blocks for texture, or crops that do not fit the network.
        WeightsError: no ImageNet weights for the features.
    """

    def __init__(self, recipe: TextureRecipe, photos: Sequence[CleanPhoto]) -> None:
        check_size(recipe.pairs.size, SCALE * CELL)
        if recipe.model.texture < 1:
            got = f"model.texture = {recipe.model.texture}"
            raise UsageError(got, "1 or more blocks", "try 4")
        self.recipe, self.photos = recipe, photos
        self.large = large_photos(photos, recipe.pairs.size)
        self.encoder = imagenet_encoder()

    def build(self) -> nn.Module:
        """An enlarger whose texture is zero, and an untrained discriminator."""
        return _Adversaries(
            Enlarger(self.recipe.model), Discriminator(self.encoder.widths[:_JUDGED])
        )

    def load(self, path: Path) -> nn.Module:
        """Start weights: an enlarger, with or without texture; the discriminator is untrained."""
        begun = cast(_Adversaries, self.build())
        trained = load_model(path / _FILE if path.is_dir() else path, Enlarger)
        if trained.texture is None:
            begun.enlarger.load_state_dict(trained.state_dict(), strict=False)
        else:
            net2net(begun.enlarger, trained)
        return begun.eval()

    def sample(self, split: Split, index: int) -> Batch:
        """The lq (3, S / 4, S / 4) and hq (3, S, S)."""
        recipe = self.recipe
        return batch_pair(self.photos, self.large, recipe.loop.seed, recipe.pairs, split, index)

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """The losses of both sides, of which each sees its own alone.

        The enlarger's is an L1 of the pixels, distances of features and of textures, and the hinge
        loss of the generator; the discriminator's is its hinge loss (arXiv 1705.02894).
        """
        both, recipe = cast(_Adversaries, model), self.recipe
        hq, discriminator = batch["hq"], both.discriminator
        encoder = self.encoder.to(hq.device)
        made = both.enlarger(batch["lq"], recipe.fidelity)
        features = encoder(made)
        with torch.no_grad():
            real_features = encoder(hq)
        pixels = F.l1_loss(made, hq)
        likeness = feature_distance(features, real_features)
        texture = texture_distance(features[:_TEXTURES], real_features[:_TEXTURES])
        discriminator.requires_grad_(False)
        judged = discriminator(made, features[:_JUDGED])
        discriminator.requires_grad_(True)
        fooling = _weighted([-score.mean() for score in judged])
        fake = discriminator(made.detach(), [f.detach() for f in features[:_JUDGED]])
        real = discriminator(hq, real_features[:_JUDGED])
        pairs = zip(real, fake, strict=True)
        hinges = [F.relu(1 - r).mean() + F.relu(1 + f).mean() for r, f in pairs]
        hinge = torch.stack(hinges).mean()
        loss = recipe.pixels * pixels + recipe.features * likeness + recipe.textures * texture
        loss = loss + recipe.adversarial * fooling
        terms = {
            "pixels": pixels, "features": likeness, "textures": texture, "fooling": fooling,
            "hinge": hinge, "hinge_pixels": hinges[0],
        }  # fmt: skip
        figures = {name: float(term.detach()) for name, term in terms.items()}
        figures["psnr"] = mean_psnr(made.detach().clamp(0, 1), hq)
        return loss + hinge, figures

    def validate(self, model: nn.Module, path: Path) -> dict[str, float]:
        """Validates: without texture, with it, target; the figures are PSNR, dB."""
        enlarger = cast(_Adversaries, model).enlarger
        samples = [self.sample("validation", i) for i in range(_GRID_SAMPLES)]
        device = next(enlarger.parameters()).device
        lq, hq = (torch.stack([s[k] for s in samples]).to(device) for k in ("lq", "hq"))
        with torch.no_grad():
            plain, out = (enlarger(lq, fidelity).clamp(0, 1) for fidelity in (1.0, 0.0))
        pictures = [x.cpu() for x in (plain, out, hq)]  # (N, 3, S, S) each
        rows = [[p[i + k] for k in range(2) for p in pictures] for i in range(0, _GRID_SAMPLES, 2)]
        write_sample_grid(path, rows)
        return {"shown_psnr": mean_psnr(out, hq), "shown_psnr_without": mean_psnr(plain, hq)}

    def export(self, model: nn.Module, folder: Path) -> None:
        """Writes the enlarger, with its branch for texture, in fp16."""
        folder.mkdir(parents=True, exist_ok=True)
        save_model(folder / _FILE, cast(_Adversaries, model).enlarger)


def _weighted(scores: Sequence[Tensor]) -> Tensor:
    """The mean verdict on the pixels, plus a small share of that on the features."""
    pixels, features = (torch.stack([*part]).mean() for part in (scores[:SCALES], scores[SCALES:]))
    return pixels + _FEATURE_SHARE * features
