from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from unfade.cli.main import run
from unfade.cli.serve import credentials, serve
from unfade.errors import UsageError


def test_page_is_for_this_machine_unless_asked_otherwise() -> None:
    host = next(option for option in serve.params if option.name == "host")
    assert host.default == "127.0.0.1"


def test_credentials_are_a_name_and_a_password() -> None:
    assert credentials(None) is None
    assert credentials("ann:a:b") == ("ann", "a:b")


@pytest.mark.parametrize("text", ["", "ann", "ann:", ":secret"])
def test_credentials_are_refused_when_a_part_is_missing(text: str) -> None:
    with pytest.raises(UsageError, match="USER:PASSWORD"):
        credentials(text)


def test_wrong_login_is_told_before_anything_is_loaded(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "--auth", "ann"]) == 2
    assert "USER:PASSWORD" in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_no_file_is_left_when_the_server_is_stopped(tmp_path: Path, how: signal.Signals) -> None:
    pytest.importorskip("gradio", reason="the page needs the extra 'web'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "unfade", "serve", "--port", str(port), "--temp", str(tmp_path),
             "--host", "0.0.0.0"]  # fmt: skip
    with subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as server:
        while True:
            assert server.poll() is None
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60):
                    break
            except (urllib.error.URLError, TimeoutError):
                time.sleep(0.2)
        assert any(tmp_path.iterdir())
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/gradio_api/heartbeat/page") as page:
            assert page.readline()  # an open page listens until the server is gone
            began = time.monotonic()
            server.send_signal(how)  # the example photo is being restored meanwhile
            code = server.wait(120)
            taken_s = time.monotonic() - began
        told = server.stderr.read() if server.stderr else ""
    assert not any(tmp_path.iterdir())
    assert code == (0 if how == signal.SIGTERM else 130)
    assert taken_s < 2
    assert "Warning: everybody in the network can use this page" in told
    assert "terminate called" not in told and "Traceback" not in told


def test_a_port_in_use_is_told_before_anything_is_loaded(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run(["serve", "--port", str(port)]) == 2
    err = capfd.readouterr().err
    assert err.count("\n") == 1 and f"port {port}, which is in use already" in err
    assert "--port" in err


def test_an_address_of_another_machine_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    for host in ("192.0.2.1", "no.such.name.invalid"):
        assert run(["serve", "--host", host]) == 2
        assert f"the host {host}. Needed: an address of this machine" in capfd.readouterr().err


def test_two_servers_that_start_at_once_do_not_share_a_port() -> None:
    from unfade.web.server import bind, listen

    first = bind("127.0.0.1", 0)
    port = first.getsockname()[1]
    with first, bind("127.0.0.1", port) as second:
        listen(first)
        with pytest.raises(UsageError, match="in use already"):
            listen(second)
