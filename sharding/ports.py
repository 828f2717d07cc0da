"""What logic must not take from the machine by itself: time, randomness, the network. Simulations bring their own."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sharding.links.network import LoopNetwork, Network


def awake_and_asleep() -> float:
    """Seconds on a clock that never steps and goes on while the machine is suspended, where the system has one."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def nonce() -> bytes:
    """Bytes that nobody can guess, for handshakes."""
    return secrets.token_bytes(32)


@dataclass(frozen=True, slots=True)
class Ports:
    """A node's surroundings.

    Attributes:
        clock: seconds, for leases; must go on while the machine is suspended.
        draw: random numbers in [0, 1), which spread retries.
        nonce: unguessable bytes.
        network: connects and listens.
    """

    clock: Callable[[], float] = awake_and_asleep
    draw: Callable[[], float] = random.random
    nonce: Callable[[], bytes] = nonce
    network: Network = field(default_factory=LoopNetwork)
