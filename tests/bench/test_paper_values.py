from __future__ import annotations

from pathlib import Path

import pytest

from unfade.bench.paper_values import PaperValue, papers_of
from unfade.bench.tables import TABLES
from unfade.bench.tables.user_paper_values import with_paper_values
from unfade.errors import InputError

HEAD = "table,dataset,damage,system,metric,value,source\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "printed.csv"


def test_printed_figures_are_shipped_with_their_source() -> None:
    (paper,) = papers_of("old-photo")
    assert paper.values["IIDE", "psnr"] == (PaperValue(29.11, "arXiv 2505.18674, Table I"),)
    assert "DeOldify" not in paper.systems and paper.systems[-2:] == ["w/o IIDE", "IIDE"]
    assert [p.dataset for p in papers_of("real-sr")] == ["RealSR", "DRealSR"]
    assert all(p.systems[-1] == "Ours" for p in (*papers_of("sr4"), *papers_of("real-sr")))
    light = {p.degradation: p for p in papers_of("alignment")}
    assert light["sr2"].values["SUPIR", "dinov2"][0].value == 0.3839
    assert light["sr4"].values["SUPIR", "ssim-lq"][0].value == 0.9553
    assert papers_of("mixtures") == ()


def test_a_figure_stands_in_its_papers_table_when_the_system_is_known(file: Path) -> None:
    file.write_text(HEAD + "sr4,DIV2K,,Ours,niqe,0.25,the paper\n", "utf-8")
    (table,) = with_paper_values([TABLES["sr4"]], file)
    (paper,) = table.papers
    assert paper.values["Ours", "niqe"] == (PaperValue(0.25, "the paper"),)
    assert paper.systems == TABLES["sr4"].papers[0].systems
    assert paper.values["StableSR", "psnr"][0].value == 32.08
    assert ("Ours", "niqe") not in TABLES["sr4"].papers[0].values  # the shipped stay as they are
    file.write_text("table,system,metric,value,source\nold-photo,Theirs,niqe,4,x\n", "utf-8")
    (table,) = with_paper_values([TABLES["old-photo"]], file)
    assert table.papers[0].systems[-1] == "Theirs" and table.papers[0].metrics[-1] == "niqe"


def test_sources_stand_side_by_side_when_they_differ(file: Path) -> None:
    first, second = TABLES["sr4"].papers[0].values["StableSR", "psnr"]
    lines = [f'sr4,,,StableSR,psnr,1.5,"{first.source}"', "sr4,,,StableSR,psnr,2.5,elsewhere"]
    file.write_text(HEAD + "\n".join(lines), "utf-8")
    (table,) = with_paper_values([TABLES["sr4"]], file)
    figures = table.papers[0].values["StableSR", "psnr"]
    assert set(figures) == {second, PaperValue(1.5, first.source), PaperValue(2.5, "elsewhere")}


def test_damages_have_tables_of_their_own(file: Path) -> None:
    lines = [f"alignment,DIV2K,{d},SUPIR,alignment-lq,0.9,x\n" for d in ("sr4", "heavy")]
    file.write_text(HEAD + "".join(lines), "utf-8")
    (table, other) = with_paper_values([TABLES["alignment"], TABLES["steps"]], file)
    values = {paper.degradation: paper.values for paper in table.papers}
    assert ("SUPIR", "ssim-lq") in values["sr4"] and ("SUPIR", "alignment-lq") in values["sr4"]
    assert [*values["heavy"]] == [("SUPIR", "alignment-lq")] and other.papers == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("table,system,metric,value\nsr4,IIDE,psnr,1\n", "no column 'source'"),
        (HEAD.replace("damage", "harm"), "the column 'harm'"),
        (HEAD + "sr5,,,IIDE,psnr,1,x\n", "the table 'sr5' in line 2"),
        (HEAD + "sr4,,,IIDE,psnr,1,x\nsr4,,,IIDE,psmr,1,x\n", "the metric 'psmr' in line 3"),
        (HEAD + "sr4,,,IIDE,psnr,high,x\n", "the figure 'high' in line 2"),
        (HEAD + "sr4,,,IIDE,psnr,nan,x\n", "the figure 'nan' in line 2"),
        (HEAD + "sr4,,,IIDE,psnr,1\n", "line 2 without source"),
        ("", "no column 'table'"),
    ],
)
def test_a_file_that_is_none_is_refused(file: Path, text: str, message: str) -> None:
    file.write_text(text, "utf-8")
    with pytest.raises(InputError, match=message):
        with_paper_values([TABLES["sr4"]], file)


def test_a_missing_or_binary_file_is_refused(file: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        with_paper_values([TABLES["sr4"]], file)
    file.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(InputError, match="cannot be read"):
        with_paper_values([TABLES["sr4"]], file)
