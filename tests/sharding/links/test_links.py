"""What goes over links: order, serials, reconnecting, who is dead, introductions, closing."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import replace

import pytest

from sharding.links import LinkDown, LinkFull, Links, MessageTooLarge, Peer
from tests.sharding.links.nodes import SETTINGS, Blob, Node, Said, nodes, two_nodes
from tests.waiting import eventually


async def test_messages_arrive_in_order_both_ways_with_serials_from_one() -> None:
    async with two_nodes() as (a, b):
        to_b, to_a = a.links.to(b.peer), b.links.to(a.peer)
        assert [to_b.send(Said(number)) for number in range(1000)] == list(range(1, 1001))
        to_a.send(Said(7, "hello"))
        await b.heard.until(messages=1000)
        await a.heard.until(messages=1)
        assert b.heard.messages == [(1, Said(number)) for number in range(1000)]
        assert a.heard.messages == [(2, Said(7, "hello"))]
        assert to_b.is_open
        assert a.heard.told == [("opened", to_b)]


async def test_one_at_a_time_and_many_at_once_keep_their_order() -> None:
    async with two_nodes() as (a, b):
        link = a.links.to(b.peer)
        sent = 0
        for burst in (1, 1, 3, 500, 1, 2):
            for _ in range(burst):
                sent = link.send(Said(sent + 1))
            await asyncio.sleep(0)
        await b.heard.until(messages=sent)
        assert [message.number for _, message in b.heard.messages] == list(range(1, sent + 1))


async def test_large_messages_pass_in_order_with_small_ones() -> None:
    async with two_nodes(max_queued_bytes=64 << 20) as (a, b):
        link = a.links.to(b.peer)
        sizes = [10, 900_000, 1, 300_000, 5] * 5
        for size in sizes:
            link.send(Blob(bytes(size)))
        await b.heard.until(messages=len(sizes))
        assert [len(message.data) for _, message in b.heard.messages] == sizes


async def test_a_peer_has_one_link_as_long_as_it_is_the_same() -> None:
    async with two_nodes() as (a, b):
        link = a.links.to(b.peer)
        assert a.links.to(Peer(*b.peer)) is link
        assert a.links.to(b.peer._replace(port=1)) is not link
        with pytest.raises(LinkDown):
            link.send(Said(1))


async def test_nobody_listens_is_lost_then_dead_at_once() -> None:
    async with two_nodes() as (a, b):
        await b.links.close()
        began = asyncio.get_running_loop().time()
        link = a.links.to(b.peer)
        assert link.send(Said(1)) == 1
        await a.heard.until(dead=1)
        assert asyncio.get_running_loop().time() - began < 1
        assert a.heard.told[:3] == [
            ("lost", link, 1),
            ("unsent", link, Said(1)),
            ("dead", link, "nobody listens there"),
        ]
        with pytest.raises(LinkDown, match="b at 127"):
            link.send(Said(2))


async def test_a_killed_peer_is_lost_and_dead_within_the_next_dial() -> None:
    async with two_nodes(first_pause=30, longest_pause=30) as (a, b):
        link = a.links.to(b.peer)
        await a.heard.until(opened=1)
        await b.links.close()
        await a.heard.until(lost=2, dead=1)  # the loss, then the refused redial, without a pause between them
        assert [word for word, *_ in a.heard.told] == ["opened", "lost", "lost", "dead"]
        assert not link.is_open


async def test_another_incarnation_at_the_address_is_dead() -> None:
    async with two_nodes() as (a, b):
        link = a.links.to(b.peer._replace(incarnation=1))
        await a.heard.until(dead=1)
        assert a.heard.told[:2] == [
            ("lost", link, 1),
            ("dead", link, "another incarnation than the wanted one is at this address"),
        ]
        assert b.heard.messages == []


async def test_serials_go_on_after_a_loss_and_what_never_left_is_told() -> None:
    async with two_nodes() as (a, b):
        link = a.links.to(b.peer)
        await a.heard.until(opened=1)
        link.send(Said(1))
        await b.heard.until(messages=1)
        await b.links.close()
        await a.heard.until(lost=1)
        assert a.heard.of("lost")[0] == (link, 2)
        again = await Node("b", 2).start(b.peer.port)
        try:
            await a.heard.until(opened=2)
            assert link.send(Said(2)) == 2
            await again.heard.until(messages=1)
            assert again.heard.messages == [(1, Said(2))]
        finally:
            await again.links.close()


async def test_what_was_sent_while_dialling_is_told_as_unsent_when_there_is_no_connection() -> None:
    async with two_nodes() as (a, b):
        await b.links.close()
        link = a.links.to(b.peer)
        assert [link.send(Said(number)) for number in range(3)] == [1, 2, 3]
        await a.heard.until(lost=1)
        assert a.heard.told[0] == ("lost", link, 1)
        again = await Node("b", 2).start(b.peer.port)
        try:
            await a.heard.until(opened=1)
            assert link.send(Said(9)) == 4
            await again.heard.until(messages=1)
            assert again.heard.messages == [(1, Said(9))]
        finally:
            await again.links.close()


async def test_before_the_introduction_links_wait_and_nobody_is_let_in() -> None:
    async with nodes(SETTINGS) as (a,):
        b = await Node("b", 2).start(introduce=False)
        try:
            to_a, to_b = b.links.to(a.peer), a.links.to(b.peer)
            to_a.send(Said(1))
            await a.heard.until(lost=1)
            assert a.heard.of("dead") == []
            assert not to_b.is_open
            b.links.introduce("b", 2)
            await a.heard.until(messages=1, opened=1)
            assert a.heard.messages == [(2, Said(1))]
        finally:
            await b.links.close()


async def test_a_new_incarnation_of_ours_ends_the_connections_of_the_earlier_one() -> None:
    async with two_nodes() as (a, b):
        to_b, to_a = a.links.to(b.peer), b.links.to(a.peer)
        await a.heard.until(opened=1)
        await b.heard.until(opened=1)
        a.links.introduce("a", 5)
        await b.heard.until(lost=1, dead=1)
        await a.heard.until(lost=1, opened=2)
        to_b.send(Said(1))
        await b.heard.until(messages=1)
        assert b.heard.messages == [(5, Said(1))]
        assert not to_a.is_open


async def test_a_dropped_member_is_closed_both_ways_and_not_let_in_again() -> None:
    async with two_nodes() as (a, b):
        to_b, to_a = a.links.to(b.peer), b.links.to(a.peer)
        await a.heard.until(opened=1)
        await b.heard.until(opened=1)
        to_b.send(Said(1))
        to_b.send(Said(2))
        a.links.drop(2)
        # the second one was gathered, not yet written
        assert a.heard.told[-2:] == [("lost", to_b, 2), ("unsent", to_b, Said(2))]
        with pytest.raises(LinkDown, match="closed"):
            to_b.send(Said(3))
        await b.heard.until(lost=2)
        await eventually(lambda: a.links.status().traffic.refused_in, what="the dropped member's refusal")
        assert not to_a.is_open
        assert a.links.status().links == []
        assert b.heard.of("dead") == []
        a.links.to(b.peer)  # it was there after all
        await b.heard.until(opened=2)


async def test_a_message_over_the_limit_or_that_cannot_be_packed_is_refused_and_harmless() -> None:
    async with two_nodes(max_frame=1000) as (a, b):
        link = a.links.to(b.peer)
        for wrong in (Blob(bytes(1001)), Blob(bytes(996)), Said(1 << 70), Said(1, "\ud800"), "text", Blob("text")):  # type: ignore[arg-type]
            with pytest.raises(MessageTooLarge):
                link.send(wrong)
        assert link.send(Blob(bytes(995))) == 1
        await b.heard.until(messages=1)


async def test_a_link_that_is_full_says_so_and_takes_more_later() -> None:
    async with two_nodes(max_frame=1000, max_queued_bytes=5000) as (a, b):
        link = a.links.to(b.peer)
        for _ in range(5):
            link.send(Blob(bytes(990)))
        with pytest.raises(LinkFull, match="wait for b"):
            link.send(Blob(bytes(990)))
        await b.heard.until(messages=5)
        await eventually(lambda: a.links.status().links[0].waiting_bytes == 0)
        assert link.send(Blob(b"")) == 6


async def test_close_lets_what_was_sent_leave_first() -> None:
    async with two_nodes(max_queued_bytes=64 << 20) as (a, b):
        link = a.links.to(b.peer)
        await a.heard.until(opened=1)
        for _ in range(40):
            link.send(Blob(bytes(500_000)))
        await a.links.close()
        await b.heard.until(messages=40)
        assert a.heard.told[-1] == ("lost", link, 41)
        with pytest.raises(LinkDown):
            a.links.to(b.peer)


async def test_nothing_is_left_after_close() -> None:
    loop = asyncio.get_running_loop()
    before = asyncio.all_tasks()
    async with two_nodes() as (a, b):
        a.links.to(b.peer), b.links.to(a.peer)
        a.links.to(Peer("nobody", 9, "127.0.0.1", 1))
        _, half_open = await asyncio.open_connection(*b.peer[2:])
        await a.heard.until(opened=1)
        await b.heard.until(opened=1)
    half_open.close()
    assert asyncio.all_tasks() == before
    assert [handle for handle in loop._scheduled if not handle.cancelled()] == []  # type: ignore[attr-defined]
    await asyncio.sleep(0)
    gc.collect()  # an open socket would warn here, and a warning is an error


async def test_a_silent_peer_is_lost_though_its_connection_stands() -> None:
    async with nodes(SETTINGS, replace(SETTINGS, silence_seconds=30)) as (a, b):
        a.links.to(b.peer)
        await eventually(lambda: b.links.status().incoming)
        for connection in b.links._incoming.values():
            connection._transport.pause_reading()  # type: ignore[union-attr]
        await a.heard.until(lost=1)
        assert a.links.traffic.silent == 1


async def test_a_quiet_link_stays_open() -> None:
    async with two_nodes() as (a, b):
        link = a.links.to(b.peer)
        await a.heard.until(opened=1)
        await asyncio.sleep(3 * SETTINGS.silence_seconds)
        assert a.heard.told == [("opened", link)]
        assert b.links.status().incoming == [1]


async def test_a_listening_address_is_loopback_unless_another_is_asked_for() -> None:
    async with nodes(replace(SETTINGS, secret=None)) as (a,):
        host, port = await a.links.listen()
        assert host == "127.0.0.1"
        assert port > 0
        for open_host in ("0.0.0.0", "::", "", "192.0.2.1", "example.org"):
            with pytest.raises(ValueError, match=r"secret: .*needs a secret"):
                await a.links.listen(open_host)


async def test_with_a_secret_any_address_may_be_listened_at() -> None:
    async with two_nodes() as (a, b):
        _, port = await a.links.listen("0.0.0.0")
        link = b.links.to(a.peer._replace(port=port))
        await b.heard.until(opened=1)
        assert link.is_open


async def test_links_without_a_secret_work_on_loopback() -> None:
    async with two_nodes(secret=None) as (a, b):
        a.links.to(b.peer).send(Said(1))
        await b.heard.until(messages=1)


async def test_names_that_do_not_fit_are_refused() -> None:
    async with nodes(SETTINGS) as (a,):
        links: Links = a.links
        with pytest.raises(ValueError, match="255 bytes"):
            links.introduce("x" * 256, 1)
        with pytest.raises(ValueError, match="incarnation"):
            links.to(Peer("b", -1, "127.0.0.1", 1))


async def test_an_address_that_can_be_none_is_lost_like_one_that_is_not_reached() -> None:
    async with nodes(SETTINGS) as (a,):
        for incarnation, (host, port) in enumerate([("127.0.0.1", 70_000), ("a" * 80, 1), ("\0", 1), ("a..b", 1)], 2):
            link = a.links.to(Peer("b", incarnation, host, port))
            await a.heard.until(lost=1)
            assert a.heard.of("lost")[0] == (link, 1)
            assert a.heard.of("dead") == []
            a.links.drop(incarnation)
            a.heard.told.clear()
