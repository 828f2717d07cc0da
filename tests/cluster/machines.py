"""Machines imitated by network namespaces, with cables between them that can be cut and slowed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

NETWORKS = "10.77"
NOWHERE = "02:00:00:00:00:01"  # no device has this address


class NotAllowed(Exception):
    """Namespaces cannot be made here; says why."""


@dataclass(frozen=True, slots=True)
class End:
    """Where a cable goes into a machine.

    Attributes:
        machine: the namespace.
        device: its name there.
        address: the machine's, for who uses this cable.
    """

    machine: str
    device: str
    address: str


@dataclass(frozen=True, slots=True)
class Cable:
    """Joins two machines.

    Attributes:
        ends: both of them.
    """

    ends: tuple[End, End]

    def create(self) -> None:
        """Plug it in."""
        one, other = self.ends
        peer = ("peer", "name", other.device, "netns", other.machine)
        _ip("link", "add", one.device, "netns", one.machine, "type", "veth", *peer)
        for end in self.ends:
            _ip("-n", end.machine, "addr", "add", f"{end.address}/24", "dev", end.device)
            _ip("-n", end.machine, "link", "set", end.device, "up")

    def cut(self, senders: Sequence[int] = (0, 1)) -> None:
        """Lose without a word what is sent.

        Args:
            senders: from which of the two ends; the other way works on.
        """
        # Not the device's link, whose loss the kernel would tell the programs of.
        for sender in senders:
            end, other = self.ends[sender], self.ends[1 - sender]
            lost = ("replace", other.address, "lladdr", NOWHERE, "dev", end.device, "nud", "permanent")
            _ip("-n", end.machine, "neigh", *lost)

    def mend(self) -> None:
        """Let everything through again, whether something was lost or not."""
        for end, other in zip(self.ends, reversed(self.ends), strict=True):
            with suppress(subprocess.CalledProcessError):
                _ip("-n", end.machine, "neigh", "delete", other.address, "dev", end.device)

    def slow(self, *how: str) -> None:
        """Let all that goes through it take its time.

        Args:
            how: a queueing discipline of `tc` with its parameters.

        Raises:
            subprocess.CalledProcessError: this kernel does not have it.
        """
        for end in self.ends:
            _tc("-n", end.machine, "qdisc", "replace", "dev", end.device, "root", *how)

    def hasten(self) -> None:
        """Let it be quick again, whether it was slow or not."""
        for end in self.ends:
            with suppress(subprocess.CalledProcessError):
                _tc("-n", end.machine, "qdisc", "delete", "dev", end.device, "root")


class Machines:
    """Three network namespaces, each joined with each. Nothing else of this machine is reached there.

    Attributes:
        link: between the two that are for nodes.
        supplies: from each of these to the third, which is for what all nodes need.
    """

    def __init__(self) -> None:
        tag = f"aec{os.getpid() % 100_000}"
        self.names = left, right, third = f"{tag}l", f"{tag}r", f"{tag}s"
        self.link = _cable(left, right, 0)
        self.supplies = (_cable(left, third, 1), _cable(right, third, 2))
        self.addresses = tuple(end.address for end in self.link.ends)

    def create(self) -> None:
        """Make them.

        Raises:
            NotAllowed: this user, or this system, cannot.
        """
        if sys.platform != "linux" or shutil.which("ip") is None:
            raise NotAllowed("network namespaces need Linux and the program ip")
        try:
            for name in self.names:
                _ip("netns", "add", name)
                _ip("-n", name, "link", "set", "lo", "up")  # two nodes of one machine talk by it
            for cable in (self.link, *self.supplies):
                cable.create()
        except subprocess.CalledProcessError as error:
            self.remove()
            raise NotAllowed(f"network namespaces are not allowed here: {error.stderr.strip()}") from error

    def remove(self) -> None:
        """Delete them, with the cables."""
        for name in self.names:
            with suppress(subprocess.CalledProcessError):
                _ip("netns", "delete", name)

    def inside(self, machine: int) -> Sequence[str]:
        """What a command begins with to run on that machine."""
        return ("ip", "netns", "exec", self.names[machine])


@contextmanager
def made_machines() -> Iterator[Machines]:
    """Them, for the block.

    Raises:
        NotAllowed: see `Machines.create`.
    """
    machines = Machines()
    machines.create()
    try:
        yield machines
    finally:
        machines.remove()


def _cable(left: str, right: str, number: int) -> Cable:
    device = f"{left}{right[-1]}"  # no two devices of this machine have one name, in whatever namespace
    ends = (
        End(left, f"{device}0", f"{NETWORKS}.{number}.1"),
        End(right, f"{device}1", f"{NETWORKS}.{number}.2"),
    )
    return Cable(ends)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def _tc(*arguments: str) -> None:
    subprocess.run(["tc", *arguments], check=True, capture_output=True, text=True)
