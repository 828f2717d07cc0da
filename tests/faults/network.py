"""Two machines with a cable that can also be slow; without namespaces, one machine whose network nobody harms."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from tests.cluster.machines import Machines, NotAllowed
from tests.faults.plan import Kind

DELAYED = ("netem", "delay", "150ms", "50ms", "loss", "2%")
NARROW = ("tbf", "rate", "300kbit", "burst", "8kb", "latency", "800ms")  # where the kernel has no netem
SECRET = "known to the nodes of this run"


class Network:
    """Where the nodes are.

    Attributes:
        kinds: the faults that are possible.
        left_out: those that are not, with the reason.
        secret: what nodes need to talk on it.
    """

    def __init__(self, machines: Machines | None = None, refused: str = "") -> None:
        self._machines = machines
        self.secret = SECRET if machines else ""
        self.kinds: tuple[Kind, ...] = (Kind.CUT, Kind.SLOW) if machines else ()
        self.left_out = dict.fromkeys((Kind.CUT, Kind.SLOW), refused) if refused else {}
        self._slow: tuple[str, ...] = ()
        if machines:
            self._choose_slowness()

    def _choose_slowness(self) -> None:
        why = ""
        for self._slow in (DELAYED, NARROW):
            try:
                self.slow()
            except subprocess.CalledProcessError as error:
                why = error.stderr.strip()
            else:
                self.hasten()
                return
            self.hasten()
        self.kinds, self.left_out = (Kind.CUT,), {Kind.SLOW: why}

    def host(self, machine: int) -> str:
        """The address of one of the two."""
        return self._machines.addresses[machine] if self._machines else "127.0.0.1"

    def inside(self, machine: int) -> Sequence[str]:
        """What a command begins with to run there."""
        return self._machines.inside(machine) if self._machines else ()

    def cut(self) -> None:
        """Pull the cable: what is sent is lost without a word."""
        assert self._machines is not None, "planned only where there is one"
        self._machines.cut()

    def mend(self) -> None:
        """Put it back, whether it was pulled or not."""
        if self._machines is not None:
            with suppress(subprocess.CalledProcessError):
                self._machines.mend()

    def slow(self) -> None:
        """Let all that goes through it take its time."""
        self._on_both("replace", *self._slow)

    def hasten(self) -> None:
        """Let it be quick again, whether it was slow or not."""
        with suppress(subprocess.CalledProcessError):
            self._on_both("delete")

    def _on_both(self, what: str, *how: str) -> None:
        for name in self._machines.names if self._machines else ():
            command = ["tc", "-n", name, "qdisc", what, "dev", name, "root", *how]
            subprocess.run(command, check=True, capture_output=True, text=True)


@contextmanager
def made() -> Iterator[Network]:
    """What is allowed here, for the block."""
    machines = Machines()
    try:
        machines.create()
    except NotAllowed as reason:
        yield Network(refused=str(reason))
        return
    try:
        yield Network(machines)
    finally:
        machines.remove()
