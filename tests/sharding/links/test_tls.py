"""TLS between nodes: both sides show certificates, and only those of the right CA, name and time pass."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from collections.abc import Callable
from dataclasses import replace

import pytest
import trustme

from sharding.links import UnsafeSetting
from tests.sharding.links.nodes import SETTINGS, Blob, Node, nodes
from tests.sharding.links.wires import between

LONG_AGO = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
TlsPair = tuple[ssl.SSLContext, ssl.SSLContext]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """The CA of the cluster."""
    return trustme.CA()


@pytest.fixture(scope="module")
def node_certificate(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert("127.0.0.1")


def contexts(authority: trustme.CA, certificate: trustme.LeafCert | None) -> TlsPair:
    """A node's context for accepting and its context for dialling."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.verify_mode = ssl.CERT_REQUIRED
    for context in (server, client):
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        authority.configure_trust(context)
        if certificate is not None:
            certificate.configure_cert(context)
    return server, client


async def link_between(a_tls: TlsPair, b_tls: TlsPair) -> tuple[Node, Node]:
    """A with its contexts dials B with its own, until that is lost or a message has arrived; then both are closed."""
    settings = (
        replace(SETTINGS, secret=None, server_tls=server, client_tls=client) for server, client in (a_tls, b_tls)
    )
    async with nodes(*settings) as (a, b):
        link = a.links.to(b.peer)
        link.send(Blob(b"x" * 300_000))
        await a.heard.until_any("opened", "lost")
        if a.heard.of("opened"):
            await b.heard.until(messages=1)
    return a, b


async def test_nodes_with_certificates_of_the_ca_talk_and_nothing_is_readable_between_them(
    authority: trustme.CA, node_certificate: trustme.LeafCert
) -> None:
    server, client = contexts(authority, node_certificate)
    chosen = replace(SETTINGS, server_tls=server, client_tls=client)
    async with nodes(chosen, chosen) as (a, b), between(b) as (middle, port):
        link = a.links.to(b.peer._replace(port=port))
        for _ in range(5):
            link.send(Blob(b"plain to see" * 50_000))
        await b.heard.until(messages=5)
        assert b.heard.messages[-1] == (1, Blob(b"plain to see" * 50_000))
    for seen in middle.seen.values():
        assert b"plain to see" not in b"".join(seen)
        assert b"tickets" not in b"".join(seen)


async def test_certificates_replace_a_secret_on_other_addresses(
    authority: trustme.CA, node_certificate: trustme.LeafCert
) -> None:
    server, client = contexts(authority, node_certificate)
    async with nodes(replace(SETTINGS, secret=None, server_tls=server, client_tls=client)) as (a,):
        host, _ = await a.links.listen("0.0.0.0")
        assert host == "0.0.0.0"


async def test_connections_that_never_begin_tls_are_bounded_and_keep_nobody_out(
    authority: trustme.CA,
    node_certificate: trustme.LeafCert,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("sharding.links.network.half_of_the_descriptors", lambda: 8)
    server, client = contexts(authority, node_certificate)
    chosen = replace(SETTINGS, server_tls=server, client_tls=client)
    async with nodes(chosen, chosen) as (a, b):
        silent = [await asyncio.open_connection(b.peer.host, b.peer.port) for _ in range(7)]
        try:
            async with asyncio.timeout(2):  # less than a handshake may take
                for reader, _ in silent[:3]:
                    assert await reader.read() == b""
            assert "4 connections wait for TLS" in caplog.text
            a.links.to(b.peer).send(Blob(b"let in"))
            await b.heard.until(messages=1)
            assert not any(reader.at_eof() for reader, _ in silent[4:])
        finally:
            for _, writer in silent:
                writer.close()


Wrong = Callable[[trustme.CA], trustme.LeafCert | None]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda authority: None,
        lambda authority: trustme.CA().issue_cert("127.0.0.1"),
        lambda authority: authority.issue_cert("127.0.0.1", not_before=LONG_AGO, not_after=LONG_AGO.replace(year=2002)),
    ],
    ids=["none", "wrong CA", "expired"],
)
async def test_a_dialler_without_a_good_certificate_is_not_let_in(
    authority: trustme.CA, node_certificate: trustme.LeafCert, wrong: Wrong
) -> None:
    a, b = await link_between(contexts(authority, wrong(authority)), contexts(authority, node_certificate))
    assert a.heard.of("opened") == b.heard.messages == a.heard.of("dead") == []


@pytest.mark.parametrize(
    "wrong",
    [
        lambda authority: trustme.CA().issue_cert("127.0.0.1"),
        lambda authority: authority.issue_cert("127.0.0.1", not_before=LONG_AGO, not_after=LONG_AGO.replace(year=2002)),
        lambda authority: authority.issue_cert("other.example"),
    ],
    ids=["wrong CA", "expired", "wrong name"],
)
async def test_an_acceptor_without_a_good_certificate_is_told_nothing(
    authority: trustme.CA, node_certificate: trustme.LeafCert, wrong: Wrong
) -> None:
    a, b = await link_between(contexts(authority, node_certificate), contexts(authority, wrong(authority)))
    assert a.heard.of("opened") == b.heard.messages == a.heard.of("dead") == []
    assert b.links.traffic.bytes_in == 0


async def test_a_plain_dialler_at_a_tls_address_and_the_reverse_get_nowhere(
    authority: trustme.CA, node_certificate: trustme.LeafCert, caplog: pytest.LogCaptureFixture
) -> None:
    server, client = contexts(authority, node_certificate)
    async with nodes(SETTINGS, replace(SETTINGS, server_tls=server, client_tls=client)) as (plain, tls):
        plain.links.to(tls.peer)
        tls.links.to(plain.peer)
        await plain.heard.until(lost=2)
        await tls.heard.until(lost=2)
        assert plain.heard.of("opened") == tls.heard.of("opened") == []
    for one in (plain, tls):
        assert f"no link to {one.name} at {one.peer.host}:{one.peer.port}: " in caplog.text
    assert "whether both sides use TLS" in caplog.text


async def test_a_certificate_of_another_ca_is_said(authority: trustme.CA, caplog: pytest.LogCaptureFixture) -> None:
    pairs = [contexts(ca, ca.issue_cert("127.0.0.1")) for ca in (authority, trustme.CA())]
    settings = (replace(SETTINGS, server_tls=server, client_tls=client) for server, client in pairs)
    async with nodes(*settings) as (a, b):
        a.links.to(b.peer)
        await a.heard.until(lost=5)
    (line,) = caplog.messages
    assert line.startswith(f"no link to b at 127.0.0.1:{b.peer.port}: ")
    assert "CERTIFICATE_VERIFY_FAILED" in line


def loosened(what: str) -> Callable[[TlsPair], TlsPair | tuple[ssl.SSLContext | None, ssl.SSLContext | None]]:
    def loosen(pair: TlsPair) -> TlsPair | tuple[ssl.SSLContext | None, ssl.SSLContext | None]:
        server, client = pair
        if what == "server takes all":
            server.verify_mode = ssl.CERT_NONE
        elif what == "server takes none":
            server.verify_mode = ssl.CERT_OPTIONAL
        elif what == "client takes all":
            client.check_hostname = False
            client.verify_mode = ssl.CERT_NONE
        elif what == "client takes any name":
            client.check_hostname = False
        elif what == "only client":
            return None, client
        elif what == "only server":
            return server, None
        return pair

    return loosen


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("server takes all", r"server_tls: set verify_mode = ssl\.CERT_REQUIRED"),
        ("server takes none", r"server_tls: set verify_mode = ssl\.CERT_REQUIRED"),
        ("client takes all", r"client_tls: set verify_mode = ssl\.CERT_REQUIRED"),
        ("client takes any name", "client_tls: set check_hostname"),
        ("only client", "server_tls: TLS needs"),
        ("only server", "client_tls: TLS needs"),
    ],
)
def test_contexts_that_check_too_little_are_refused_with_what_to_set(
    authority: trustme.CA, node_certificate: trustme.LeafCert, what: str, why: str
) -> None:
    server, client = loosened(what)(contexts(authority, node_certificate))
    with pytest.raises(UnsafeSetting, match=why):
        replace(SETTINGS, server_tls=server, client_tls=client)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.MINIMUM_SUPPORTED])
@pytest.mark.parametrize("side", [0, 1])
def test_contexts_that_allow_old_versions_are_refused(
    authority: trustme.CA, node_certificate: trustme.LeafCert, version: ssl.TLSVersion, side: int
) -> None:
    pair = contexts(authority, node_certificate)
    pair[side].minimum_version = version
    with pytest.raises(UnsafeSetting, match=r"^(server|client)_tls: set minimum_version = ssl\.TLSVersion\.TLSv1_2"):
        replace(SETTINGS, server_tls=pair[0], client_tls=pair[1])
