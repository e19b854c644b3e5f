from __future__ import annotations

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
