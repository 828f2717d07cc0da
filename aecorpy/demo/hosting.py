"""The node that the demo's processes run: `aecorpy node aecorpy.demo.hosting:node`."""

from __future__ import annotations

import os

from aecorpy import ClusterNode
from aecorpy.demo.booking import Booking, BookingsByClient
from aecorpy.demo.tickets import CLUSTER, VIEW

STORE = "AECORPY_DEMO_STORE"  # a variable and not an argument: others on the machine see arguments, passwords included


def node(name: str) -> ClusterNode:
    """A node of the demo's cluster that hosts bookings.

    Raises:
        KeyError: the variable `AECORPY_DEMO_STORE` does not say where.
    """
    return ClusterNode(
        CLUSTER,
        journal=os.environ[STORE],
        node=name,
        entities=[Booking],
        on_start=_distribute,
        lease_seconds=3.0,
    )


async def _distribute(node: ClusterNode) -> None:
    await node.distribute(VIEW, BookingsByClient())
