"""What a node cannot be given is said before anybody hears of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aecorpy import ClusterNode, UnsafeSetting
from sharding.store import open_cluster_store

SECRET = b"nobody outside may ever know this"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"node": "n" * 256}, "a name of at most 255 bytes"),
        ({"node": "a\nb"}, "use characters that can be shown"),
        ({"weight": -1.0}, "a weight of -1.0"),
        ({"roles": "web"}, r"use a tuple, such as \('web',\)"),
        ({"bind": ("127.0.0.1", 65536)}, "port 65536"),
        ({"advertise": ("127.0.0.1", -1)}, "port -1"),
        ({"secret": "0123456789abcdef"}, "secret: it must be bytes, not str"),
        ({"secret": b"short"}, "secret: it must have 16 bytes"),
        ({"lease_seconds": 0.0}, "times must be above 0"),
    ],
)
def test_what_cannot_be_used_is_refused_where_the_node_is_made(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        ClusterNode("tickets", **options)


@pytest.mark.parametrize(
    "where",
    [{"bind": ("0.0.0.0", 0)}, {"bind": ("", 0)}, {"bind": ("127.0.0.1", 0), "advertise": ("::ffff:0.0.0.0", 7400)}],
)
async def test_a_node_that_others_would_look_for_on_their_own_machines_does_not_join(
    tmp_path: Path, where: dict[str, Any]
) -> None:
    url = f"sqlite:///{tmp_path}/tickets.db"
    node = ClusterNode("tickets", journal=url, secret=SECRET, **where)
    with pytest.raises(UnsafeSetting, match=r"^advertise: .*give advertise=\(HOST, PORT\)"):
        await node.start()
    store = await open_cluster_store(url, "tickets")
    assert (await store.picture()).members == ()
    await store.close()
