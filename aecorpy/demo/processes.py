"""What goes on by itself in the demo's cluster: the view, confirmation, payments and expiry, each once in all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from aecorpy import ClusterNode, Retry
from aecorpy.demo.booking import Booking, BookingsByClient
from aecorpy.demo.confirmation import Confirmation
from aecorpy.demo.expiry import EXPIRY, expiry
from aecorpy.demo.payments import PAYMENTS, payments
from aecorpy.processing.worker import Patience
from aecorpy.projection.handle import DistributedProjection

VIEW = "BookingsByClient"
CONFIRMATION = "Confirmation"
PATIENCE = Patience(pauses=Retry(0.2, 2.0))


class Followed(NamedTuple):
    """What follows the bookings' events."""

    view: DistributedProjection
    confirmation: DistributedProjection


async def follow(node: ClusterNode, hosts: bool = True) -> Followed:
    """Let a node run the view and the confirmation, or only see how far they are.

    Args:
        node: on which `Booking` and `Concert` are deployed.
        hosts: whether they may run there.
    """
    view = await node.distribute(VIEW, BookingsByClient(), patience=PATIENCE, hosts=hosts)
    return Followed(view, await node.distribute(CONFIRMATION, Confirmation(), patience=PATIENCE, hosts=hosts))


async def run_processes(node: ClusterNode, path: Path, draw: Callable[[], float]) -> Followed:
    """Let a node run all four.

    Payments and expiry need no patience when a node dies: what they send has its effect once, however often it comes.

    Args:
        node: on which `Booking` and `Concert` are deployed.
        path: the payments' file.
        draw: random numbers in [0, 1), which spread pauses.
    """
    bookings = node.refs(Booking)
    followed = await follow(node)
    await node.processing.start(PAYMENTS, [payments(bookings, path, draw)], patient=False, patience=PATIENCE)
    await node.processing.start(EXPIRY, [expiry(bookings)], patient=False, patience=PATIENCE)
    return followed
