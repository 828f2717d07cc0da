"""Requests of members that are not known yet."""

from __future__ import annotations

import pytest

from sharding import strangers as module
from sharding.protocol import Request
from sharding.strangers import Strangers


def request(origin: int, key: str) -> Request:
    return Request(origin, 1, "t", 0, 1, key, b"")


def keys(strangers: Strangers, origin: int) -> list[str]:
    return [message.key for message in strangers.known(origin) if isinstance(message, Request)]


def test_what_a_stranger_sent_is_kept_in_order_until_it_is_known() -> None:
    strangers = Strangers()
    assert all(strangers.keep(request(origin, key)) for origin, key in ((7, "a"), (8, "x"), (7, "b")))
    assert keys(strangers, 7) == ["a", "b"]
    assert keys(strangers, 7) == []
    assert keys(strangers, 8) == ["x"]


def test_more_strangers_than_the_bound_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_STRANGERS", 2)
    strangers = Strangers()
    assert [strangers.keep(request(origin, "a")) for origin in (1, 2, 3)] == [True, True, False]
    assert strangers.keep(request(1, "b")), "one that is kept already may say more"


def test_more_messages_than_the_bound_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 2)
    strangers = Strangers()
    for key in "abc":
        strangers.keep(request(1, key))
    assert keys(strangers, 1) == ["a", "b"]


def test_all_can_be_forgotten() -> None:
    strangers = Strangers()
    strangers.keep(request(1, "a"))
    strangers.forget()
    assert keys(strangers, 1) == []
