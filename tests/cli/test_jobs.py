from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from unfade import manifest as manifests
from unfade.cli.jobs import plan
from unfade.errors import UsageError


@pytest.fixture
def scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with photos, sub-folders, and what is none; the current folder is above it."""
    monkeypatch.chdir(tmp_path)
    names = ["a.jpg", "b.PNG", "sub/a.tif", "sub/deep/c.webp", ".hidden.jpg", ".git/d.jpg",
             "notes.txt", "a.compare.png", "sub/a[1].bmp"]  # fmt: skip
    for name in names:
        path = tmp_path / "scans" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "scans"


def pairs(inputs: list[str], out: str, suffix: str | None = None) -> list[tuple[str, str]]:
    jobs = plan(inputs, out, suffix=suffix)
    return [(job.source.as_posix(), job.output.as_posix()) for job in jobs]


def own(path: Path) -> None:
    """Makes a file look like a result of ours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    keys = manifests.Manifest.__annotations__
    values = {key: {} for key in keys} | {
        "input": dict.fromkeys(manifests.InputRecord.__annotations__, 0),
        "output": {"name": path.name, "sha256": "0", "bytes": 1},
    }
    manifests.write(manifests.sidecar(path), values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("inputs", "out", "outputs"),
    [
        # A folder keeps its sub-folders, and its name where it is one of several.
        (["scans"], "out", "out/{a.jpg,b.PNG,sub/a.tif,sub/a[1].bmp,sub/deep/c.webp}"),
        (["scans/sub", "scans/a.jpg"], "out",
         "out/{sub/a.tif,sub/a[1].bmp,sub/deep/c.webp,a.jpg}"),
        # A glob is expanded where the shell did not, and is a name where it exists.
        (["scans/*.jpg"], "out", "out/{a.jpg}"),
        (["scans/**/*.tif"], "out", "out/{sub/a.tif}"),
        (["scans/*"], "out", "out/{a.jpg,b.PNG,sub/a.tif,sub/a[1].bmp,sub/deep/c.webp}"),
        (["scans/sub/a[1].bmp"], "x.bmp", "x.bmp"),
        # OUT is a file where it is a picture's name, and else a folder.
        (["scans/a.jpg"], "x.tiff", "x.tiff"), (["scans/*.jpg"], "x.tiff", "x.tiff"),
        (["scans/a.jpg"], "out", "out/{a.jpg}"), (["scans/a.jpg"], "out.v2/", "out.v2/{a.jpg}"),
        (["scans/a.jpg"], "x.jpg/", "x.jpg/{a.jpg}"),
        (["scans/sub/deep"], "of-1.2.2024", "of-1.2.2024/{c.webp}"),
    ],
)  # fmt: skip
def test_results_have_the_places_of_their_photos(
    scans: Path, inputs: list[str], out: str, outputs: str
) -> None:
    folder, _, names = outputs.partition("{")
    expected = [folder + name for name in names.rstrip("}").split(",")] if names else [outputs]
    found = pairs(inputs, out)
    assert [output for _, output in found] == expected
    if names:
        base = "scans/sub/deep/" if inputs == ["scans/sub/deep"] else "scans/"
        assert [source for source, _ in found] == [base + n for n in names.rstrip("}").split(",")]


def test_out_below_the_folder_is_not_searched(scans: Path) -> None:
    own(scans / "out" / "a.jpg")
    (scans / "out" / "mask.png").write_bytes(b"x")
    assert not any("scans/out/" in source for source, _ in pairs(["scans"], "scans/out"))
    assert not any("out/" in source for source, _ in pairs(["scans/**/*"], "scans/out"))


def test_own_results_are_skipped_unless_they_are_named(scans: Path) -> None:
    own(scans / "earlier" / "a.jpg")
    assert not any("earlier" in source for source, _ in pairs(["scans"], "out"))
    own(scans / "earlier" / "a.jpg")
    assert pairs(["scans/earlier/a.jpg"], "out") == [("scans/earlier/a.jpg", "out/a.jpg")]


def test_out_is_a_folder_when_there_is_one(scans: Path) -> None:
    Path("x.jpg").mkdir()
    assert pairs(["scans/a.jpg"], "x.jpg") == [("scans/a.jpg", "x.jpg/a.jpg")]


def test_suffix_takes_the_place_of_the_inputs(scans: Path) -> None:
    assert pairs(["scans/a.jpg"], "out", ".png") == [("scans/a.jpg", "out/a.png")]
    assert pairs(["scans/a.jpg"], "x.png", ".png") == [("scans/a.jpg", "x.png")]
    with pytest.raises(UsageError, match=r"\.png"):
        pairs(["scans/a.jpg"], "x.jpg", ".png")


def test_suffix_comes_behind_the_inputs_when_they_differ_in_theirs_alone(scans: Path) -> None:
    for name in ("a.tif", "b.tif"):
        (scans / name).write_bytes(b"x")
    outputs = dict(pairs(["scans/a.jpg", "scans/a.tif", "scans/b.tif"], "out", ".png"))
    assert outputs["scans/a.jpg"] == "out/a.jpg.png"
    assert outputs["scans/a.tif"] == "out/a.tif.png"
    assert outputs["scans/b.tif"] == "out/b.png"


def test_photos_that_cannot_be_read_are_told_when_they_lie_in_a_folder(
    scans: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert pairs(["scans"], "out")
    assert not caplog.text
    for name in ("sub/IMG_1.HEIC", "c.nef", "d.heic", ".e.gif"):
        (scans / name).write_bytes(b"x")
    before = pairs(["scans"], "out")
    assert "scans: left out 3 file(s)" in caplog.text and "(.heic .nef)" in caplog.text
    assert not any("IMG" in source for source, _ in before)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links there")
def test_photo_keeps_its_own_name_when_a_link_leads_to_it(scans: Path) -> None:
    (scans / "0.jpg").symlink_to("a.jpg")
    assert pairs(["scans/0.jpg", "scans/a.jpg"], "out") == [("scans/a.jpg", "out/a.jpg")]
    assert pairs(["scans/0.jpg"], "out") == [("scans/0.jpg", "out/0.jpg")]


def test_photo_is_done_once_when_it_is_named_twice(scans: Path) -> None:
    assert len(pairs(["scans/a.jpg", "scans/a.jpg", "scans/*.jpg"], "out")) == 1


@pytest.mark.parametrize(
    ("inputs", "suffix"),
    [(["scans/a.jpg", "other/a.jpg"], None), (["scans/a.jpg", "other/a.jpg"], ".png")],
)
def test_clash_is_refused(scans: Path, inputs: list[str], suffix: str | None) -> None:
    Path("other").mkdir()
    Path("other/a.jpg").write_bytes(b"x")
    with pytest.raises(UsageError, match="two photos for one result"):
        plan(inputs, "out", suffix=suffix)


def test_clash_is_found_among_names_that_differ_in_case(scans: Path) -> None:
    for name in ("scans/A.jpg", "other/a.jpg"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(b"x")
    with pytest.raises(UsageError, match="two photos for one result"):
        plan(["scans/A.jpg", "scans/a.jpg", "other/a.jpg"], "out")


@pytest.mark.parametrize("out", ["scans", "./scans/../scans", "scans/a.jpg", "scans/"])
def test_input_is_never_overwritten(scans: Path, out: str) -> None:
    with pytest.raises(UsageError, match="never overwrites an input"):
        plan(["scans/a.jpg"], out)


def test_input_is_never_overwritten_through_a_link(scans: Path) -> None:
    Path("link.jpg").symlink_to(scans / "a.jpg")
    os.link(scans / "a.jpg", "hard.jpg")
    for out in ("link.jpg", "hard.jpg"):
        with pytest.raises(UsageError, match="never overwrites an input"):
            plan(["scans/a.jpg"], out)


def test_mask_of_the_user_is_never_overwritten(scans: Path) -> None:
    with pytest.raises(UsageError, match="never overwrites an input"):
        plan(["scans/a.jpg"], "out", protected=[Path("out/a.jpg")])


@pytest.mark.parametrize(
    ("inputs", "out", "words"),
    [
        (["none.jpg"], "out", "check the name"),
        (["none/*.jpg"], "out", "no photo that matches"),
        (["scans/a.jpg", "scans/b.PNG"], "x.jpg", "a folder"),
        (["scans"], "x.jpg", "a folder"),
        (["scans"], "x.pdf", "a folder"),
        (["scans"], "x.nef", "a folder"),
        (["scans/a.jpg"], "x.xyz", "a name that ends in .bmp .dib .jfif .jpe .jpeg .jpg .png "),
        (["scans/a.jpg"], "", "an empty OUT"),
        (["scans/.git"], "out", "matches"),
    ],
)
def test_usage_is_wrong_when_nothing_can_be_done(
    scans: Path, inputs: list[str], out: str, words: str
) -> None:
    if words == "matches":
        (scans / ".git" / "d.jpg").unlink()
        words = "a folder without photos"
    with pytest.raises(UsageError) as caught:
        plan(inputs, out)
    assert words in str(caught.value)


def test_missing_file_is_left_to_its_job_when_others_exist(scans: Path) -> None:
    assert len(plan(["scans/a.jpg", "none.jpg"], "out")) == 2


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are Unicode there")
def test_name_that_is_not_utf8_is_found(scans: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    (scans / name).write_bytes(b"x")
    assert f"scans/{name}" in [source for source, _ in pairs(["scans"], "out")]
    assert pairs([f"scans/{name}"], "out") == [(f"scans/{name}", f"out/{name}")]


def test_variants_have_files_of_their_own(scans: Path) -> None:
    (job,) = plan(["scans/a.jpg"], "out", variants=2)
    assert [p.as_posix() for p in job.outputs] == ["out/a-1.jpg", "out/a-2.jpg"]
    (job,) = plan(["scans/a.jpg"], "x.png", variants=1)
    assert [p.as_posix() for p in job.outputs] == ["x.png"]


def test_input_is_never_overwritten_by_a_variant(scans: Path) -> None:
    (scans / "a-2.jpg").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"a-2\.jpg as a result"):
        plan(["scans/a.jpg", "scans/a-2.jpg"], "scans", variants=2)


NAS_FOLDERS = ["@eaDir", "#recycle", "#snapshot", "@Recycle", ".thumbnails", "__MACOSX",
               "$RECYCLE.BIN", "System Volume Information"]  # fmt: skip


def test_folders_of_a_file_server_are_skipped_and_told(
    scans: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in NAS_FOLDERS:
        (scans / "sub" / name).mkdir()
        (scans / "sub" / name / "a.jpg").write_bytes(b"x")
    for inputs in (["scans"], ["scans/**/*.jpg"], ["scans/*"]):
        caplog.clear()
        sources = [source for source, _ in pairs(inputs, "out")]
        assert "scans/a.jpg" in sources
        assert not any(name in source for name in NAS_FOLDERS for source in sources)
        assert "skipped" in caplog.text and "@eaDir" in caplog.text
    assert pairs(["scans/sub/@eaDir"], "out") == [("scans/sub/@eaDir/a.jpg", "out/a.jpg")]


def test_names_that_the_disk_takes_for_one_are_refused(
    scans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (scans / "A.JPG").write_bytes(b"x")
    assert len(plan(["scans"], "out")) == 6  # this disk tells them apart
    real = os.path.lexists

    def folding(path: str | os.PathLike[str]) -> bool:
        """A disk, such as exFAT, to which upper and lower case are the same."""
        place = Path(path)
        try:
            return place.name.casefold() in {p.name.casefold() for p in place.parent.iterdir()}
        except OSError:
            return real(path)

    monkeypatch.setattr("unfade.cli.jobs.os.path.lexists", folding)
    with pytest.raises(UsageError, match="two photos for one result") as caught:
        plan(["scans"], "out")
    assert "A.JPG" in str(caught.value) and "a.jpg" in str(caught.value)
    assert not Path("out").exists() and [p.name for p in Path().iterdir()] == ["scans"]


@pytest.mark.parametrize("inputs", [["scans/a.jpg"], ["scans"], ["-"]])
def test_standard_input_and_output_are_refused_with_a_remedy(
    scans: Path, inputs: list[str]
) -> None:
    with pytest.raises(UsageError, match=r"standard (in|out)put") as caught:
        plan(inputs, "out" if inputs == ["-"] else "-")
    assert "./-" in str(caught.value)
