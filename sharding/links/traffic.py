"""Counters of a node's links, and log lines that do not flood."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from sharding.links.contract import Peer
from sharding.links.handshake import Refusal

log = logging.getLogger("sharding.links")

_SECONDS_BETWEEN_LINES = 10.0


@dataclass
class Traffic:
    """What went over a node's links since it was started.

    Attributes:
        messages_out, messages_in: messages handed to connections; messages told to the listener.
        bytes_out, bytes_in: the same in bytes, handshakes and pings included.
        opened, lost: links opened; connections of ours that ended after they were open.
        bad_frames: accepted connections closed because of bytes that are no frame of ours.
        silent, slow: connections closed because the peer said nothing; because it did not take what waited.
        refused_in, refused_out: handshakes that failed, by reason, where others dialled us; where we dialled them.
    """

    messages_out: int = 0
    messages_in: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    opened: int = 0
    lost: int = 0
    bad_frames: int = 0
    silent: int = 0
    slow: int = 0
    refused_in: Counter[Refusal] = field(default_factory=Counter)
    refused_out: Counter[Refusal] = field(default_factory=Counter)


class LinkStatus(NamedTuple):
    """One link: its state as in `Link`'s drawing, and the bytes that wait in it."""

    peer: Peer
    state: str
    waiting_bytes: int


class LinksStatus(NamedTuple):
    """All links of a node at one moment.

    Attributes:
        links: those that we send on.
        incoming: the incarnations that we hear from.
        unproved: accepted connections whose handshake is not done.
        traffic: what went over them so far.
    """

    links: list[LinkStatus]
    incoming: list[int]
    unproved: int
    traffic: Traffic


class Complaints:
    """Warnings about peers: for each kind at most one line in ten seconds, with how many were left out."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._kinds: dict[str, tuple[float, int]] = {}

    def say(self, kind: str, text: str) -> None:
        """Log `text`, unless one of its kind was just logged.

        Args:
            kind: one of a fixed number of words; never anything a peer chose.
            text: the line.
        """
        now = self._loop.time()
        last, left_out = self._kinds.get(kind, (float("-inf"), 0))
        if now - last < _SECONDS_BETWEEN_LINES:
            self._kinds[kind] = last, left_out + 1
            return
        self._kinds[kind] = now, 0
        log.warning("%s%s", text, f" ({left_out} more like it since the last line)" if left_out else "")
