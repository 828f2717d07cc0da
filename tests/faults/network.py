"""Two machines for nodes and one for the store, with cables; without namespaces, a network that nobody harms."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.cluster.machines import Cable, Machines, NotAllowed
from tests.faults.plan import Kind

DELAYED = ("netem", "delay", "150ms", "50ms", "loss", "2%")
NARROW = ("tbf", "rate", "300kbit", "burst", "8kb", "latency", "800ms")  # where the kernel has no netem
SUPPLY_DELAYED = ("netem", "delay", "40ms", "20ms", "loss", "1%")
SUPPLY_NARROW = ("tbf", "rate", "1mbit", "burst", "16kb", "latency", "400ms")
SECRET = "known to the nodes of this run"
HARMED = (Kind.CUT, Kind.SLOW, Kind.STORE_CUT, Kind.STORE_SLOW)


class Network:
    """Where the nodes are, and the way from there to the store.

    Attributes:
        kinds: the faults that are possible between nodes.
        supply_kinds: those that are possible between nodes and a store that is reached over the network.
        left_out: those that are not, with the reason.
        secret: what nodes need to talk on it.
    """

    def __init__(self, machines: Machines | None = None, refused: str = "") -> None:
        self._machines = machines
        self.secret = SECRET if machines else ""
        self.kinds: tuple[Kind, ...] = ()
        self.supply_kinds: tuple[Kind, ...] = ()
        self.left_out = dict.fromkeys(HARMED, refused) if refused else {}
        self._slow: tuple[str, ...] = ()
        self._supply_slow: tuple[str, ...] = ()
        if machines:
            self.kinds, self.supply_kinds = (Kind.CUT, Kind.SLOW), (Kind.STORE_CUT, Kind.STORE_SLOW)
            self._choose_slowness(machines.link)

    def _choose_slowness(self, cable: Cable) -> None:
        why = ""
        for self._slow, self._supply_slow in ((DELAYED, SUPPLY_DELAYED), (NARROW, SUPPLY_NARROW)):
            try:
                cable.slow(*self._slow)
            except subprocess.CalledProcessError as error:
                why = error.stderr.strip()
            else:
                return
            finally:
                cable.hasten()
        self.kinds, self.supply_kinds = (Kind.CUT,), (Kind.STORE_CUT,)
        self.left_out = {Kind.SLOW: why, Kind.STORE_SLOW: why}

    @property
    def cables(self) -> tuple[Cable, ...]:
        """Between the two machines of nodes, and from each of these to the store."""
        return (self._machines.link, *self._machines.supplies) if self._machines else ()

    def host(self, machine: int) -> str:
        """The address of one of the two."""
        return self._machines.addresses[machine] if self._machines else "127.0.0.1"

    def inside(self, machine: int) -> Sequence[str]:
        """What a command begins with to run there."""
        return self._machines.inside(machine) if self._machines else ()

    def beside_store(self) -> Sequence[str]:
        """What a command begins with to run where the store is."""
        return self.inside(2)

    def store_host(self, machine: int) -> str:
        """The address by which one of the two reaches the store's machine; empty where there is none."""
        return self._machines.supplies[machine].ends[1].address if self._machines else ""

    def slow(self, cable: int) -> None:
        """Let all that goes through one of the `cables` take its time."""
        self.cables[cable].slow(*(self._supply_slow if cable else self._slow))

    def mend(self) -> None:
        """Let everything through again, quickly."""
        for cable in self.cables:
            cable.mend()
            cable.hasten()


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
