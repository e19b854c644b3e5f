"""`unfade caption` with tiny random BLIPs and a tokenizer of a few words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from transformers import (
    AutoTokenizer,
    BertTokenizer,
    Blip2Config,
    Blip2ForConditionalGeneration,
    BlipConfig,
    BlipForConditionalGeneration,
)

from unfade.cli.main import run
from unfade.data.caption_files import folder_captions, listed_captions
from unfade.models.captioner import CAPTIONER, REVISIONS

SIDE = 32
WORDS = (
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "man", "woman", "dog", "cat", "house",
    "tree", "street", "boat", "hat", "red", "blue", "old", "on", "in", "the", "with", "and",
    "near", "##s", "<image>",
)  # fmt: skip
SIDES = {"image_size": SIDE, "patch_size": 16}
SMALL: dict[str, Any] = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "initializer_range": 0.02,
}  # fmt: skip
MEAN, DEVIATION = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
Caption = Callable[..., int]


def strengthened(model: Any, folder: Path) -> None:
    """Larger random weights, so that what is said depends on the photo."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1 and "position" not in name and "class" not in name:
                weight.mul_(6)
    model.save_pretrained(folder)


@pytest.fixture(scope="module")
def blip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """BLIP in transformers' layout. Its first token is not the tokenizer's, as in the original."""
    folder = tmp_path_factory.mktemp("blip")
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    BertTokenizer.from_pretrained(str(folder)).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        json.dumps({
            "image_processor_type": "BlipImageProcessor", "size": {"height": SIDE, "width": SIDE},
            "resample": 3, "rescale_factor": 1 / 255, "image_mean": MEAN, "image_std": DEVIATION,
        })
    )  # fmt: skip
    torch.manual_seed(0)
    ids = {"bos_token_id": len(WORDS), "eos_token_id": 3, "sep_token_id": 3, "pad_token_id": 0}
    text = {**SMALL, **ids, "vocab_size": len(WORDS) + 1, "encoder_hidden_size": 16}
    config = BlipConfig(
        text_config={**text, "max_position_embeddings": 40}, vision_config=SMALL | SIDES
    )
    strengthened(BlipForConditionalGeneration(config), folder)
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three photos in two folders, and a file that is no photo."""
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for name, picture in (("a.png", data.cat()), ("b.png", data.astronaut()[::4, ::4]),
                          ("sub/d.png", data.coffee()[::3, ::3])):  # fmt: skip
        Image.fromarray(picture).save(folder / name)
    (folder / "c.jpg").write_bytes(b"no photo")
    return folder


@pytest.fixture
def caption(blip: Path) -> Caption:
    more = ["--model", str(blip), "--device", "cpu"]
    return lambda *words: run(["caption", *map(str, words), *more])


def expected(blip: Path, path: Path) -> str:
    """The caption by transformers alone."""
    square = Image.open(path).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    pixels = (np.asarray(square) / 255 - MEAN) / DEVIATION
    model = BlipForConditionalGeneration.from_pretrained(blip).eval()
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    found = model.generate(pixel_values=x, num_beams=3, max_new_tokens=30)
    return AutoTokenizer.from_pretrained(blip).decode(found[0], skip_special_tokens=True).strip()


def test_captions_lie_beside_the_photos_where_training_reads_them(
    blip: Path, photos: Path, caption: Caption, capfd: pytest.CaptureFixture[str]
) -> None:
    assert caption(photos, "--batch", 2) == 1  # for c.jpg
    out, err = capfd.readouterr()
    assert "c.jpg is a text file" in err and "3 done, 1 failed." in err and "Loading" not in err
    names = ("a.png", "b.png", "sub/d.png")
    said = {name: expected(blip, photos / name) for name in names}
    assert len(set(said.values())) > 1 and all(said.values())
    listing = photos / "captions.jsonl"
    assert listed_captions(listing) == [(name, (said[name],)) for name in names]
    stems = {(photos / name).with_suffix("") for name in names}
    assert {*folder_captions([listing], stems)} == stems
    assert f"({said['a.png']}, " in out


def test_only_photos_without_a_caption_are_captioned(
    photos: Path, caption: Caption, capfd: pytest.CaptureFixture[str]
) -> None:
    (photos / "c.jpg").unlink()
    (photos / "b.txt").write_text("an astronaut")
    listing = photos / "captions.jsonl"
    first = '{"file": "a.png", "captions": ["a cat"]}'  # without a line break at its end
    listing.write_text(first)
    assert caption(photos, "--json") == 0
    lines = listing.read_text().splitlines()
    assert lines[0] == first and [json.loads(line)["file"] for line in lines[1:]] == ["sub/d.png"]
    summary = json.loads(capfd.readouterr().out)
    assert (summary["done"], summary["skipped"], summary["failed"]) == (1, 2, 0)
    before = listing.read_bytes()
    assert run(["caption", str(photos), "--model", "no/where"]) == 0  # nothing is left to do
    assert listing.read_bytes() == before


def test_batch_size_and_place_of_the_file_change_no_caption(
    photos: Path, tmp_path: Path, caption: Caption
) -> None:
    files = [tmp_path / "out" / f"{size}.jsonl" for size in (1, 8)]
    for size, file in zip((1, 8), files, strict=True):
        assert caption(photos, "-o", file, "--batch", size) == 1
    assert files[0].read_bytes() == files[1].read_bytes() and len(listed_captions(files[0])) == 3
    assert not (photos / "captions.jsonl").exists()


def test_blip2_takes_part(blip: Path, photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "blip2"
    tokenizer = AutoTokenizer.from_pretrained(blip)
    tokenizer.add_tokens(["<image>"], special_tokens=True)
    tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_bytes(
        (blip / "preprocessor_config.json").read_bytes()
    )
    torch.manual_seed(1)
    size = len(tokenizer)
    config = Blip2Config(
        vision_config=SMALL | SIDES,
        qformer_config={**SMALL, "encoder_hidden_size": 16, "vocab_size": size,
                        "cross_attention_frequency": 1},
        text_config={"model_type": "opt", "vocab_size": size, "hidden_size": 16, "ffn_dim": 32,
                     "num_hidden_layers": 1, "num_attention_heads": 2, "word_embed_proj_dim": 16,
                     "max_position_embeddings": 64, "bos_token_id": 5, "eos_token_id": 3,
                     "pad_token_id": 0},
        num_query_tokens=4, image_token_index=WORDS.index("<image>"),
    )  # fmt: skip
    strengthened(Blip2ForConditionalGeneration(config), folder)
    assert run(["caption", str(photos), "--model", str(folder), "--device", "cpu"]) == 1
    texts = [texts[0] for _, texts in listed_captions(photos / "captions.jsonl")]
    assert len(texts) == 3 and all(set(text.split()) <= set(WORDS) for text in texts)
    assert not any("<image>" in text for text in texts)


def test_missing_and_other_weights_end_in_one_sentence(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    assert run(["caption", str(photos)]) == 1
    err = capfd.readouterr().err
    assert err.count("\n") == 1 and "--model blip-image-captioning-base" in err
    assert f"hf download {CAPTIONER} --revision {REVISIONS[CAPTIONER]}" in err
    other = tmp_path / "other"
    other.mkdir()
    for config, reason in (("{}", "model_type"), ('{"model_type": "vit"}', "model_type vit"),
                           ('{"model_type": "blip"}', "do not fit")):  # fmt: skip
        (other / "config.json").write_text(config)
        assert run(["caption", str(photos), "--model", str(other)]) == 1
        err = capfd.readouterr().err
        assert reason in err and err.count("\n") == 1
    assert not (photos / "captions.jsonl").exists()


def test_file_that_is_no_listing_is_left_alone(photos: Path, caption: Caption) -> None:
    before = (photos / "a.png").read_bytes()
    assert caption(photos, "-o", photos / "a.png") == 1
    assert caption(photos, "-o", photos) == 2
    assert caption(photos / "a.png") == 2
    assert (photos / "a.png").read_bytes() == before
