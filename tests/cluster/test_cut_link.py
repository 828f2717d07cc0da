"""The network between two machines goes away and comes back, while both reach the store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.conftest import NewFleet, check_sound
from tests.cluster.machines import Machines, NotAllowed, made_machines
from tests.waiting import eventually

SECRET = "nobody outside knows this"
NOTICED = 4.0 + 1.0 + 1.0  # seconds of silence of a link, out of reach, passed over


@pytest.fixture
def machines() -> Iterator[Machines]:
    try:
        with made_machines() as machines:
            yield machines
    except NotAllowed as reason:
        pytest.skip(str(reason))


async def test_the_coordinators_side_serves_all_while_the_link_is_cut_and_the_other_is_fenced(
    new_fleet: NewFleet, machines: Machines
) -> None:
    cluster = new_fleet(secret=SECRET, lease=5.0, settings={"unreachable": 1.0, "hand_off": 1.0})
    left, right = machines.addresses
    await cluster.start("a", "b", host=left, prefix=machines.inside(0))
    await cluster.start("c", host=right, prefix=machines.inside(1))
    await cluster.balanced()
    assert set(await cluster.write_to_all("c")) == {"answered"}
    assert await cluster.coordinator() in {"a", "b"}
    elsewhere = cluster.owned()["c"]
    machines.link.cut()
    await cluster.served("a", within=NOTICED + 4.0)
    assert "answered" not in await cluster.write_to_all("c", elsewhere, within=1.0)  # the journal knows who owns them
    machines.link.mend()
    await cluster.served("c", within=10)
    await eventually(lambda: cluster.is_balanced(), within=10)
    await check_sound(cluster, by="a")
