"""A region: where messages go while shards come, go and change hands, and in which order they arrive."""

from __future__ import annotations

import pytest

from sharding import region as regions
from sharding.actors import DiedUnanswered
from sharding.notices import (
    GONE,
    LOST,
    THERE,
    CoordinatorChanged,
    DeployedAgain,
    Joined,
    PeerChanged,
    Suspended,
    Withdraw,
)
from sharding.protocol import (
    UNDELIVERED,
    EpochStale,
    Failed,
    Flush,
    Flushed,
    HandedOff,
    HandOff,
    Homes,
    Moved,
    Register,
    Reply,
    Request,
)
from tests.sharding.posts import ME, Rig, TextHost, answers, turns
from tests.waiting import eventually

X, Y, Z = 2, 3, 4


def request(message: str, *, origin: int = 5, ask: int = 0, epoch: int = 1, hops: int = 0, shard: int = 0) -> Request:
    return Request(origin, ask, "t", shard, epoch, "k", message.encode(), hops)


def texts(sent: list[tuple[int, Request]]) -> list[tuple[int, str]]:
    return [(to, one.payload.decode()) for to, one in sent]


@pytest.fixture
def quick_reminders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regions say again very soon what nobody has reacted to."""
    monkeypatch.setattr(regions, "REMIND_SECONDS", 0.002)


# --- homes


async def test_messages_wait_until_a_shard_s_home_is_known(rig: Rig) -> None:
    asks = [rig.ask(text) for text in ("1", "2")]
    await turns()
    assert not any(ask.done() for ask in asks)
    await rig.homes((0, ME, 1))
    assert await answers(*asks, rig.ask("3")) == ["1", "2", "3"]
    assert rig.log == ["open 0 1", "k:1", "k:2", "k:3"]


async def test_messages_for_another_s_shard_go_there_in_order(rig: Rig) -> None:
    asks = [rig.ask("1")]
    await rig.homes((0, X, 7))
    asks.append(rig.ask("2"))
    sent = rig.post.take(Request)
    assert texts(sent) == [(X, "1"), (X, "2")]
    assert [(one.origin, one.epoch, one.hops) for _, one in sent] == [(ME, 7, 0)] * 2
    for _, one in reversed(sent):
        rig.asks.answered(one.ask, b"answer to " + one.payload)
    assert await answers(*asks) == ["answer to 1", "answer to 2"]


async def test_orders_of_an_old_term_and_news_of_an_old_epoch_are_dropped(rig: Rig) -> None:
    await rig.homes((0, X, 5))
    await rig.homes((0, Y, 4))
    rig.term = 2
    await rig.homes((0, Y, 6), term=1)
    rig.ask("1").cancel()
    assert texts(rig.post.take(Request)) == [(X, "1")]
    await rig.homes((1, ME, 1), term=2)
    await rig.tell(HandOff(1, "t", (1,)))
    assert rig.post.told == [Register(ME, "t")]


async def test_the_home_of_a_member_that_is_not_known_yet_waits_for_news_of_it(rig: Rig) -> None:
    rig.post.unknown.add(X)
    await rig.homes((0, X, 1))
    ask = rig.ask("1")
    assert rig.post.sent == []
    rig.post.unknown.clear()
    await rig.tell(PeerChanged(X, THERE))
    assert texts(rig.post.take(Request)) == [(X, "1")]
    ask.cancel()


async def test_a_region_registers_again_until_it_was_told_of_all(quick_reminders: None, rig: Rig) -> None:
    await rig.tell(CoordinatorChanged())
    await rig.homes((0, X, 1), all_told=False)
    await eventually(lambda: rig.post.told.count(Register(ME, "t")) >= 5, every=0.001)
    await rig.homes(all_told=True)
    before = len(rig.post.told)
    await turns()
    assert len(rig.post.told) <= before + 1


# --- handing off


async def test_a_hand_off_finishes_what_came_keeps_what_comes_and_sends_it_on_in_order(rig: Rig) -> None:
    await rig.homes((0, ME, 1))
    asks = [rig.ask(text) for text in ("1", "2")]
    await answers(*asks)
    asks.append(rig.ask("3"))
    await rig.tell(HandOff(1, "t", (0,)))
    assert await answers(*asks) == ["1", "2", "3"]
    await eventually(lambda: HandedOff("t", 0, 1) in rig.post.told)
    later = [rig.ask(text) for text in ("4", "5")]
    rig.routes.take(request("foreign"))
    await turns()
    assert rig.post.take(Request) == []
    await rig.homes((0, X, 2))
    assert texts(rig.post.take(Request)) == [(X, "4"), (X, "5"), (X, "foreign")]
    assert rig.owned == [(0, 1, True), (0, 1, False)]
    for ask in later:
        ask.cancel()


async def test_what_the_shard_did_not_begin_goes_in_front_of_what_came_later(rig: Rig) -> None:
    rig.host.gate.clear()
    await rig.homes((0, ME, 1))
    asks = [rig.ask(text) for text in ("1", "2")]
    await turns()
    await rig.tell(HandOff(1, "t", (0,)))
    asks.append(rig.ask("3"))
    await rig.homes((0, X, 2))
    assert texts(rig.post.take(Request)) == [(X, "1"), (X, "2"), (X, "3")]
    for ask in asks:
        ask.cancel()


async def test_what_others_asked_and_the_shard_did_not_begin_is_sent_on_as_it_came(rig: Rig) -> None:
    """So its answer goes to who asked; by way of this node it would be lost when this node leaves."""
    rig.host.gate.clear()
    await rig.homes((0, ME, 1))
    own = rig.ask("1")
    foreign = request("2", origin=X, ask=7)
    rig.routes.take(foreign)
    await turns()
    await rig.tell(HandOff(1, "t", (0,)))
    await rig.homes((0, Y, 2))
    sent = rig.post.take(Request)
    assert texts(sent) == [(Y, "1"), (Y, "2")]
    assert sent[1][1] == foreign._replace(hops=1, epoch=2)
    assert rig.post.take(Moved) == [(X, Moved(foreign.ask, "t", 0, Y, 2))]
    assert len(rig.asks) == 1
    own.cancel()


async def test_a_shard_that_was_given_up_is_not_taken_again_by_old_news(quick_reminders: None, rig: Rig) -> None:
    await rig.homes((0, ME, 1))
    await answers(rig.ask("1"))
    await rig.tell(HandOff(1, "t", (0,)))
    await eventually(lambda: HandedOff("t", 0, 1) in rig.post.told)
    await rig.homes((0, ME, 1))
    ask = rig.ask("2")
    await eventually(lambda: rig.post.told.count(HandedOff("t", 0, 1)) >= 3, every=0.001, what="it says so again")
    assert not ask.done()
    rig.post.told.clear()
    await rig.tell(HandOff(1, "t", (0,)))
    assert HandedOff("t", 0, 1) in rig.post.told, "a repeated order is answered at once"
    await rig.homes((0, ME, 2))
    assert await answers(ask) == ["2"]
    assert rig.log == ["open 0 1", "k:1", "open 0 2", "k:2"]


async def test_an_order_for_a_shard_that_is_not_here_is_nothing(rig: Rig) -> None:
    await rig.homes((0, X, 1))
    await rig.tell(HandOff(1, "t", (0, 1)))
    assert rig.post.told == [Register(ME, "t")]


async def test_a_shard_that_was_passed_over_stops_at_once_and_callers_here_follow_it(rig: Rig) -> None:
    await rig.homes((0, ME, 1))
    stuck = rig.ask("silent")
    await turns()
    await rig.homes((0, X, 2))
    rig.ask("1").cancel()
    assert texts(rig.post.take(Request)) == [(X, "1")]
    assert "exited" in str((await answers(stuck))[0]) or "let the message go" in str((await answers(stuck))[0])
    assert HandedOff("t", 0, 1) not in rig.post.told


@pytest.mark.parametrize("to", [X, ME])
async def test_a_soft_drain_that_does_not_end_is_ended_when_the_shard_is_given_away(rig: Rig, to: int) -> None:
    await rig.homes((0, ME, 1))
    await answers(rig.ask("1"))
    rig.host.hanging = True
    await rig.tell(HandOff(1, "t", (0,)))
    ask = rig.ask("2")
    await turns()
    assert rig.owned == [(0, 1, True)]
    await rig.homes((0, to, 2))
    if to == ME:
        assert await answers(ask) == ["2"]
    else:
        assert texts(rig.post.take(Request)) == [(X, "2")]
        ask.cancel()
    assert (0, 1, False) in rig.owned


# --- withdrawing


async def test_a_region_that_withdrew_registers_and_refuses_shards_that_were_granted_meanwhile(rig: Rig) -> None:
    await rig.homes((1, ME, 1))
    assert await answers(rig.engine.ask(rig.region, Withdraw())) == [Withdraw()]
    assert rig.post.told == [Register(ME, "t"), Register(ME, "t")]
    await rig.homes((0, ME, 1))
    assert HandedOff("t", 0, 1) in rig.post.told
    assert rig.owned == [(1, 1, True)], "what it has stays until it is ordered to hand it off"
    ask = rig.ask("1")
    await rig.homes((0, X, 2))
    assert texts(rig.post.take(Request)) == [(X, "1")]
    ask.cancel()


async def test_what_was_sent_to_the_owner_before_a_refused_grant_is_not_overtaken(rig: Rig) -> None:
    await rig.tell(Withdraw())
    await rig.homes((0, X, 1))
    rig.ask("1").cancel()
    await rig.homes((0, ME, 2))
    rig.send("2")
    assert texts(rig.post.take(Request)) == [(X, "1")]
    ((to, flush),) = rig.post.take(Flush)
    assert to == X
    await rig.homes((0, Y, 3))
    assert rig.post.take(Request) == []
    await rig.tell(Flushed("t", flush.marker))
    assert texts(rig.post.take(Request)) == [(Y, "2")]


async def test_a_type_that_is_hosted_again_is_opened_by_the_new_host(rig: Rig) -> None:
    await rig.tell(Withdraw())
    rig.post.told.clear()
    host = TextHost()
    await rig.tell(DeployedAgain(host, 3, True))
    assert rig.post.told == [Register(ME, "t")]
    await rig.homes((0, ME, 1))
    assert await answers(rig.ask("1")) == ["1"]
    assert (rig.log, host.log) == ([], ["open 0 1", "k:1"])


# --- another number of shards


async def test_a_type_with_more_shards_than_before(rig: Rig) -> None:
    await rig.tell(Withdraw())
    await rig.homes((0, X, 1), (4, ME, 1))
    await rig.tell(HandOff(1, "t", (4,)))
    assert HandedOff("t", 4, 1) not in rig.post.told, "it knows of no such shard yet"
    await rig.tell(DeployedAgain(rig.host, 5, True))
    asks = [rig.ask("4", shard=4), rig.ask("0")]
    await rig.homes((0, X, 1), (4, ME, 1))
    assert await answers(asks[0]) == ["4"]
    assert texts(rig.post.take(Request)) == [(X, "0")]
    asks[1].cancel()


async def test_a_type_with_fewer_shards_than_before(rig: Rig) -> None:
    await rig.homes((2, ME, 4))
    await answers(rig.ask("1", shard=2))
    await rig.tell(Withdraw())
    await rig.tell(HandOff(1, "t", (2,)))
    await eventually(lambda: HandedOff("t", 2, 4) in rig.post.told)
    rig.routes.take(request("foreign", ask=8, shard=2, epoch=9))
    (refused,) = [rig.ask("2", shard=2)]
    await rig.tell(DeployedAgain(rig.host, 1, True))
    assert "is no more" in str((await answers(refused))[0])
    rig.routes.take(request("foreign", ask=9, shard=2, epoch=9))
    assert [(to, one.ask, one.kind) for to, one in rig.post.take(Failed)] == [(5, 8, UNDELIVERED), (5, 9, UNDELIVERED)]
    await rig.homes((0, ME, 1), (2, ME, 5))
    assert rig.log == ["open 2 4", "k:1"]
    await rig.tell(DeployedAgain(rig.host, 3, True))
    await rig.homes((2, ME, 5))
    assert await answers(rig.ask("2", shard=2)) == ["2"]


# --- fenced


async def test_a_fenced_shard_asks_for_a_newer_epoch_until_it_gets_one(quick_reminders: None, rig: Rig) -> None:
    rig.host.refusing = {1: 7}
    await rig.homes((0, ME, 1))
    ask = rig.ask("1")
    await eventually(lambda: rig.post.told.count(EpochStale("t", 0, 1, 7)) >= 3, every=0.001)
    await rig.homes((0, ME, 8))
    assert await answers(ask) == ["1"]
    told = rig.post.told.count(EpochStale("t", 0, 1, 7))
    await turns()
    assert rig.post.told.count(EpochStale("t", 0, 1, 7)) == told
    assert rig.owned == [(0, 1, True), (0, 1, False), (0, 8, True)]


async def test_a_refusal_that_names_no_epoch_is_told_again_too(quick_reminders: None, rig: Rig) -> None:
    rig.host.refusing = {1: 0}
    await rig.homes((0, ME, 1))
    rig.ask("1").cancel()
    await eventually(lambda: rig.post.told.count(EpochStale("t", 0, 1, 0)) >= 3, every=0.001)


# --- flushing


async def test_no_message_overtakes_one_that_went_to_the_former_owner(rig: Rig) -> None:
    await rig.homes((0, X, 1))
    asks = [rig.ask("1")]
    await rig.homes((0, Y, 2))
    asks.append(rig.ask("2"))
    flush = rig.post.sent[-1]
    assert flush == (X, Flush(ME, flush[1].marker, "t", 0, 2)), "it follows what was sent there"
    assert texts(rig.post.take(Request)) == [(X, "1")]
    await rig.tell(Flushed("t", flush[1].marker + 1))
    assert rig.post.take(Request) == []
    await rig.tell(Flushed("t", flush[1].marker))
    asks.append(rig.ask("3"))
    assert texts(rig.post.take(Request)) == [(Y, "2"), (Y, "3")]
    for ask in asks:
        ask.cancel()


async def test_nothing_is_flushed_where_nothing_was_sent(rig: Rig) -> None:
    await rig.homes((0, X, 1))
    await rig.homes((0, Y, 2))
    rig.ask("1").cancel()
    assert rig.post.take(Flush) == []
    assert texts(rig.post.take(Request)) == [(Y, "1")]


async def test_what_comes_by_way_of_the_former_owner_is_in_front_of_what_waits_here(rig: Rig) -> None:
    await rig.homes((0, X, 1))
    rig.ask("1").cancel()
    await rig.homes((0, ME, 2))
    ask = rig.ask("2")
    ((to, flush),) = rig.post.take(Flush)
    assert to == X
    rig.routes.take(request("1", origin=ME, epoch=2, hops=1))
    rig.routes.take(flush._replace(hops=1))
    assert rig.post.take(Flushed) == [(ME, Flushed("t", flush.marker))]
    await turns()
    assert not ask.done()
    await rig.tell(Flushed("t", flush.marker))
    assert await answers(ask) == ["2"]
    assert rig.log == ["open 0 2", "k:1", "k:2"]


@pytest.mark.parametrize("what", [LOST, GONE])
async def test_a_flush_that_was_sent_on_before_its_connection_ended_is_heard_of(rig: Rig, what: int) -> None:
    await rig.homes((0, X, 1))
    former = rig.ask("1")
    ((_, sent),) = rig.post.take(Request)
    await rig.homes((0, Y, 2))
    ((_, flush),) = rig.post.take(Flush)
    rig.send("2")
    await rig.tell(PeerChanged(Y, what))
    await rig.tell(PeerChanged(X, what))
    assert rig.post.take(Request) == []
    await rig.tell(Flushed("t", flush.marker))
    assert texts(rig.post.take(Request)) == [(Y, "2")]
    rig.asks.answered(sent.ask, b"one")
    assert await answers(former) == ["one"]


@pytest.mark.parametrize("what", [LOST, GONE])
async def test_who_may_be_overtaken_because_a_flush_is_lost_is_told_that_no_answer_comes(
    rig: Rig, what: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regions, "LAST_FLUSH_SECONDS", 0.01)
    await rig.homes((0, X, 1))
    overtaken = rig.ask("1")
    await rig.homes((0, Y, 2))
    rig.send("2")
    rig.post.take(Request)
    await rig.tell(PeerChanged(X, what))
    with pytest.raises(DiedUnanswered, match="t shard 0: what was sent to its former owner may"):
        await overtaken
    assert texts(rig.post.take(Request)) == [(Y, "2")]


@pytest.mark.parametrize("dead", [False, True])
async def test_who_may_be_overtaken_because_nothing_can_be_flushed_is_told_that_no_answer_comes(
    rig: Rig, dead: bool
) -> None:
    await rig.homes((0, X, 1))
    overtaken = rig.ask("1")
    rig.post.take(Request)
    rig.post.unreachable.add(X)
    if dead:
        rig.routes.suspend(X)
        rig.send("2")
        assert not overtaken.done(), "the answer may be on its way"
    await rig.homes((0, Y, 2))
    with pytest.raises(DiedUnanswered, match="t shard 0: what was sent to its former owner may"):
        await overtaken
    if not dead:
        rig.send("2")
    assert texts(rig.post.take(Request)) == [(Y, "2")]


async def test_a_flush_that_is_not_answered_ends_in_time(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regions, "FLUSH_SECONDS", 0.01)
    await rig.homes((0, X, 1))
    rig.ask("1").cancel()
    await rig.homes((0, Y, 2))
    rig.send("2")
    await eventually(lambda: texts(rig.post.take(Request)) == [(Y, "2")], every=0.001)


async def test_who_may_have_been_overtaken_because_a_flush_was_late_is_told_that_no_answer_comes(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regions, "FLUSH_SECONDS", 0.01)
    await rig.homes((0, X, 1), (1, X, 1))
    overtaken, elsewhere = rig.ask("1"), rig.ask("1", shard=1)
    ((_, first), _) = rig.post.take(Request)
    await rig.homes((0, Y, 2))
    later = rig.ask("2")
    with pytest.raises(DiedUnanswered, match="t shard 0: what was sent to its former owner may"):
        await overtaken
    ((to, second),) = rig.post.take(Request)
    assert to == Y
    rig.asks.answered(second.ask, b"two")
    rig.asks.answered(first.ask, b"one, by way of X, behind two")
    assert await answers(later) == ["two"]
    assert not elsewhere.done()
    elsewhere.cancel()


async def test_a_shard_that_moves_on_during_a_flush_is_followed_after_it(rig: Rig) -> None:
    await rig.homes((0, X, 1))
    rig.ask("1").cancel()
    await rig.homes((0, Y, 2))
    rig.send("2")
    await rig.homes((0, Z, 3))
    (_, flush), *_ = rig.post.take(Flush)
    rig.post.take(Request)
    await rig.tell(Flushed("t", flush.marker))
    for _, another in rig.post.take(Flush):
        await rig.tell(Flushed("t", another.marker))
    assert texts(rig.post.take(Request)) == [(Z, "2")]


async def test_a_shard_that_comes_and_goes_during_a_flush(rig: Rig) -> None:
    await rig.homes((0, X, 1))
    rig.ask("1").cancel()
    await rig.homes((0, ME, 2))
    rig.send("2")
    ((_, flush),) = rig.post.take(Flush)
    await rig.tell(HandOff(1, "t", (0,)))
    await eventually(lambda: HandedOff("t", 0, 2) in rig.post.told)
    await rig.homes((0, Y, 3))
    rig.post.take(Request)
    await rig.tell(Flushed("t", flush.marker))
    assert texts(rig.post.take(Request)) == [(Y, "2")]


# --- what other nodes send before we know what they know


async def test_what_is_ahead_of_news_waits_for_them_and_keeps_its_order(rig: Rig) -> None:
    await rig.homes((0, X, 1))
    rig.ask("0").cancel()  # so that the new home is flushed first
    rig.post.take(Request)
    for text in ("1", "2"):
        rig.routes.take(request(text, ask=int(text), epoch=2))
    await turns()
    assert (rig.log, rig.post.sent) == ([], [])
    await rig.homes((0, ME, 2))
    rig.routes.take(request("3", ask=3, epoch=2))
    await turns()
    assert rig.log == ["open 0 2", "k:1", "k:2", "k:3"]
    assert [(to, one.ask) for to, one in rig.post.take(Reply)] == [(5, 1), (5, 2), (5, 3)]


async def test_what_is_ahead_goes_on_when_only_the_epoch_is_newer(rig: Rig) -> None:
    await rig.homes((0, X, 1))
    rig.routes.take(request("1", epoch=2))
    assert rig.post.sent == []
    await rig.homes((0, X, 2))
    assert texts(rig.post.take(Request)) == [(X, "1")]


async def test_what_waited_for_a_flush_and_what_is_ahead_keep_their_order_when_the_shard_comes_here(rig: Rig) -> None:
    await rig.homes((0, X, 1))
    rig.ask("own 1").cancel()
    await rig.homes((0, Y, 2))
    rig.post.take(Request)
    own = rig.ask("own 2")
    rig.routes.take(request("1", epoch=2))  # we are flushing: it waits
    rig.routes.take(request("2", epoch=3))  # ahead
    await rig.homes((0, ME, 3))
    rig.routes.take(request("3", epoch=3))
    await turns()
    assert rig.log == ["open 0 3", "k:1", "k:2", "k:3"]
    assert not own.done()
    ((_, flush), *_) = rig.post.take(Flush)
    await rig.tell(Flushed("t", flush.marker))
    assert await answers(own) == ["own 2"]


async def test_a_superseded_owner_answers_no_flush_before_it_gave_back_what_it_had(rig: Rig) -> None:
    rig.host.gate.clear()
    await rig.homes((0, ME, 1))
    rig.routes.take(request("1", origin=5, epoch=1))
    await turns()
    rig.routes.take(Flush(5, 44, "t", 0, 2))
    assert rig.post.sent == [], "the shard was passed over, which we do not know yet"
    await rig.homes((0, X, 2))
    assert [(to, type(one)) for to, one in rig.post.sent] == [(X, Request), (X, Flush)]


# --- outside


async def test_a_node_that_is_no_member_stops_its_shards_and_obeys_nobody(rig: Rig) -> None:
    await rig.homes((0, ME, 1), (1, X, 1))
    await answers(rig.ask("1"))
    rig.post.me = 0
    rig.routes.forget_homes()
    await rig.tell(Suspended())
    await rig.routes.vacated()
    asks = [rig.ask("2"), rig.ask("3", shard=1)]
    await rig.homes((0, ME, 2), (1, ME, 2))
    await rig.tell(CoordinatorChanged())
    await rig.tell(PeerChanged(X, THERE))
    await rig.tell(PeerChanged(0, THERE))
    assert not any(ask.done() for ask in asks)
    assert rig.owned == [(0, 1, True), (0, 1, False)]
    rig.post.me, rig.post.told = 9, []
    await rig.homes((0, 9, 3))
    assert rig.owned[2:] == [], "not before it is told that it has joined"
    await rig.tell(Joined())
    assert rig.post.told == [Register(9, "t")]
    await rig.homes((0, 9, 3), (1, 9, 1))
    assert await answers(*asks) == ["2", "3"]
    assert sorted(rig.log) == sorted(["open 0 1", "k:1", "open 0 3", "k:2", "open 1 1", "k:3"])


async def test_a_shard_that_ends_outside_is_not_taken_under_an_epoch_that_was_another_s(rig: Rig) -> None:
    await rig.homes((0, ME, 1))
    await answers(rig.ask("1"))
    rig.host.hanging = True
    await rig.tell(HandOff(1, "t", (0,)))
    rig.engine.tell(rig.region, _homes((0, X, 2)))
    rig.post.me = 0
    rig.routes.forget_homes()
    await rig.tell(Suspended())
    await rig.routes.vacated()
    ask = rig.ask("2")
    await turns()
    assert (rig.log, ask.done()) == (["open 0 1", "k:1"], False)
    ask.cancel()


async def test_a_shard_still_stopping_when_the_node_has_joined_anew_is_taken_when_it_has_stopped(rig: Rig) -> None:
    await rig.homes((0, ME, 1))
    await answers(rig.ask("1"))
    for message in (Suspended(), Joined(), _homes((0, ME, 2))):  # the shard has had no turn in between
        rig.engine.tell(rig.region, message)
    ask = rig.ask("2")
    assert await answers(ask) == ["2"]


def _homes(*homes: tuple[int, int, int]) -> Homes:
    return Homes(1, "t", homes)
