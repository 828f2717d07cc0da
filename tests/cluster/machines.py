"""Two machines imitated by network namespaces, with a cable between them that can be cut."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

NETWORK = "10.77.0"


class NotAllowed(Exception):
    """Namespaces cannot be made here; says why."""


class Machines:
    """Two network namespaces and the pair of devices that joins them. Nothing else of this machine is reached there."""

    def __init__(self) -> None:
        tag = f"{os.getpid() % 100_000}"
        self.names = (f"aec{tag}l", f"aec{tag}r")
        self.addresses = (f"{NETWORK}.1", f"{NETWORK}.2")

    def create(self) -> None:
        """Make both.

        Raises:
            NotAllowed: this user, or this system, cannot.
        """
        if sys.platform != "linux" or shutil.which("ip") is None:
            raise NotAllowed("network namespaces need Linux and the program ip")
        left, right = self.names
        try:
            for name in self.names:
                _ip("netns", "add", name)
            _ip("link", "add", left, "netns", left, "type", "veth", "peer", "name", right, "netns", right)
            for name, address in zip(self.names, self.addresses, strict=True):
                _ip("-n", name, "addr", "add", f"{address}/24", "dev", name)
                _ip("-n", name, "link", "set", "lo", "up")  # two nodes of one machine talk by it
                _ip("-n", name, "link", "set", name, "up")
        except subprocess.CalledProcessError as error:
            self.remove()
            raise NotAllowed(f"network namespaces are not allowed here: {error.stderr.strip()}") from error

    def remove(self) -> None:
        """Delete both, with the cable."""
        for name in self.names:
            with suppress(subprocess.CalledProcessError):
                _ip("netns", "delete", name)

    def inside(self, machine: int) -> Sequence[str]:
        """What a command begins with to run on that machine."""
        return ("ip", "netns", "exec", self.names[machine])

    def cut(self) -> None:
        """Pull the cable: what is sent is lost without a word."""
        # Not the device's link, whose loss the kernel would tell the programs of.
        for name, other in zip(self.names, reversed(self.addresses), strict=True):
            _ip("-n", name, "neigh", "replace", other, "lladdr", "02:00:00:00:00:01", "dev", name, "nud", "permanent")

    def mend(self) -> None:
        """Put the cable back."""
        for name, other in zip(self.names, reversed(self.addresses), strict=True):
            _ip("-n", name, "neigh", "delete", other, "dev", name)


@contextmanager
def two_machines() -> Iterator[Machines]:
    """Both, for the block.

    Raises:
        NotAllowed: see `Machines.create`.
    """
    machines = Machines()
    machines.create()
    try:
        yield machines
    finally:
        machines.remove()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
