"""Which sockets of this process wait for others, as the kernel says."""

from __future__ import annotations

import os
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import NamedTuple

import pytest

_LISTENS = "0A"
linux_only = pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="needs Linux's /proc")


class Listening(NamedTuple):
    """A socket that waits for others: kind (`tcp`, `tcp6`, `udp`, `udp6`, `unix`), address and port."""

    kind: str
    host: str
    port: int


def listening() -> set[Listening]:
    """All of this process: TCP and Unix sockets that listen, UDP sockets that are bound."""
    mine = _own_inodes()
    return {found for kind in ("tcp", "tcp6", "udp", "udp6") for found in _internet(kind, mine)} | _unix(mine)


def _own_inodes() -> set[str]:
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:  # the one by which the folder was read
            continue
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found


def _internet(kind: str, mine: set[str]) -> list[Listening]:
    path = Path("/proc/self/net") / kind
    rows = [line.split() for line in path.read_text().splitlines()[1:]] if path.exists() else []
    return [
        Listening(kind, *_address(local))
        for _, local, _, state, _, _, _, _, _, inode, *_ in rows
        if inode in mine and (state == _LISTENS or kind.startswith("udp"))
    ]


def _address(text: str) -> tuple[str, int]:
    host, port = text.split(":")
    raw = bytes.fromhex(host)
    words = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))  # written in the machine's own order
    return str(IPv4Address(words) if len(words) == 4 else IPv6Address(words)), int(port, 16)


def _unix(mine: set[str]) -> set[Listening]:
    rows = [line.split() for line in Path("/proc/self/net/unix").read_text().splitlines()[1:]]
    accepts = 0x10000
    return {
        Listening("unix", row[7] if len(row) > 7 else "", 0)
        for row in rows
        if row[6] in mine and int(row[3], 16) & accepts
    }
