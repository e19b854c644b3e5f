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
    words = [sys.executable, "-m", "unfade", "serve", "--port", str(port), "--temp", str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as server:
        while True:
            assert server.poll() is None
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60):
                    break
            except urllib.error.URLError:
                time.sleep(0.2)
        assert any(tmp_path.iterdir())
        server.send_signal(how)
        server.wait(120)
    assert not any(tmp_path.iterdir())
