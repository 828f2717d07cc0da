"""Nodes that talk over TLS are a cluster like any other; one without certificates is a member to whom nobody talks."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import trustme

from aecorpy import ClusterNode
from tests.aecorpy.samples import Counter
from tests.waiting import eventually


def _contexts(authority: trustme.CA) -> dict[str, ssl.SSLContext]:
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.verify_mode = ssl.CERT_REQUIRED
    certificate = authority.issue_cert("127.0.0.1")
    for context in (server, client):
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        authority.configure_trust(context)
        certificate.configure_cert(context)
    return {"server_tls": server, "client_tls": client}


def _owned(node: ClusterNode) -> int:
    (deployed,) = node.cluster._deployed
    return deployed.routes.occupied


async def test_nodes_with_certificates_share_shards_and_one_without_gets_none(tmp_path: Path) -> None:
    authority = trustme.CA()

    def new(name: str, **options: Any) -> ClusterNode:
        return ClusterNode("tls", journal=f"sqlite:///{tmp_path}/tls.db", node=name, entities=[Counter], **options)

    async with new("a", **_contexts(authority)) as a, new("b", **_contexts(authority)) as b:
        await eventually(lambda: _owned(a) and _owned(b))
        counters = b.refs(Counter)
        for number in range(20):
            assert await counters(f"k{number}").add(1) == 1
        async with new("plain") as plain:
            assert plain.cluster.me
            for number in range(20):
                assert await counters(f"k{number}").add(1) == 2
            assert _owned(plain) == 0
            assert plain.cluster._links is not None
            assert plain.cluster._links.traffic.opened == 0
