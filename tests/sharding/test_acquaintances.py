"""What a node knows of the others, whatever order the news come in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharding.acquaintances import Acquaintances
from sharding.links import Peer
from sharding.store import DOWN, LEAVING, UP, Member

ME = 1


def member(incarnation: int, state: str = UP, weight: float = 1.0) -> Member:
    return Member(f"n{incarnation}", incarnation, "127.0.0.1", 4000, weight, (), state, 5.0)


def news(*members: Member) -> dict[int, Member]:
    return {one.incarnation: one for one in members}


def peer(incarnation: int, host: str = "127.0.0.1") -> Peer:
    return Peer(f"n{incarnation}", incarnation, host, 4000)


@pytest.fixture
def known() -> Acquaintances:
    found = Acquaintances(on_one_machine=False)
    assert found.changed(news(member(ME), member(2), member(3)), ME) == ([1, 2, 3], [])
    return found


def test_who_has_left_does_not_come_back_by_older_news(known: Acquaintances) -> None:
    assert known.changed(news(member(ME), member(3)), ME) == ([], [2])
    assert known.changed(news(member(ME), member(2), member(3)), ME) == ([], [])
    assert list(known.members) == [1, 3]
    assert known.is_heard_of(2)
    assert not known.is_there(2)
    assert not known.is_heard_of(4)


def test_older_news_forget_nobody_who_joined_later(known: Acquaintances) -> None:
    assert known.changed(news(member(ME), member(2), member(3), member(5)), ME) == ([5], [])
    assert known.changed(news(member(ME), member(2), member(3, DOWN)), ME) == ([], [3])
    assert sorted(known.members) == [1, 2, 5]


def test_nobody_is_gone_for_himself_and_what_is_not_known_for_a_while_is_gone_once(known: Acquaintances) -> None:
    known.forgotten()
    assert known.members == {}
    assert known.changed(news(member(3), member(4)), 4) == ([3, 4], [1, 2])
    assert known.changed(news(member(3)), 4) == ([], [])


def test_a_connection_makes_a_refusal_at_loopback_a_proof(
    known: Acquaintances, caplog: pytest.LogCaptureFixture
) -> None:
    assert not known.died(peer(2), "refused")
    assert not known.died(peer(2), "refused")
    assert caplog.text.count("no proof that it is dead") == 1
    assert not known.is_there(2)
    known.met(2)
    assert known.is_there(2)
    assert known.died(peer(2), "refused")
    assert known.died(peer(3, "10.0.0.3"), "refused")
    assert Acquaintances(on_one_machine=True).died(peer(2), "refused")
    known.changed(news(member(ME), member(3)), ME)
    assert not known.died(peer(2), "refused"), "whom it met is forgotten with it"


def test_who_leaves_or_only_calls_is_no_heir(known: Acquaintances) -> None:
    assert known.has_heirs(ME)
    known.parted(3)
    assert (known.has_parted(3), known.is_there(3)) == (True, False)
    known.changed(news(member(ME), member(2, LEAVING), member(3, weight=0.0)), ME)
    assert known.others(ME) == [2, 3]
    assert not known.has_heirs(ME)


@given(st.lists(st.dictionaries(st.integers(2, 8), st.sampled_from((UP, LEAVING, DOWN)), max_size=5), max_size=8))
def test_each_comes_once_and_goes_once(pictures: list[dict[int, str]]) -> None:
    known = Acquaintances(on_one_machine=False)
    came: list[int] = []
    went: list[int] = []
    for states in pictures:
        new, gone = known.changed(news(*(member(one, state) for one, state in states.items())), ME)
        came, went = came + new, went + gone
        assert set(known.members) == set(came) - set(went)
    assert len(came) == len(set(came))
    assert len(went) == len(set(went))
