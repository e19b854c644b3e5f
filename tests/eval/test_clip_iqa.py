"""CLIP-IQA on tiny random weights in the published layout, against functional code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from unfade.errors import WeightsError
from unfade.eval import weights
from unfade.eval.clip_iqa import PROMPTS, ClipIqa, clip_iqa, load_clip_iqa
from unfade.eval.clip_resnet import AttentionPool, ClipResNet
from unfade.eval.images import NotApplicable
from unfade.models.folder import Base

WIDTH, OUT, TEXT = 8, 12, 16  # channels of the first stage, of the embedding, of the text
LAYERS = (1, 2, 1, 1)
CONFIG = {
    "model_cfg": {
        "quick_gelu": True,
        "embed_dim": OUT,
        "vision_cfg": {"image_size": 64, "layers": LAYERS, "width": WIDTH, "patch_size": None},
        "text_cfg": {
            "context_length": 20,
            "vocab_size": 516,
            "width": TEXT,
            "heads": 2,
            "layers": 2,
        },
    }
}


def published_weights() -> dict[str, Tensor]:
    """Random tensors by the names of OpenCLIP's ResNet-50."""
    rng = torch.Generator().manual_seed(0)
    state: dict[str, Tensor] = {}

    def add(name: str, *shape: int) -> None:
        fan = int(np.prod(shape[1:])) if len(shape) > 1 else 1
        state[name] = torch.randn(shape, generator=rng) * (2 / fan) ** 0.5

    def convolution(place: str, number: str, inside: int, out: int, size: int) -> None:
        add(f"visual.{place}conv{number}.weight", out, inside, size, size)
        normalisation(f"visual.{place}bn{number}", out)

    def normalisation(place: str, out: int) -> None:
        state[f"{place}.weight"] = torch.rand(out, generator=rng) + 0.5
        state[f"{place}.bias"] = torch.randn(out, generator=rng) * 0.1
        state[f"{place}.running_mean"] = torch.randn(out, generator=rng) * 0.1
        state[f"{place}.running_var"] = torch.rand(out, generator=rng) + 0.5
        state[f"{place}.num_batches_tracked"] = torch.tensor(7)

    convolution("", "1", 3, WIDTH // 2, 3)
    convolution("", "2", WIDTH // 2, WIDTH // 2, 3)
    convolution("", "3", WIDTH // 2, WIDTH, 3)
    inside = WIDTH
    for stage, blocks in enumerate(LAYERS):
        inner = WIDTH * 2**stage
        for block in range(blocks):
            place = f"layer{stage + 1}.{block}."
            convolution(place, "1", inside, inner, 1)
            convolution(place, "2", inner, inner, 3)
            convolution(place, "3", inner, 4 * inner, 1)
            if not block:
                add(f"visual.{place}downsample.0.weight", 4 * inner, inside, 1, 1)
                normalisation(f"visual.{place}downsample.1", 4 * inner)
            inside = 4 * inner
    add("visual.attnpool.positional_embedding", 5, inside)
    for name, out in (("q", inside), ("k", inside), ("v", inside), ("c", OUT)):
        add(f"visual.attnpool.{name}_proj.weight", out, inside)
        add(f"visual.attnpool.{name}_proj.bias", out)
    add("token_embedding.weight", 516, TEXT)
    add("positional_embedding", 20, TEXT)
    for layer in range(2):
        place = f"transformer.resblocks.{layer}."
        shapes = {
            "ln_1": (TEXT,),
            "ln_2": (TEXT,),
            "attn.out_proj": (TEXT, TEXT),
            "mlp.c_fc": (4 * TEXT, TEXT),
            "mlp.c_proj": (TEXT, 4 * TEXT),
        }
        for name, shape in shapes.items():
            add(f"{place}{name}.weight", *shape)
            add(f"{place}{name}.bias", shape[0])
        add(f"{place}attn.in_proj_weight", 3 * TEXT, TEXT)
        add(f"{place}attn.in_proj_bias", 3 * TEXT)
    add("ln_final.weight", TEXT)
    add("ln_final.bias", TEXT)
    add("text_projection", TEXT, OUT)
    state["logit_scale"] = torch.tensor(100.0).log()
    return state


def seen(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """The image encoder, by functions: (1, 3, H, W) -> (1, OUT)."""

    def normal(x: Tensor, place: str) -> Tensor:
        at = f"visual.{place}."
        return F.batch_norm(
            x,
            state[f"{at}running_mean"],
            state[f"{at}running_var"],
            state[f"{at}weight"],
            state[f"{at}bias"],
        )

    def convolved(x: Tensor, place: str, number: int, stride: int = 1) -> Tensor:
        weight = state[f"visual.{place}conv{number}.weight"]
        x = F.conv2d(x, weight, stride=stride, padding=weight.shape[2] // 2)
        return normal(x, f"{place}bn{number}")

    for number in (1, 2, 3):
        x = convolved(x, "", number, 2 if number == 1 else 1).relu()
    x = F.avg_pool2d(x, 2)
    for stage, blocks in enumerate(LAYERS):
        for block in range(blocks):
            place = f"layer{stage + 1}.{block}."
            stride = 2 if stage and not block else 1
            y = convolved(convolved(x, place, 1).relu(), place, 2).relu()
            y = convolved(F.avg_pool2d(y, stride), place, 3)
            if not block:
                x = F.conv2d(F.avg_pool2d(x, stride), state[f"visual.{place}downsample.0.weight"])
                x = normal(x, f"{place}downsample.1")
            x = (x + y).relu()
    return tail_mean(state, x)


def tail_mean(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """Attention pooling by torch: (1, C, h, w) -> (1, OUT)."""
    tokens = x.flatten(2).permute(2, 0, 1)  # (h w, 1, C)
    tokens = torch.cat([tokens.mean(0, keepdim=True), tokens])
    at = {k.removeprefix("visual.attnpool."): v for k, v in state.items() if "attnpool" in k}
    channels = x.shape[1]
    out, _ = F.multi_head_attention_forward(
        tokens[:1],
        tokens,
        tokens,
        channels,
        channels // 64,
        None,
        torch.cat([at[f"{n}_proj.bias"] for n in "qkv"]),
        None,
        None,
        False,
        0.0,
        at["c_proj.weight"],
        at["c_proj.bias"],
        training=False,
        need_weights=False,
        use_separate_proj_weight=True,
        q_proj_weight=at["q_proj.weight"],
        k_proj_weight=at["k_proj.weight"],
        v_proj_weight=at["v_proj.weight"],
    )
    return out[0]


def told(state: dict[str, Tensor], ids: list[int]) -> Tensor:
    """The text encoder by torch's layers: the embedding of the last token, (OUT,)."""
    x = state["token_embedding.weight"][ids] + state["positional_embedding"][: len(ids)]
    for layer in range(2):
        block = nn.TransformerEncoderLayer(
            TEXT, 2, 4 * TEXT, 0, lambda x: x * torch.sigmoid(1.702 * x), norm_first=True
        )
        at = f"transformer.resblocks.{layer}."
        names = {
            "self_attn": "attn",
            "norm1": "ln_1",
            "norm2": "ln_2",
            "linear1": "mlp.c_fc",
            "linear2": "mlp.c_proj",
        }
        block.load_state_dict(
            {
                key: state[at + names[key.split(".")[0]] + "." + key.split(".", 1)[1]]
                for key in block.state_dict()
            }
        )
        mask = nn.Transformer.generate_square_subsequent_mask(len(ids))
        x = block.eval()(x[:, None], mask)[:, 0]
    x = F.layer_norm(x, (TEXT,), state["ln_final.weight"], state["ln_final.bias"])
    return (x[-1] @ state["text_projection"]).detach()


@pytest.fixture(scope="module")
def published(tiny_sd: Base, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of metrics with the tiny weights."""
    root = tmp_path_factory.mktemp("metrics")
    folder = root / "clip-rn50"
    folder.mkdir()
    tiny_sd.tokenizer.save_pretrained(folder)
    (folder / "open_clip_config.json").write_text(json.dumps(CONFIG))
    save_file(published_weights(), folder / "open_clip_model.safetensors")
    return root


@pytest.fixture
def folder(published: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(weights.VARIABLE, str(published))
    return published / "clip-rn50"


@pytest.fixture
def clip(folder: Path) -> ClipIqa:
    return load_clip_iqa()


@pytest.mark.parametrize(("height", "width"), [(32, 32), (75, 101), (128, 47)])
def test_value_is_that_of_functional_code_at_any_size(
    photo: np.ndarray, folder: Path, clip: ClipIqa, tiny_sd: Base, height: int, width: int
) -> None:
    state = load_file(folder / "open_clip_model.safetensors")
    texts = torch.stack([told(state, tiny_sd.tokenizer(prompt).input_ids) for prompt in PROMPTS])
    mean = np.array([0.48145466, 0.4578275, 0.40821073])
    deviation = np.array([0.26862954, 0.26130258, 0.27577711])
    image = photo[40 : 40 + height, 60 : 60 + width]
    pixels = torch.from_numpy((image - mean) / deviation).permute(2, 0, 1)[None].float()
    cosine = torch.cosine_similarity(seen(state, pixels), texts)  # (2,)
    expected = float((cosine * 100).softmax(0)[0])
    assert clip_iqa(image, clip) == pytest.approx(expected, abs=1e-5)
    assert 0.01 < expected < 0.99 and abs(expected - 0.5) > 1e-3


def test_positions_have_no_part(photo: np.ndarray, folder: Path, clip: ClipIqa) -> None:
    value = clip_iqa(photo[:64, :64], clip)
    path = folder / "open_clip_model.safetensors"
    state = load_file(path)
    save_file(state | {"visual.attnpool.positional_embedding": torch.ones(50, 7)}, path)
    assert clip_iqa(photo[:64, :64], load_clip_iqa()) == value
    save_file(state, path)


def test_network_has_as_many_weights_as_the_published_one() -> None:
    with torch.device("meta"):
        network = ClipResNet((3, 4, 6, 3), 64, 1024)
    positions = (1 + 7 * 7) * 2048
    assert sum(x.numel() for x in network.parameters()) + positions == 38_316_896


def test_pool_of_equal_places_is_the_same_at_any_number() -> None:
    torch.manual_seed(0)
    pool, feature = AttentionPool(128, 5), torch.randn(1, 128, 1, 1)
    one, many = pool(feature), pool(feature.expand(1, 128, 7, 3))
    torch.testing.assert_close(many, one)
    assert one.abs().max() > 0.05


def test_whole_photo_counts_at_its_own_size(photo: np.ndarray, clip: ClipIqa) -> None:
    value = clip_iqa(photo, clip)
    other = photo.copy()
    other[:64, :64] = 1 - other[:64, :64]  # a corner, far from the middle
    assert 0 <= value <= 1 and abs(clip_iqa(other, clip) - value) > 1e-5
    with pytest.raises(NotApplicable, match="at least 32 a side"):
        clip_iqa(photo[:31], clip)


def test_what_does_not_fit_is_told(folder: Path) -> None:
    path = folder / "open_clip_model.safetensors"
    state = load_file(path)
    save_file({key: x for key, x in state.items() if "layer4" not in key}, path)
    with pytest.raises(WeightsError, match=r"do not fit .*ClipResNet"):
        load_clip_iqa()
    save_file({key: x for key, x in state.items() if key.startswith("visual.")}, path)
    with pytest.raises(WeightsError, match="no text encoder"):
        load_clip_iqa()
    path.unlink()
    with pytest.raises(WeightsError, match=r"hf download timm/resnet50_clip\.openai"):
        load_clip_iqa()
    save_file(state, path)
    config = folder / "open_clip_config.json"
    text = config.read_text()
    config.write_text(text.replace("[1, 2, 1, 1]", "12"))
    with pytest.raises(WeightsError, match="do not fit"):
        load_clip_iqa()
    config.write_text(text)
