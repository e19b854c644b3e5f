from __future__ import annotations

import socket

import pytest

from unfade.web.hosts import is_loopback, is_own, own_names


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.1", True), ("127.0.0.5", True), ("::1", True), ("localhost", True),
     ("0.0.0.0", False), ("::", False), ("192.168.1.2", False), ("photos.example", False)],
)  # fmt: skip
def test_loopback_is_told_from_the_network(host: str, alone: bool) -> None:
    assert is_loopback(host) == alone


@pytest.mark.parametrize(
    ("header", "own"),
    [("127.0.0.1:7860", True), ("[::1]:7860", True), ("localhost", True), ("localhost:80", True),
     ("10.0.0.7:7860", True), ("photos.example:443", True), ("PHOTOS.example.", True), ("", True),
     ("evil.example:7860", False), ("127.0.0.1.evil.example", False), ("localhost.evil", False),
     ("photos.example.evil:1", False), ("\xe9", False)],
)  # fmt: skip
def test_foreign_names_are_told_from_own_ones(header: str, own: bool) -> None:
    names = own_names("127.0.0.1", ["photos.example"])
    assert is_own(header.encode("latin-1"), names) == own


def test_a_server_in_the_network_knows_the_name_of_its_machine() -> None:
    machine = socket.gethostname().lower()
    assert machine in own_names("0.0.0.0")
    assert machine not in own_names("127.0.0.1")
