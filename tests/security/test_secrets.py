"""S3, S10: what proves the secret, and where the secret never stands."""

from __future__ import annotations

import ast
import hmac
import inspect
import logging
import socket
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from aecorpy import ClusterNode
from sharding.links import handshake
from sharding.links.handshake import AcceptorHandshake, DiallerHandshake, Identity, Keys, Refusal, Refused
from sharding.settings import ClusterSettings
from tests.sharding.links.nodes import SECRET, SETTINGS, nodes
from tests.waiting import eventually

KEYS = Keys("tickets", SECRET)
A, B = Identity("a", 1), Identity("b", 2)


def shaken(dialler_nonce: bytes, acceptor_nonce: bytes) -> tuple[bytes, bytes]:
    """The proofs of acceptor and dialler."""
    dialling = DiallerHandshake(KEYS, A, B, dialler_nonce)
    _, challenge = AcceptorHandshake(KEYS, B, acceptor_nonce).challenge(dialling.hello)
    return challenge[33:], dialling.prove(challenge)[1:]


def test_s03_both_nonces_are_in_both_proofs() -> None:
    proofs = [shaken(d * 32, a * 32) for d, a in ((b"d", b"a"), (b"e", b"a"), (b"d", b"b"))]
    assert len({acceptors for acceptors, _ in proofs}) == 3
    assert len({diallers for _, diallers in proofs}) == 3
    assert not {acceptors for acceptors, _ in proofs} & {diallers for _, diallers in proofs}


def noted(drawn: list[bytes], draw: Callable[[], bytes]) -> Callable[[], bytes]:
    """Draws, and writes down what was drawn."""

    def draw_and_note() -> bytes:
        drawn.append(draw())
        return drawn[-1]

    return draw_and_note


async def test_s03_nonces_are_fresh_for_each_connection() -> None:
    drawn: list[bytes] = []
    async with nodes(SETTINGS, SETTINGS) as (a, b):
        for node in (a, b):
            node.links._office.nonce = noted(drawn, node.links._office.nonce)
        for _ in range(3):
            before = len(a.heard.of("opened"))
            a.links.to(b.peer)
            await a.heard.until(opened=before + 1)
            a.links.drop(2)
    assert len(drawn) == len(set(drawn)) >= 6


def test_s03_proofs_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []
    real = hmac.compare_digest

    def spy(one: bytes, other: bytes) -> bool:
        compared.append(bytes(one))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", spy)
    dialling, accepting = DiallerHandshake(KEYS, A, B, b"d" * 32), AcceptorHandshake(KEYS, B, b"a" * 32)
    _, challenge = accepting.challenge(dialling.hello)
    proof = dialling.prove(challenge)
    accepting.check(proof)
    refusal = KEYS.refusal(Refusal.GONE, dialling.hello)
    with pytest.raises(Refused):
        dialling.prove(refusal)
    assert {challenge[33:], proof[1:], refusal[2:]} <= set(compared)


def test_s03_no_proof_is_compared_in_another_way() -> None:
    tree = ast.parse(inspect.getsource(handshake))
    for comparison in (node for node in ast.walk(tree) if isinstance(node, ast.Compare)):
        names = {node.attr for node in ast.walk(comparison) if isinstance(node, ast.Attribute)}
        names |= {node.id for node in ast.walk(comparison) if isinstance(node, ast.Name)}
        assert not names & {"proof", "digest", "_key", "secret"}, ast.unparse(comparison)


def test_s03_the_secret_is_in_no_repr() -> None:
    for shown in (repr(SETTINGS), repr(KEYS), repr(vars(DiallerHandshake(KEYS, A, B, bytes(32)))), repr(Refused)):
        assert SECRET.decode() not in shown
    node = ClusterNode("tickets", secret=SECRET, cluster=ClusterSettings())
    assert SECRET.decode() not in repr(node)


async def test_s03_s10_the_secret_is_in_no_error_traceback_log_or_status_of_a_node(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = f"sqlite:///{tmp_path}/tickets.db"
    shown = []
    with socket.create_server(("127.0.0.1", 0)) as holder:
        node = ClusterNode("tickets", journal=url, bind=holder.getsockname()[:2], secret=SECRET)
        with pytest.raises(OSError, match="address") as taken:
            await node.start()
        shown += traceback.format_exception(taken.value)
    async with ClusterNode("tickets", journal=url, node="a", secret=SECRET) as one:
        shown += [repr(one), repr(one.cluster), repr(one.cluster.members)]
        await eventually(lambda: one.cluster.me in one.cluster.members)
        here = one.cluster.members[one.cluster.me]
        async with nodes(replace(SETTINGS, secret=SECRET[::-1])) as (stranger,):
            stranger.links.to(stranger.peer._replace(node="a", incarnation=here.incarnation, port=here.port))
            await stranger.heard.until(lost=1)
    text = "".join(shown) + caplog.text
    assert len(text) > 200
    for part in (SECRET.decode(), SECRET[::-1].decode(), SECRET.hex(), SECRET.decode()[:16]):
        assert part not in text
