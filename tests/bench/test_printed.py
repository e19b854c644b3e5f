from __future__ import annotations

from pathlib import Path

import pytest

from unfade.bench.printed import with_printed
from unfade.bench.published import Printed
from unfade.bench.tables import TABLES
from unfade.errors import InputError

HEAD = "table,dataset,damage,system,metric,value,source\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "printed.csv"


def test_a_figure_stands_in_its_papers_table_when_the_system_is_known(file: Path) -> None:
    file.write_text(HEAD + "sr4,DIV2K,,IIDE,lpips,0.25,the paper\n", "utf-8")
    (table,) = with_printed([TABLES["sr4"]], file)
    (paper,) = table.printed
    assert paper.figures["IIDE", "lpips"] == (Printed(0.25, "the paper"),)
    assert paper.systems == TABLES["sr4"].printed[0].systems
    assert paper.figures["StableSR", "psnr"][0].value == 32.08
    assert ("IIDE", "lpips") not in TABLES["sr4"].printed[0].figures  # the known stay as they are


def test_sources_stand_side_by_side_when_they_differ(file: Path) -> None:
    (first, second) = TABLES["sr4"].printed[0].figures["StableSR", "psnr"]
    lines = [f'sr4,,,StableSR,psnr,1.5,"{first.source}"', "sr4,,,StableSR,psnr,2.5,elsewhere"]
    file.write_text(HEAD + "\n".join(lines), "utf-8")
    (table,) = with_printed([TABLES["sr4"]], file)
    figures = table.printed[0].figures["StableSR", "psnr"]
    assert set(figures) == {second, Printed(1.5, first.source), Printed(2.5, "elsewhere")}


def test_a_new_system_and_metric_have_a_row_and_a_column(file: Path) -> None:
    file.write_text("table,system,metric,value,source\nold-photo,Theirs,niqe,4,x\n", "utf-8")
    (table,) = with_printed([TABLES["old-photo"]], file)
    assert table.printed[0].systems[-1] == "Theirs" and table.printed[0].metrics[-1] == "niqe"


def test_damages_have_tables_of_their_own_when_the_paper_is_not_known(file: Path) -> None:
    lines = [f"alignment,DIV2K,{d},SUPIR,alignment-lq,0.9,Table 1\n" for d in ("sr4", "blur20")]
    file.write_text(HEAD + "".join(lines), "utf-8")
    (table, other) = with_printed([TABLES["alignment"], TABLES["steps"]], file)
    assert [paper.degradation for paper in table.printed] == ["sr4", "blur20"]
    assert table.printed[0].source == TABLES["alignment"].source and other.printed == ()


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
        with_printed([TABLES["sr4"]], file)


def test_a_missing_or_binary_file_is_refused(file: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        with_printed([TABLES["sr4"]], file)
    file.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(InputError, match="cannot be read"):
        with_printed([TABLES["sr4"]], file)
