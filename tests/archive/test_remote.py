"""Against a real S3 server on loopback."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest
from moto.server import ThreadedMotoServer
from tests.archive.helpers import photos, run_here, states

from unfade.archive.report import write_report

MakePhoto = Callable[..., Path]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    store = fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False)
    store.mkdir("museum")
    try:
        yield "s3://museum"
    finally:
        server.stop()


def test_store_to_store_gives_the_same_bytes(
    bucket: str, tmp_path: Path, make_photo: MakePhoto
) -> None:
    for i, name in enumerate(["a/one.jpg", "a/one.png", "two.jpg"]):
        make_photo(f"scans/{name}", height=32, width=32, seed=i)
    with tarfile.open(tmp_path / "shard.tar", "w") as tar:
        tar.add(tmp_path / "scans/two.jpg", "0.jpg")
    run_here(tmp_path / "scans", tmp_path / "plain")
    store = fsspec.filesystem("s3", use_listings_cache=False)
    store.put(str(tmp_path / "scans"), "museum/scans", recursive=True)
    store.put(str(tmp_path / "shard.tar"), "museum/scans/shard.tar")
    src, dst = f"{bucket}/scans", f"{bucket}/restored"
    assert run_here(src, dst).counts == {"done": 4}
    again = run_here(src, dst)
    assert (again.total, again.plan.finished) == (0, 4)
    store.get("museum/restored", str(tmp_path / "back"), recursive=True)
    plain = photos(tmp_path / "plain")
    assert photos(tmp_path / "back") == plain | {"shard/0.jpg": plain["two.jpg"]}
    assert (tmp_path / "back/a/one.png.json").exists()
    assert not store.exists("museum/restored/unfade-archive/lock.json")

    store.pipe("museum/scans/two.jpg", b"\xff\xd8\xff broken")
    assert run_here(f"{src}/*.jpg", dst).counts == {"failed": 1}
    assert states(dst)["two.jpg"] == "failed"
    assert write_report(dst) == f"{dst}/unfade-archive/report.html"
    assert store.cat("museum/restored/unfade-archive/report.html").count(b'alt="after"') > 0
