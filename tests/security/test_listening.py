"""S1, S2, S10: where a node listens."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aecorpy import ClusterNode
from aecorpy.errors import UnsafeSetting
from sharding.links.settings import is_loopback
from tests.aecorpy.samples import Counter
from tests.security.sockets import Listening, linux_only, listening

SECRET = b"nobody outside may ever know this"
NewNode = Callable[..., ClusterNode]


@pytest.fixture
def new_node(tmp_path: Path) -> NewNode:
    """Makes nodes on one SQLite file."""

    def new(**options: Any) -> ClusterNode:
        return ClusterNode(
            "tickets", **{"journal": f"sqlite:///{tmp_path}/tickets.db", "entities": [Counter], **options}
        )

    return new


@linux_only
def test_s01_the_kernels_list_shows_what_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("127.0.0.1", 0))
        shown = listening()
        assert Listening("tcp", *server.getsockname()) in shown
        assert Listening("udp", *datagrams.getsockname()) in shown
    assert Listening("tcp", *server_name(shown)) not in listening()


def server_name(shown: set[Listening]) -> tuple[str, int]:
    """Host and port of one that was shown."""
    return next((one.host, one.port) for one in shown if one.kind == "tcp")


@linux_only
async def test_s01_s10_a_node_listens_at_one_address_which_is_loopback_and_no_other_port_is_open(
    new_node: NewNode,
) -> None:
    before = listening()
    async with new_node() as node:
        assert await node.refs(Counter)("a").add(1) == 1
        [opened] = listening() - before
        assert opened.kind == "tcp"
        assert opened.host == "127.0.0.1"
        assert is_loopback(opened.host)
        assert opened.port > 0
    assert listening() <= before


@linux_only
async def test_s01_s10_a_node_in_memory_listens_nowhere() -> None:
    before = listening()
    async with ClusterNode("tickets", entities=[Counter]):
        assert listening() <= before


@linux_only
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "example.org", "::ffff:0.0.0.0"])
@pytest.mark.parametrize("advertise", [None, ("127.0.0.1", 0)])
async def test_s02_a_node_at_another_address_without_a_secret_does_not_start_and_opens_nothing(
    new_node: NewNode, host: str, advertise: tuple[str, int] | None
) -> None:
    before = listening()
    node = new_node(bind=(host, 0), advertise=advertise)
    with pytest.raises(UnsafeSetting, match=r"^secret: .*needs a secret") as refused:
        await node.start()
    assert refused.value.setting == "secret"
    assert "server_tls" in str(refused.value)
    assert listening() <= before


@linux_only
async def test_s02_s10_with_a_secret_the_address_that_was_asked_for_is_the_only_one(new_node: NewNode) -> None:
    before = listening()
    async with new_node(bind=("0.0.0.0", 0), advertise=("127.0.0.1", 0), secret=SECRET):
        [opened] = listening() - before
        assert (opened.kind, opened.host) == ("tcp", "0.0.0.0")
