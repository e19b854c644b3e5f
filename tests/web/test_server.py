"""The page as a server: the API, and what it must not do."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unfade.cli.main import run
from unfade.imaging import read_mask, read_photo
from unfade.web.server import warm_up
from unfade.web.session import AppContext
from unfade.web.theme import asset_path

MakePhoto = Callable[..., Path]


@pytest.fixture(scope="module")
def client(address: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    from gradio_client import Client

    folder = tmp_path_factory.mktemp("downloads")
    return Client(address, download_files=str(folder), verbose=False)


def fetch(address: str, path: str, body: object = None) -> tuple[int, bytes]:
    """The status and the body of an answer."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(address + path, data, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_api_detects_and_restores(client: Any, make_photo: MakePhoto, tmp_path: Path) -> None:
    from gradio_client import handle_file

    photo = make_photo("print.tif", height=100, width=120)
    mask = client.predict(photo=handle_file(photo), threshold=0.4, api_name="/detect")
    found = read_mask(Path(mask), size=(100, 120))
    assert set(np.unique(found)) <= {0, 255} and found.any()
    made, paper = client.predict(
        photo=handle_file(photo), mask=handle_file(mask), only_damage=True, api_name="/restore"
    )
    out = tmp_path / "out.tif"
    given = ["--mask", str(mask), "--only-damage", "--device", "cpu"]
    assert run(["restore", str(photo), "-o", str(out), *given]) == 0
    np.testing.assert_array_equal(read_photo(Path(made)).native, read_photo(out).native)
    assert json.loads(Path(paper).read_text("utf-8"))["options"]["only_damage"] is True


def test_api_tells_errors_as_sentences(client: Any, tmp_path: Path) -> None:
    from gradio_client import handle_file

    broken = tmp_path / "broken.jpg"
    broken.write_text("no photo", "utf-8")
    with pytest.raises(Exception, match=r"broken\.jpg: A text file\. Needed: a photo"):
        client.predict(photo=handle_file(broken), api_name="/restore")


def test_page_names_no_other_origin(address: str) -> None:
    status, page = fetch(address, "/")
    assert status == 200
    for word in (b"fonts.googleapis", b"cdnjs", b'<link rel="preconnect"'):
        assert word not in page


def test_icon_is_that_of_unfade(address: str) -> None:
    status, manifest = fetch(address, "/manifest.json")
    facts = json.loads(manifest)
    assert status == 200 and facts["name"].startswith("unfade")
    for path in ("/favicon.ico", "/pwa_icon"):
        assert fetch(address, path)[1] == asset_path("icon.svg").read_bytes()
    assert {icon["src"] for icon in facts["icons"]} <= {"/pwa_icon", "pwa_icon"}


def test_login_is_asked_when_there_is_one(
    serve_app: Callable[..., str], desk: AppContext, make_photo: MakePhoto
) -> None:
    from unfade.web.server import make_app

    app = make_app(desk.restorer, desk.store, desk.limits, auth=("ann", "s"), root_path="/unfade")
    address = serve_app(app)
    assert fetch(address, "/gradio_api/call/v2/restore", {"photo": None})[0] == 401
    assert fetch(address, "/gradio_api/info")[0] == 401
    status, page = fetch(address, "/")
    assert status == 200 and b"uf-upload" not in page


def test_warm_up_ends_and_leaves_no_file(desk: AppContext) -> None:
    before = sorted(desk.store.root.rglob("*"))
    thread = warm_up(desk.restorer)
    thread.join(60)
    assert not thread.is_alive()
    assert sorted(desk.store.root.rglob("*")) == before
