"""Paths and names that nobody on the page can have meant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from unfade.web.session import AppContext

MakePhoto = Callable[..., Path]

_ADDRESSES = ["file:///etc/passwd", "http://example.org/a.jpg", "HTTPS://169.254.169.254/x",
              "ftp://x/y", "data:text/plain,hi", " http://example.org"]  # fmt: skip
_NAMES = ["/etc/passwd", "/proc/self/environ", "/dev/zero", "", "/", ".", "~", "pyproject.toml",
          "a\0b", "x" * 3000, "\\\\host\\share", "C:\\x", "%2e%2e%2f", "é\u202e"]  # fmt: skip


PHOTO = b"\xff\xd8\xff\xe0 the beginning of a JPEG"


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=120) as made:
        yield made


@pytest.fixture
def foreign(address: str, desk: AppContext, make_photo: MakePhoto) -> list[str]:
    """Ways to a file that was not uploaded, and to what is no file."""
    secret, inside = make_photo("secret.jpg"), desk.store.folder()
    secret.write_bytes(b"root:")
    (inside / "link.jpg").symlink_to(secret)
    (inside / "folder").symlink_to(secret.parent)
    up = "/".join([".."] * len(inside.parts))
    own = [secret, f"{inside}/{up}{secret}", inside / "link.jpg", inside / "folder" / secret.name,
           inside, desk.store.root, f"{address}/theme.css"]  # fmt: skip
    return [*map(str, own), *_ADDRESSES, *_NAMES]


def test_no_foreign_file_is_served(client: httpx.Client, foreign: list[str]) -> None:
    routes = ["/gradio_api/file=", "/gradio_api/file/", "/gradio_api/proxy=", "/file=", "/static/",
              "/assets/", "/svelte/", "/gradio_api/custom_component/",
              "/gradio_api/stream/"]  # fmt: skip
    for path in foreign:
        for route in routes:
            quoted = "".join(f"%{byte:02x}" for byte in path.encode())
            answer = client.get(route + quoted)
            assert 400 <= answer.status_code < 500, (route, path, answer.status_code)
            assert b"root:" not in answer.content


def test_no_foreign_file_is_restored(client: httpx.Client, foreign: list[str]) -> None:
    for path in foreign:
        for sent in ({"path": path, "meta": {"_type": "gradio.FileData"}}, path):
            answer = client.post("/gradio_api/call/v2/restore", json={"photo": sent})
            if answer.status_code == 200:
                event = answer.json()["event_id"]
                answer = client.get(f"/gradio_api/call/restore/{event}")
                assert "event: error" in answer.text and "complete" not in answer.text, path
            else:
                assert 400 <= answer.status_code < 500, (path, answer.status_code)
            assert "root:" not in answer.text and '"url"' not in answer.text


@pytest.mark.parametrize("route", ["call", "call/v2", "run", "api"])
def test_functions_and_values_that_are_not_there_are_the_clients_fault(
    client: httpx.Client, route: str
) -> None:
    bodies: list[Any] = [{}, {"data": None}, {"data": [1, 2]}, {"photo": None, "x": 1}, [], "x"]
    for name in ("nothing", "restore%2f..", "open", "_", "restore", "detect"):
        for body in bodies:
            answer = client.post(f"/gradio_api/{route}/{name}", json=body)
            started = answer.status_code == 200 and "event_id" in answer.json()
            assert started or 400 <= answer.status_code < 500, (name, body, answer.status_code)


@pytest.mark.parametrize(
    "name",
    ["../../../x.jpg", "/etc/passwd", "a\0b.jpg", "..", ".", "x" * 400 + ".jpg", "C:\\a.jpg",
     "é\u202e.jpg", "%2e%2e%2fx.jpg", ".jpg", "\n.jpg"],
)  # fmt: skip
def test_upload_stays_in_the_store_whatever_its_name(
    client: httpx.Client, desk: AppContext, name: str
) -> None:
    answer = client.post("/gradio_api/upload", files={"files": (name, PHOTO)})
    assert answer.status_code == 200 or 400 <= answer.status_code < 500
    if answer.status_code == 200:
        (path,) = map(Path, answer.json())
        assert path.resolve().is_relative_to(desk.store.root) and path.read_bytes() == PHOTO


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "text/plain", "multipart/form-data; boundary=a"]
)
def test_nothing_is_kept_of_an_upload_that_is_none(client: httpx.Client, kind: str) -> None:
    answer = client.post("/gradio_api/upload", content=b"--a\r\n", headers={"Content-Type": kind})
    assert 400 <= answer.status_code < 500 or (answer.status_code == 200 and answer.json() == [])


def test_other_sites_may_link_here_but_start_nothing(client: httpx.Client) -> None:
    for site, status in (("cross-site", 403), ("same-origin", 200)):
        sent = {"files": ("a.jpg", PHOTO)}
        answer = client.post("/gradio_api/upload", files=sent, headers={"Sec-Fetch-Site": site})
        assert answer.status_code == status
    assert client.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/gradio_api/info", "/gradio_api/upload", "/theme.css"])
def test_requests_under_a_foreign_name_are_refused(client: httpx.Client, path: str) -> None:
    for host, status in (("evil.example:7860", 403), ("evil.example", 403), ("localhost", 200)):
        method = "POST" if path.endswith("upload") else "GET"
        files = {"files": ("a.jpg", PHOTO)} if method == "POST" else None
        answer = client.request(method, path, files=files, headers={"Host": host})
        assert answer.status_code == status, (host, path)
        if status == 403:
            assert "--allow-host" in answer.text


def test_names_given_are_taken_and_a_login_takes_any(
    serve_app: Callable[..., str], desk: AppContext
) -> None:
    from unfade.web.server import make_app

    given = (desk.restorer, desk.store, desk.limits)
    named = make_app(*given, names=frozenset({"photos.example"}))
    for app in (named, make_app(*given, auth=("ann", "s"))):
        address = serve_app(app)
        asked = {"Host": "photos.example"}
        assert httpx.get(address, headers=asked, timeout=60).status_code == 200


@pytest.mark.parametrize("path", ["/openapi.json", "/gradio_api/openapi.json", "/docs", "/redoc"])
def test_descriptions_of_the_routes_are_closed(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 403


def test_of_files_that_are_no_photos_only_the_first_bytes_are_kept(
    client: httpx.Client, desk: AppContext
) -> None:
    files = {
        "page.html": b"<html>" * 500,
        "a.jpg": b"MZ\x90" * 500,
        "b.jpg": PHOTO.ljust(1500, b"x"),
    }
    sent = [("files", (name, data)) for name, data in files.items()]
    answer = client.post("/gradio_api/upload", files=sent)
    assert answer.status_code == 200
    kept = [Path(written) for written in answer.json()]
    assert all(path.is_relative_to(desk.store.root) for path in kept)
    assert [path.read_bytes() for path in kept] == [
        files["page.html"][:256], files["a.jpg"][:256], files["b.jpg"],
    ]  # fmt: skip


def test_uploads_end_where_the_room_ends(serve_app: Callable[..., str], desk: AppContext) -> None:
    from unfade.web.server import make_app

    limits = replace(desk.limits, max_store_bytes=desk.store.size() + 100_000)
    address = serve_app(make_app(desk.restorer, desk.store, limits))
    for size, status in ((50_000, 200), (90_000, 413), (20_000, 200)):
        sent = {"files": ("a.jpg", PHOTO.ljust(size, b"x"))}
        answer = httpx.post(f"{address}/gradio_api/upload", files=sent, timeout=60)
        assert answer.status_code == status
    assert "no room" in httpx.post(f"{address}/gradio_api/upload", files={
        "files": ("a.jpg", PHOTO.ljust(90_000, b"x"))}, timeout=60).text  # fmt: skip


@pytest.mark.parametrize(
    ("route", "value", "told"),
    [("detect", {"threshold": "abc"}, "Threshold 'abc'. Needed: a number."),
     ("detect", {"threshold": 7}, "Threshold 7. Needed: a number between 0 and 1."),
     ("restore", {"threshold": [1]}, "Threshold [1]. Needed: a number."),
     ("restore", {"strength": {"a": 1}}, "Strength {'a': 1}. Needed: a number."),
     ("restore", {"prompt": "x" * 3000}, "Needed: at most 2000"),
     ("restore", {"only_damage": "yes"}, "Needed: yes or no"),
     ("restore", {"seed": -1}, "Seed -1"),
     *(("restore", {name: value}, "Needed: at most")  # no more than a visitor may ask for
       for name, value in (("variants", 5), ("steps", 101), ("scale", 9)))],
)  # fmt: skip
def test_values_that_make_no_sense_are_told_in_sentences(
    client: httpx.Client, make_photo: MakePhoto, route: str, value: dict[str, Any], told: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    data = make_photo("a.png", height=40, width=40).read_bytes()
    (path,) = client.post("/gradio_api/upload", files={"files": ("a.png", data)}).json()
    sent = {"photo": {"path": path, "meta": {"_type": "gradio.FileData"}}, **value}
    answer = client.post(f"/gradio_api/call/v2/{route}", json=sent).raise_for_status()
    outcome = client.get(f"/gradio_api/call/{route}/{answer.json()['event_id']}").text
    assert "event: error" in outcome
    assert told in outcome.encode().decode("unicode_escape"), outcome
    assert "Traceback" not in caplog.text
