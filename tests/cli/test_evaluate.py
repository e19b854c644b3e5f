from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import click
import cv2
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from unfade.cli.evaluate import evaluate as evaluate_command
from unfade.cli.main import run
from unfade.eval.measures import ALL_NAMES, NAMES, REDEGRADED
from unfade.eval.niqe import load_niqe

MakePhoto = Callable[..., Path]
Capture = pytest.CaptureFixture[str]
QUICK = ("--metrics", "psnr,ssim")


def evaluate(*arguments: str | Path) -> int:
    return run(["evaluate", *map(str, arguments)])


def read(path: Path) -> np.ndarray:
    image = cv2.imread(str(path))
    assert image is not None
    return image


def test_help_names_every_metric() -> None:
    (option,) = (p for p in evaluate_command.params if p.name == "metrics")
    assert isinstance(option, click.Option) and option.help
    groups = option.help.replace(".", ":").split(":")  # introduction, head, names, head, ...
    named = [[name.strip() for name in group.split(",")] for group in groups]
    weighted = {*ALL_NAMES} - {*NAMES, *REDEGRADED}
    assert [tuple(named[2]), {*named[4]}, tuple(named[6])] == [NAMES, weighted, REDEGRADED]


@pytest.fixture
def folders(make_photo: MakePhoto, tmp_path: Path) -> dict[str, Path]:
    """Three clean photos, the same with noise, with more noise, and at half the size."""
    rng = np.random.default_rng(0)
    for seed, name in enumerate(["a", "b", "sub/c"]):
        clean = read(make_photo(f"clean/{name}.png", seed=seed))
        versions = {
            "low": clean + rng.normal(0, 5, clean.shape),
            "high": clean + rng.normal(0, 20, clean.shape),
            "lq": cv2.resize(clean, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
        }
        for folder, image in versions.items():
            path = tmp_path / folder / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.clip(image, 0, 255).astype(np.uint8))
    return {name: tmp_path / name for name in ("clean", "low", "high", "lq")}


def test_table_holds_the_mean_over_images(folders: dict[str, Path], capfd: Capture) -> None:
    shutil.copy(folders["low"] / "a.png", folders["low"] / "a.compare.png")  # no result
    assert evaluate(folders["low"], "--reference", folders["clean"], "--metrics", "psnr") == 0
    out, err = capfd.readouterr()
    values = [
        peak_signal_noise_ratio(read(folders["clean"] / n), read(folders["low"] / n))
        for n in ("a.png", "b.png", "sub/c.png")
    ]
    assert f"| low | 3 | {np.mean(values):.2f} [" in out
    assert "on RGB, crop border 0, data range 1" in out and "seed 0" in out
    assert err == ""


def test_methods_and_inputs_are_compared(folders: dict[str, Path], capfd: Capture) -> None:
    code = evaluate(
        f"ours={folders['low']}", folders["high"], "--reference", folders["clean"],
        "--lq", folders["lq"], *QUICK, "--json",
    )  # fmt: skip
    content = json.loads(capfd.readouterr().out)
    assert code == 0
    assert list(content["methods"]) == ["ours", "high", "lq"]
    first = content["comparisons"][0]
    assert (first["first"], first["second"], first["measure"]) == ("ours", "high", "psnr")
    assert first["difference"]["estimate"]["low"] > 5
    assert first["difference"]["p"] == 0.25  # three images of one sign: 2 / 2^3
    assert len(content["rows"]) == 9


def test_out_folder_gets_rows_and_tables(
    folders: dict[str, Path], tmp_path: Path, capfd: Capture
) -> None:
    out = tmp_path / "new/scores"
    assert evaluate(folders["low"], "--reference", folders["clean"], *QUICK, "-o", out) == 0
    table, err = capfd.readouterr()
    assert (out / "tables.md").read_text("utf-8") == table
    rows = list(csv.DictReader((out / "rows.csv").open()))
    assert [(row["method"], row["image"]) for row in rows] == [
        ("low", "a"), ("low", "b"), ("low", "sub/c"),
    ]  # fmt: skip
    assert 30 < float(rows[0]["psnr"]) < 40
    assert (out / "rows.parquet").exists() != ("needs pyarrow" in err)


@pytest.mark.parametrize(
    ("given", "code", "told"),
    [(("-o", "scores.parquet"), 2, "pip install '.[tables]'"),
     (("--niqe-model", "none.npz"), 1, "--fit-niqe"),
     (("--metrics", "all,lpips"), 1, "curl -L")],
)  # fmt: skip
def test_what_is_missing_is_told_before_any_work(
    folders: dict[str, Path], tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch,
    given: tuple[str, str], code: int, told: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNFADE_METRICS", str(tmp_path))
    monkeypatch.setattr("unfade.eval.rows.has_parquet", lambda: False)
    assert evaluate(folders["low"], "--reference", folders["clean"], *given) == code
    out, err = capfd.readouterr()
    assert out == "" and told in err


def test_missing_and_unfit_files_are_named_and_the_rest_is_scored(
    folders: dict[str, Path], make_photo: MakePhoto, capfd: Capture
) -> None:
    (folders["low"] / "a.png").unlink()
    make_photo("low/b.png", height=63)
    make_photo("low/stranger.png")
    assert evaluate(folders["low"], "--reference", folders["clean"], *QUICK, "--json") == 1
    out, err = capfd.readouterr()
    assert [row["image"] for row in json.loads(out)["rows"]] == ["sub/c"]
    assert "a.png: no result of low" in err
    assert "b.png: 80 x 63 pixels. Needed: 80 x 64 pixels" in err
    assert "stranger.png: no reference" in err
    assert len(json.loads(out)["failed"]) == 3


def test_an_unexpected_error_ends_one_photo_only(
    folders: dict[str, Path], capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unfade.eval.evaluation import Evaluation

    add = Evaluation.add

    def fails_at_b(self, match) -> None:
        if match.name == "b":
            raise MemoryError("too large")
        add(self, match)

    monkeypatch.setattr(Evaluation, "add", fails_at_b)
    assert evaluate(folders["low"], "--reference", folders["clean"], *QUICK) == 1
    out, err = capfd.readouterr()
    assert "| low | 2 |" in out
    assert "b.png" in err and "MemoryError: too large" in err


def test_niqe_is_fitted_and_used(tmp_path: Path, capfd: Capture) -> None:
    from skimage.data import brick, grass, gravel

    for folder in ("clean", "results"):
        (tmp_path / folder).mkdir()
        for name, texture in (("a", brick), ("b", grass), ("c", gravel)):
            cv2.imwrite(
                str(tmp_path / folder / f"{name}.png"), np.repeat(texture()[..., None], 3, 2)
            )
    (tmp_path / "clean/broken.png").write_bytes(b"broken")
    model = tmp_path / "model.npz"
    assert evaluate("--reference", tmp_path / "clean", "--fit-niqe", model) == 0
    assert "broken.png" in capfd.readouterr().err
    assert load_niqe(model).mean.shape == (36,)
    (tmp_path / "clean/broken.png").unlink()
    values: list[float] = []
    for extra in ((), ("--niqe-model", str(model))):
        arguments = ("--reference", tmp_path / "clean", "--metrics", "niqe", "--json", *extra)
        assert evaluate(tmp_path / "results", *arguments) == 0
        content = json.loads(capfd.readouterr().out)
        values.append(content["methods"]["results"]["means"]["niqe"]["mean"])
        assert content["protocol"]["niqe_model"] == (str(model) if extra else None)
    assert values[1] < values[0]  # its own photos look cleaner to it


@pytest.mark.parametrize(
    "arguments",
    [
        ("--reference", "clean"),
        ("low", "--reference", "nowhere"),
        ("nowhere", "--reference", "clean"),
        ("low", "low", "--reference", "clean"),
        ("lq=low", "--reference", "clean"),
        ("low", "--reference", "clean", "--metrics", "vif"),
        ("low", "--reference", "clean", "--metrics", "psnr,ssim-lq", "--lq", "lq"),
        ("low", "--reference", "clean", "--metrics", "ssim-lq", "--degradation", "sr2"),
        ("low", "--reference", "clean", "--metrics", "psnr", "--degradation", "sr2"),
        ("low", "--reference", "clean", "--lq", "lq", "--degradation", "moderate"),
        ("low", "--reference", "clean", "--lq", "lq", "--degradation", "sr3"),
        ("low", "--reference", "clean", "--features", "low=none.npy"),
        ("low", "--reference", "clean", "--features", "HQ=none.npy", "--features", "low=n.npy"),
        ("low", "--reference", "clean", "--metrics", ""),
        ("low", "--reference", "clean", "--fit-niqe", "a.npz", "--niqe-model", "a.npz"),
        ("low",),
    ],
)
def test_exit_code_is_two_when_the_usage_is_wrong(
    folders: dict[str, Path], capfd: Capture, monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
) -> None:  # fmt: skip
    monkeypatch.chdir(folders["clean"].parent)
    assert evaluate(*arguments) == 2
    assert capfd.readouterr().out == ""


def test_small_photos_leave_cells_empty_and_are_no_failure(
    folders: dict[str, Path], tmp_path: Path, capfd: Capture
) -> None:
    out = tmp_path / "scores.csv"
    arguments = ("--reference", folders["clean"], "--metrics", "psnr,niqe", "-o", out)
    assert evaluate(folders["low"], *arguments) == 0
    err = capfd.readouterr().err
    assert err.startswith("Note: ") and "(niqe, and 2 more images without it)" in err
    assert all(row["niqe"] == "" and row["psnr"] for row in csv.DictReader(out.open()))
    alone = ("--reference", folders["clean"], "--metrics", "niqe", "--json")
    assert evaluate(folders["low"], *alone) == 1


def test_results_are_compared_with_the_inputs_when_the_damage_is_named(
    folders: dict[str, Path], capfd: Capture
) -> None:
    from unfade.bench.degradations import degraded

    for path in folders["clean"].rglob("*.png"):
        small = degraded(
            read(path).astype(np.float32) / np.float32(255), "sr2", np.random.default_rng(0)
        )[0]
        place = folders["lq"] / path.relative_to(folders["clean"])
        cv2.imwrite(str(place), np.rint(255 * small).astype(np.uint8))
    code = evaluate(
        folders["clean"], folders["high"], "--reference", folders["clean"], "--lq", folders["lq"],
        "--metrics", "alignment-lq,ssim-lq", "--degradation", "sr2", "--json",
    )  # fmt: skip
    means = {n: m["means"] for n, m in json.loads(capfd.readouterr().out)["methods"].items()}
    assert code == 0 and [*means] == ["clean", "high", "lq"]
    assert means["clean"]["ssim-lq"]["mean"] > 0.99 > means["high"]["ssim-lq"]["mean"]
    assert means["clean"]["alignment-lq"]["mean"] > means["high"]["alignment-lq"]["mean"]


def test_features_of_any_extractor_are_compared(
    folders: dict[str, Path], tmp_path: Path, capfd: Capture
) -> None:
    rng = np.random.default_rng(0)
    one, two = rng.normal(0, 1, (50, 3)), rng.normal(2, 1, (60, 3))
    np.save(tmp_path / "one.npy", one)
    np.save(tmp_path / "two.npy", two)
    code = evaluate(
        folders["low"], "--reference", folders["clean"], "--metrics", "psnr", "--json",
        "--features", f"HQ={tmp_path / 'one.npy'}", "--features", f"low={tmp_path / 'two.npy'}",
    )  # fmt: skip
    found = json.loads(capfd.readouterr().out)["methods"]["low"]["features"]
    from scipy.linalg import sqrtm

    covariances = np.cov(one.T), np.cov(two.T)
    root = np.real(np.asarray(sqrtm(covariances[0] @ covariances[1])))
    expected = np.sum((one.mean(0) - two.mean(0)) ** 2) + np.trace(sum(covariances) - 2 * root)
    assert code == 0 and found["images"] == 60
    assert found["values"]["features-fd"] == pytest.approx(expected)


def test_an_out_that_cannot_be_written_is_told_before_any_work(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    scored: list[object] = []
    monkeypatch.setattr(
        "unfade.eval.evaluation.Evaluation.add", lambda _, match: scored.append(match)
    )
    (tmp_path / "file").write_text("x")
    for name in ("file/scores", "file/rows.csv"):
        out = tmp_path / name
        assert evaluate(folders["low"], "--reference", folders["clean"], *QUICK, "-o", out) == 1
        assert "Needed: a folder to write to" in capfd.readouterr().err
    assert scored == []


def test_what_has_no_partner_is_told_before_the_others_are_scored(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    (folders["low"] / "a.png").unlink()
    monkeypatch.setattr(
        "unfade.eval.evaluation.Evaluation.add", lambda *_: click.echo("scored", err=True)
    )
    assert evaluate(folders["low"], "--reference", folders["clean"], *QUICK) == 1
    err = capfd.readouterr().err
    assert err.index("no result of low") < err.index("scored")
    assert err.count("no result of low") == 1


def test_results_in_a_folder_named_lq_are_no_inputs(
    folders: dict[str, Path], capfd: Capture
) -> None:
    results = folders["high"].parent / "results" / "lq"
    shutil.copytree(folders["low"], results)
    assert evaluate(
        results, "--reference", folders["clean"], "--lq", folders["lq"], *QUICK, "--json"
    ) == 0  # fmt: skip
    assert list(json.loads(capfd.readouterr().out)["methods"]) == ["lq-results", "lq"]
