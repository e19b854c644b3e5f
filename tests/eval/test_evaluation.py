from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from unfade.eval import metrics
from unfade.eval.evaluation import LQ, Evaluation, Redegraded
from unfade.eval.images import Image, Protocol
from unfade.eval.matching import Match
from unfade.eval.measures import Measure, measures, redegraded_measures
from unfade.eval.patches import patch_statistics


def write(path: Path, image: np.ndarray) -> Path:
    pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    done, code = cv2.imencode(".png", pixels[..., ::-1] if pixels.ndim == 3 else pixels)
    assert done
    path.write_bytes(code.tobytes())
    return path


@pytest.fixture
def clean(photo: np.ndarray, tmp_path: Path) -> Path:
    return write(tmp_path / "clean.png", photo[:128, :160])


def evaluation(*names: str, protocol: Protocol | None = None) -> Evaluation:
    protocol = protocol or Protocol()
    sets = tuple(name for name in names if name.startswith("patch"))
    return Evaluation(measures(names, protocol), sets, protocol)


def test_values_are_those_of_the_metrics(photo: np.ndarray, clean: Path, tmp_path: Path) -> None:
    ours = write(tmp_path / "a.png", photo[2:130, :160])
    work = evaluation("psnr", "ssim", protocol=Protocol("rgb", 3))
    work.add(Match("a", clean, {"ours": ours}))
    crop = np.s_[3:-3, 3:-3]
    image, target = photo[2:130, :160][crop], photo[:128, :160][crop]
    assert work.problems == []
    assert work.rows[0].values["psnr"] == pytest.approx(metrics.psnr(image, target), abs=1e-4)
    assert work.rows[0].values["ssim"] == pytest.approx(metrics.ssim(image, target), abs=1e-5)


@pytest.mark.parametrize("case", ["size", "gray", "broken"])
def test_bad_result_is_reported_and_the_next_is_scored(
    photo: np.ndarray, clean: Path, tmp_path: Path, case: str
) -> None:
    bad = tmp_path / "bad.png"
    if case == "size":
        write(bad, photo[:128, :159])
    elif case == "gray":
        write(bad, photo[:128, :160, 0])
    else:
        bad.write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    work = evaluation("psnr")
    work.add(Match("a", clean, {"theirs": bad, "ours": clean}))
    assert [row.method for row in work.rows] == ["ours"]
    assert [problem.path for problem in work.problems] == [bad]


def test_gray_is_compared_with_colour_when_luma_alone_counts(
    photo: np.ndarray, clean: Path, tmp_path: Path
) -> None:
    gray = write(tmp_path / "gray.png", photo[:128, :160] @ np.array([0.299, 0.587, 0.114]))
    work = evaluation("psnr", protocol=Protocol("y"))
    work.add(Match("a", clean, {"ours": gray}))
    assert work.problems == [] and work.rows[0].values["psnr"] > 45


def test_small_input_is_enlarged(photo: np.ndarray, clean: Path, tmp_path: Path) -> None:
    small = cv2.resize(photo[:128, :160], (40, 32), interpolation=cv2.INTER_AREA)
    work = evaluation("psnr")
    work.add(Match("a", clean, {LQ: write(tmp_path / "small.png", small)}))
    assert 15 < work.rows[0].values["psnr"] < 40


def test_metric_that_does_not_fit_is_missing_or_a_failure_when_it_is_alone(clean: Path) -> None:
    work = evaluation("psnr", "ms-ssim")
    work.add(Match("a", clean, {"ours": clean}))
    assert work.rows[0].values == {"psnr": float("inf")}
    assert work.failures() == []
    assert "(ms-ssim)" in str(work.notes()[0]) and "at least 161" in str(work.notes()[0])
    work = evaluation("ms-ssim")
    work.add(Match("a", clean, {"ours": clean}))
    assert work.rows[0].values == {} and work.notes() == []
    assert "(ms-ssim)" in str(work.failures()[0])


def test_images_without_a_value_are_told_once_for_each_metric(
    photo: np.ndarray, clean: Path, tmp_path: Path
) -> None:
    tiny = write(tmp_path / "tiny.png", photo[:40, :40])
    work = evaluation("ms-ssim", "patch-fd")
    work.add(Match("a", clean, {"ours": clean, "theirs": clean}))
    work.add(Match("b", tiny, {"ours": tiny}))
    (note,) = (str(note) for note in work.notes())
    assert "clean.png" in note and "(ms-ssim, and 1 more images without it)" in note
    texts = [str(problem) for problem in work.failures()]
    assert len(texts) == 2 and all("tiny.png" in text for text in texts)
    assert "(ms-ssim)" in texts[0] and "(patch-fd)" in texts[1]
    assert work.distances()["ours"].images == 1


def test_value_that_is_not_a_number_is_a_problem(clean: Path) -> None:
    def nothing(image: Image, target: Image) -> float:
        return float("nan")

    work = Evaluation({"odd": Measure("Odd", "lower", 2, nothing)}, (), Protocol())
    work.add(Match("a", clean, {"ours": clean}))
    assert work.rows[0].values == {}
    assert "not a number (odd)" in str(work.failures()[0])


def test_distances_are_between_all_patches(photo: np.ndarray, clean: Path, tmp_path: Path) -> None:
    from unfade.eval.distances import kernel_distance, standardised

    other = write(tmp_path / "other.png", photo[128:256, :192])
    soft = write(tmp_path / "soft.png", cv2.GaussianBlur(photo[128:256, :192], (0, 0), 2))
    work = evaluation("patch-kd", "patch-fd")
    work.add(Match("a", clean, {"same": clean, "soft": clean}))
    work.add(Match("b", other, {"same": other, "soft": soft}))
    found = work.distances()
    assert found["same"].values["patch-fd"] == pytest.approx(0, abs=1e-5)
    assert found["soft"].values["patch-fd"] > 1

    def rows(path: Path) -> np.ndarray:
        image = cv2.imread(str(path))
        assert image is not None
        return patch_statistics(image[..., ::-1].astype(np.float32) / np.float32(255))

    reference = np.concatenate([rows(clean), rows(other)])
    results = np.concatenate([rows(clean), rows(soft)])
    expected = kernel_distance(standardised(results, reference), standardised(reference, reference))
    assert found["soft"].values["patch-kd"] == pytest.approx(expected)


def test_distance_of_one_patch_is_a_problem(photo: np.ndarray, tmp_path: Path) -> None:
    tiny = write(tmp_path / "tiny.png", photo[:64, :64])
    work = evaluation("patch-kd")
    work.add(Match("a", tiny, {"ours": tiny}))
    assert work.distances() == {}
    assert "method ours" in str(work.problems[0])


def test_results_are_damaged_again_and_compared_with_the_input(
    photo: np.ndarray, clean: Path, tmp_path: Path
) -> None:
    def halved(image: Image) -> Image:
        small = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        return small.astype(np.float32)

    small = halved(photo[:128, :160])
    other = write(tmp_path / "other.png", photo[100:228, 200:360])
    lq = write(tmp_path / "lq.png", small)
    redegraded = Redegraded(halved, redegraded_measures(["ssim-lq", "alignment-lq"]))
    work = Evaluation(measures(["psnr"], Protocol()), (), Protocol("rgb", 9), redegraded=redegraded)
    work.add(Match("a", clean, {"ours": clean, "theirs": other, LQ: lq}))
    ours, theirs, _ = (row.values for row in work.rows)
    assert [*work.columns] == ["psnr", "alignment-lq", "ssim-lq"] and work.failures() == []
    assert ours["ssim-lq"] > 0.99 and ours["alignment-lq"] > 0.99
    expected = metrics.ssim(halved(photo[100:228, 200:360]), small)
    assert theirs["ssim-lq"] == pytest.approx(expected, abs=1e-2)
    assert theirs["alignment-lq"] < 0.5


def test_damaged_result_of_another_size_is_a_failure(clean: Path) -> None:
    redegraded = Redegraded(lambda image: image[1:], redegraded_measures(["ssim-lq"]))
    work = Evaluation(measures(["psnr"], Protocol()), (), Protocol(), redegraded=redegraded)
    work.add(Match("a", clean, {"ours": clean, LQ: clean}))
    assert "127 pixels (ssim-lq" in str(work.failures()[0])
