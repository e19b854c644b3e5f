"""Trains the damage detector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unfade.data.pairs import HardNegative, check_size, large_photos, old_photo_pair
from unfade.data.sources import CleanPhoto
from unfade.degrade.stencils import Stencil
from unfade.degrade.types import Degraded
from unfade.models.scratch import ScratchDetector
from unfade.models.tensors import from_array
from unfade.train.options import ScratchRecipe
from unfade.train.sample_grid import write_sample_grid
from unfade.train.task import Batch, Split, random_index

_GRID_SAMPLES = 12


def _tensors(pair: Degraded) -> Batch:
    lq = from_array(pair.lq).permute(2, 0, 1).contiguous()  # (3, H, W)
    toned = from_array(pair.toned).permute(2, 0, 1)  # (3, H, W)
    lost = from_array(pair.lost)
    damage = from_array(pair.mask) * (1 - lost)
    error = (lq - toned).square().mean(0, keepdim=True)  # (1, H, W)
    mask = torch.stack([damage, lost])  # (2, H, W)
    return {"lq": lq, "mask": mask, "error": error}


def mask_loss(
    logits: Tensor, mask: Tensor, more: Tensor | float = 0.0, recall: float = 1.5
) -> Tensor:
    """Cross-entropy plus soft Dice over the batch, for thin, rare damage.

    The Dice term is that of V-Net (arXiv 1606.04797, 3), without the squares.

    Args:
        logits: (N, 2, H, W), of damage and of a lost border.
        mask: (N, 2, H, W) in {0, 1}.
        more: (N, 1, H, W), >= 0: added to the weight of a damaged pixel.
        recall: added to the weight of damaged pixels in the cross-entropy.
    """
    rare = logits.new_tensor([1.0, 2.0])[None, :, None, None]  # lost borders are few
    weight = 1 + more * mask  # (N, 2, H, W)
    entropy = F.binary_cross_entropy_with_logits(logits, mask, rare * (weight + recall * mask))
    p = logits.sigmoid()
    overlap, both = ((weight * x).sum((0, 2, 3)) for x in (p * mask, p + mask))  # (2,) each
    dice = 1 - (2 * overlap + 50) / (both + 50)
    return entropy + 0.25 * dice[0] + 0.2 * dice[1]


class ScratchTask:
    """Learns the masks of photos that are aged by `degrade.old_photo`.

    Args:
        hard_negatives: clean places that a detector took for damage, for the hard pairs.
        stencils: shapes of real damage.

    Raises:
        UsageError: crops that do not fit the network.
    """

    def __init__(
        self,
        recipe: ScratchRecipe,
        photos: Sequence[CleanPhoto],
        hard_negatives: Sequence[HardNegative] = (),
        stencils: Sequence[Stencil] = (),
    ) -> None:
        check_size(recipe.pairs.size, 2 ** len(recipe.model.widths))
        self.recipe, self.photos, self.hard_negatives = recipe, photos, hard_negatives
        self.stencils = stencils
        self.large = large_photos(photos, recipe.pairs.size)

    def build(self) -> nn.Module:
        """The untrained detector."""
        detector = ScratchDetector(self.recipe.model)
        if self.recipe.imagenet:
            detector.encoder.load_imagenet()
        return detector

    def sample(self, split: Split, index: int) -> Batch:
        """The lq (3, H, W); mask (2, H, W): damage, lost border; square error of lq (1, H, W)."""
        seed, options = self.recipe.loop.seed, self.recipe.pairs
        pair = old_photo_pair(
            self.photos,
            seed,
            random_index(split, index),
            options,
            self.hard_negatives,
            self.large,
            self.stencils,
        )
        return _tensors(pair)

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """`mask_loss` and the batch's F1 at 0.5."""
        logits = model(batch["lq"]).float()
        hit = ((logits > 0) & (batch["mask"] > 0)).sum()
        total = (logits > 0).sum() + batch["mask"].sum()
        more = self.recipe.error_weight * batch["error"]
        loss = mask_loss(logits, batch["mask"], more, self.recipe.recall)
        return loss, {"f1": float(2 * hit / total.clamp(min=1))}

    def validate(self, model: nn.Module, path: Path) -> dict[str, float]:
        """Validates: photo, true mask, predicted mask."""
        device = next(model.parameters()).device
        rows: list[list[Tensor]] = []
        for i in range(_GRID_SAMPLES):
            s = self.sample("validation", i)
            with torch.no_grad():
                p = model(s["lq"][None].to(device)).sigmoid()[0].cpu()  # (2, S, S)
            row = [s["lq"], s["mask"].amax(0, keepdim=True), p.amax(0, keepdim=True)]
            if i % 2:
                rows[-1] += row
            else:
                rows.append(row)
        write_sample_grid(path, rows)
        return {}
