"""Checks the Host header of requests against the names of this server.

Another site can let its own name resolve to this machine (DNS rebinding), and its page could then
read from this server. Such requests name that site in their Host header.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on this address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def own_names(host: str, names: Iterable[str] = ()) -> frozenset[str]:
    """The names of a server that listens on `host`, besides addresses and localhost.

    Args:
        names: further ones, such as that of a proxy in front of it.
    """
    known = {host, *names}
    if not is_loopback(host):
        machine = socket.gethostname()
        known |= {machine, f"{machine}.local", socket.getfqdn()}
    return frozenset(name.lower().rstrip(".") for name in known if name)


def is_own(header: bytes | None, names: frozenset[str]) -> bool:
    """Whether a Host header names this server: an address, localhost, or one of `names`."""
    if not header:  # no browser leaves it out
        return True
    text = header.decode("latin-1").lower()
    name, _, port = text.rpartition(":")
    if not name or not port.isdigit():
        name = text
    name = name.rstrip(".")
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
        return True
    except ValueError:
        return name == "localhost" or name.endswith(".localhost") or name in names
