from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from unfade.data.captions import colour_map
from unfade.data.sources import CleanPhoto
from unfade.data.windows import ViewOptions, make_view, scale_photo
from unfade.diffusion.condition import encode
from unfade.errors import InputError
from unfade.models.folder import Base
from unfade.train import tensor_cache
from unfade.train.latents import LatentStore

VIEWS = ViewOptions(sides=[32, 40], size=16)


def test_windows_are_the_encoded_views(
    base: Base, photos: list[CleanPhoto], tmp_path: Path
) -> None:
    store = LatentStore(tmp_path, base.vae, photos, VIEWS)
    seen: set[int] = set()
    for number in range(50):
        window = store.window(0, number)
        seen.add(window.view)
        scaled = scale_photo(photos[window.photo].decode(), VIEWS, window.view)
        view = make_view(scaled, VIEWS, window.view, 4)
        with torch.no_grad():
            whole = encode(base.vae, torch.from_numpy(view).permute(2, 0, 1)[None])[0]
        expected = whole[:, window.y : window.y + 4, window.x : window.x + 4]
        found = store.latent(window)
        assert found.shape == (4, 4, 4) and found.dtype == torch.float32
        torch.testing.assert_close(found, expected, rtol=0.05, atol=0.05)  # bf16, fp16 on disk
        pixels = store.pixels(window)
        y, x = 4 * window.y, 4 * window.x
        np.testing.assert_array_equal(pixels, view[y : y + 16, x : x + 16])
        whole = colour_map(view, *whole.shape[1:])
        np.testing.assert_array_equal(store.colours(window), whole[window.slices()])
    assert seen == {0, 1, 2, 3}


def test_latents_are_made_once(
    base: Base, photos: list[CleanPhoto], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensor_cache, "_ITEMS_PER_FILE", 2)
    calls: list[int] = []
    hook = base.vae.encoder.register_forward_hook(lambda *_: calls.append(1))
    try:
        done: list[int] = []
        store = LatentStore(tmp_path, base.vae, photos, VIEWS, progress=done.append)
        assert done == [2, 4, 6] and len(calls) == 6 * 4
        files = sorted(store.cache.folder.glob("*.safetensors"))
        files[1].unlink()  # as a kill between two files leaves it
        LatentStore(tmp_path, base.vae, photos, VIEWS)
        assert len(calls) == 6 * 4 + 2 * 4
        assert len(list(tmp_path.iterdir())) == 1
        LatentStore(tmp_path, base.vae, photos[1:], VIEWS)  # other photos, other latents
        assert len(list(tmp_path.iterdir())) == 2
    finally:
        hook.remove()


def test_photos_that_cannot_be_decoded_are_left_out(
    base: Base, photos: list[CleanPhoto], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = [photos[0], CleanPhoto("torn", photos[1].code[:200]), *photos[2:4]]
    store = LatentStore(tmp_path, base.vae, broken, VIEWS)
    assert "1 photos cannot be decoded and are left out: ['torn']" in caplog.text
    whole = [photos[0], *photos[2:4]]
    assert store.photos == whole
    expected = LatentStore(tmp_path, base.vae, whole, VIEWS)
    for number in range(12):
        window = store.window(0, number)
        assert window == expected.window(0, number)
        assert torch.equal(store.latent(window), expected.latent(window))
        np.testing.assert_array_equal(store.pixels(window), expected.pixels(window))
    with pytest.raises(InputError, match="1 photos that cannot be decoded"):
        LatentStore(tmp_path, base.vae, broken[1:2], VIEWS)


def test_no_photo_is_decoded_for_a_sample(
    base: Base, photos: list[CleanPhoto], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LatentStore(tmp_path, base.vae, photos, VIEWS)
    monkeypatch.delattr(CleanPhoto, "decode")
    assert store.pixels(store.window(0, 0)).shape == (16, 16, 3)


def test_latents_are_another_cache_when_the_scale_is_another(
    base: Base, photos: list[CleanPhoto], tmp_path: Path
) -> None:
    LatentStore(tmp_path, base.vae, photos[:1], VIEWS)
    before = base.vae.config["scaling_factor"]
    base.vae.register_to_config(scaling_factor=2.0)
    try:
        LatentStore(tmp_path, base.vae, photos[:1], VIEWS)
    finally:
        base.vae.register_to_config(scaling_factor=before)
    assert len(list(tmp_path.iterdir())) == 2


class Windows(Dataset[torch.Tensor]):
    def __init__(self, store: LatentStore) -> None:
        self.store = store

    def __len__(self) -> int:
        return 6

    def __getitem__(self, number: int) -> torch.Tensor:
        return self.store.latent(self.store.window(0, number))


def test_workers_read_the_same_latents(base: Base, photos: list[CleanPhoto], cache: Path) -> None:
    store = LatentStore(cache, base.vae, photos, VIEWS)
    here = list(DataLoader(Windows(store), 3))
    there = list(DataLoader(Windows(store), 3, num_workers=1))
    assert all(torch.equal(a, b) for a, b in zip(here, there, strict=True))
