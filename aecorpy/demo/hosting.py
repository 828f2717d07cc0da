"""The node that the demo's processes run: `aecorpy node aecorpy.demo.hosting:node`."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

from aecorpy import ClusterNode
from aecorpy.demo.booking import Booking
from aecorpy.demo.concert import Concert
from aecorpy.demo.processes import run_processes
from aecorpy.demo.tickets import CLUSTER

STORE = "AECORPY_DEMO_STORE"  # a variable and not an argument: others on the machine see arguments, passwords included
PAYMENTS_FILE = "AECORPY_DEMO_PAYMENTS"


def node(name: str) -> ClusterNode:
    """A node of the demo's cluster that hosts bookings and concerts, the view, and what goes on by itself.

    Raises:
        KeyError: the variables `AECORPY_DEMO_STORE` and `AECORPY_DEMO_PAYMENTS` do not say where all that is.
    """
    path = Path(os.environ[PAYMENTS_FILE])

    async def on_start(node: ClusterNode) -> None:
        await run_processes(node, path, Random().random)

    return ClusterNode(
        CLUSTER,
        journal=os.environ[STORE],
        node=name,
        entities=[Booking, Concert],
        on_start=on_start,
        lease_seconds=3.0,
    )
