from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from unfade.bench.protocols.base import Report, column
from unfade.bench.protocols.detection import FLAGGED, STRICT, counts, kinds_grid
from unfade.bench.protocols.false_alarms import Settings as AlarmSettings
from unfade.bench.protocols.false_alarms import false_alarms
from unfade.bench.protocols.old_photo import CLEAN, DETECTOR, NOISY, Settings, old_photo
from unfade.errors import UsageError
from unfade.eval import metrics
from unfade.eval.rows import Row
from unfade.pipeline.first_stage import FirstStage


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three smooth photos of 96 x 112 pixels."""
    folder = tmp_path_factory.mktemp("photos")
    for index in range(3):
        rng = np.random.default_rng(index)
        coarse = rng.integers(40, 216, (6, 7, 3), dtype=np.uint8)
        image = cv2.resize(coarse, (112, 96), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{index}.png"), image)
    return folder


@pytest.fixture(scope="module")
def report(photos: Path) -> Report:
    return old_photo(Settings(photos, count=2, seed=4, enlarge=(1, 2)))


def grid(report: Report, title: str) -> list[list[Any]]:
    (found,) = (grid for grid in report.grids if grid.title == title)
    return [[cell.text if cell.value is None else cell.value for cell in row] for row in found.rows]


def test_gains_are_the_means_of_the_rows(report: Report) -> None:
    unfade = column(report.rows, "unfade", "psnr")
    lq = column(report.rows, "input", "psnr")
    over, psnr, *rest = grid(report, "Gains of unfade against the recipe's target")[0]
    assert len(unfade) == len(lq) == 2
    assert over == "input" and psnr == pytest.approx((unfade - lq).mean())
    assert rest[3] == pytest.approx((unfade - lq).min())
    assert rest[4] == np.count_nonzero(unfade - lq < -0.5)


def test_f1_is_pooled_over_the_pixels_of_all_photos(report: Report) -> None:
    threshold = FirstStage.from_pretrained("compact", device="cpu").threshold
    rows = [row for row in report.rows if row.method == DETECTOR and row.parameter == "threshold"]
    summed = sum(np.array([row.values[name] for name in STRICT]) for row in rows)
    expected = metrics.pooled_f1(np.asarray(summed, np.int64))
    (line,) = grid(report, "Detection")
    assert len(rows) == 2 and line[:4] == [threshold, *map(pytest.approx, expected)]
    assert line[7] == pytest.approx(100 * column(rows, DETECTOR, FLAGGED).mean())


def test_enlarging_once_is_the_photo_itself(report: Report) -> None:
    (plain,) = grid(report, "Detection")
    once, twice = grid(report, f"Detection on enlarged photos ({DETECTOR})")
    noisy, _ = grid(report, f"Detection on enlarged photos ({NOISY})")
    assert once[1:] == plain[1:7] and twice[0] == 2
    assert noisy[1:] != once[1:]
    areas = [
        sum(r.values["true"] for r in report.rows if r.parameter == "enlarge" and r.value == factor)
        for factor in (1, 2)
    ]
    assert areas[1] == 4 * areas[0]


def test_the_true_mask_is_used(report: Report) -> None:
    found, true = (column(report.rows, m, "psnr") for m in ("unfade", "unfade, true mask"))
    assert not np.array_equal(found, true)


def test_clean_photos_are_counted_below_two_limits(report: Report) -> None:
    psnr = column(report.rows, CLEAN, "psnr")
    note = f"below 38 dB: {np.count_nonzero(psnr < 38)}, below 30 dB: {np.count_nonzero(psnr < 30)}"
    assert (
        len(psnr) == 2 and note in report.notes[0] and f"worst {psnr.min():.2f}" in report.notes[0]
    )


def test_a_photo_has_the_same_figures_in_any_run(photos: Path, report: Report) -> None:
    again = old_photo(Settings(photos, count=2, seed=4, enlarge=(1, 2)))
    assert again.rows == report.rows
    other = old_photo(Settings(photos, count=2, seed=5, detect_only=True))
    assert column(other.rows, DETECTOR, "true").tolist() != [
        r.values["true"] for r in report.rows if r.parameter == "threshold"
    ]


def test_a_photo_that_cannot_be_read_costs_no_other(photos: Path, tmp_path: Path) -> None:
    for path in photos.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "1.png").write_bytes(b"no picture")
    report = old_photo(Settings(tmp_path, detect_only=True))
    (failure,) = report.failures
    assert failure.startswith(str(tmp_path / "1.png"))
    assert {row.image for row in report.rows} == {"0", "2"}


def test_an_unknown_recipe_is_refused(photos: Path) -> None:
    with pytest.raises(UsageError, match="recipe 'sepia'"):
        old_photo(Settings(photos, recipe="sepia"))


def test_recall_by_kind_counts_the_true_pixels_of_that_kind() -> None:
    scratch, spot = np.zeros((2, 8, 8), np.float32)
    scratch[2], spot[5:7, 5:7] = 1, 1
    found = np.zeros((8, 8), bool)
    found[2, :6], found[0] = True, True
    values = counts(found, (scratch + spot) > 0, {"scratches": scratch, "spots": spot})
    lines = kinds_grid([Row("detector", "a", values), Row("detector", "b", values)], "detector")
    assert lines is not None
    assert [[cell.value or cell.text for cell in row] for row in lines.rows] == [
        ["scratches", 2.0, 16.0, 0.75],
        ["spots", 2.0, 8.0, "0.000"],
    ]
    assert kinds_grid([Row("detector", "a", counts(found, found, {}))], "detector") is None


def test_false_alarms_come_worst_first_and_on_a_sheet(photos: Path, tmp_path: Path) -> None:
    scratched = tmp_path / "photos"
    scratched.mkdir()
    for path in photos.iterdir():
        image = cv2.imread(str(path))
        assert image is not None
        if path.stem == "1":
            crack = np.array([(20, 0), (38, 25), (30, 50), (55, 70), (60, 95)])
            cv2.polylines(image, [crack], isClosed=False, color=(255, 255, 255), thickness=3)
            cv2.ellipse(image, (80, 40), (13, 9), 30, 0, 360, (255, 255, 255), -1)
        cv2.imwrite(str(scratched / path.name), image)
    sheet = tmp_path / "sheet.png"
    report = false_alarms(AlarmSettings(scratched, sheet=sheet, threshold=0.3))
    shares = column(report.rows, "detector", FLAGGED)
    assert report.rows[0].image == "1.png" and shares[0] > 0.01
    assert shares.tolist() == sorted(shares, reverse=True)
    picture = cv2.imread(str(sheet))
    assert picture is not None
    first, second = picture[16:112, :112].astype(int), picture[16:112, 256:368].astype(int)
    red = [np.count_nonzero(p[..., 2] - p[..., :2].max(2) > 120) for p in (first, second)]
    assert red[0] > red[1]
