"""Which faults come when: drawn from a seed, so a run can be had again as far as real processes let it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final


class Kind(StrEnum):
    """What may go wrong."""

    KILL = "kill"
    FREEZE = "freeze"
    FREEZE_AND_KILL = "freeze and kill"
    KILL_CALLER = "caller killed"
    KILL_ALL = "all killed"
    CUT = "cut"
    SLOW = "slow link"
    STORE_CUT = "cut from store"
    STORE_SLOW = "slow to store"
    RESTART = "store restart"
    CONNECTIONS = "connections ended"
    DISK = "full disk"
    ROLL = "rolling restart"


WEIGHTS: Final = {
    Kind.KILL: 6,
    Kind.FREEZE: 6,
    Kind.FREEZE_AND_KILL: 2,
    Kind.KILL_CALLER: 2,
    Kind.KILL_ALL: 1,
    Kind.CUT: 4,
    Kind.SLOW: 3,
    Kind.STORE_CUT: 4,
    Kind.STORE_SLOW: 2,
    Kind.RESTART: 3,
    Kind.CONNECTIONS: 4,
    Kind.DISK: 2,
    Kind.ROLL: 1,
}
MEAN_GAP: Final = 2.5  # seconds
LONGEST: Final = 10.0
LINK: Final = 0  # the cable between nodes; the others go from each of their machines to the store
SUPPLIES: Final = (1, 2)
BOTH_WAYS: Final = (0, 1)
LAST_QUARTER: Final = 0.75  # of the time, after which no rolling restart begins: it takes its time


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault.

    Attributes:
        at: seconds from the beginning.
        kind: which.
        victims: names of nodes, where it is for some.
        seconds: how long it lasts.
        cable: which, where it is for one.
        senders: the ends of a cable from which nothing comes through any more.
    """

    at: float
    kind: Kind
    victims: tuple[str, ...] = ()
    seconds: float = 0.0
    cable: int | None = None
    senders: tuple[int, ...] = ()

    def __str__(self) -> str:
        lasting = f" for {self.seconds:.1f} s" if self.seconds else ""
        where = (f"cable {self.cable}",) if self.cable is not None else ()
        which = (f"from end {self.senders[0]}",) if len(self.senders) == 1 else ()
        return f"{self.at:6.1f} s: {' '.join((self.kind, *self.victims, *where, *which))}{lasting}"


def plan(
    seed: int,
    seconds: float,
    kinds: Sequence[Kind],
    nodes: Sequence[str],
    callers: Sequence[str],
    lease: float,
    gap: float = MEAN_GAP,
) -> list[Strike]:
    """The faults of a run. Each of `kinds` comes once before any comes as it is drawn, as far as there is time.

    Args:
        seed: from which all is drawn.
        seconds: how long the load lasts.
        kinds: those that are possible.
        nodes, callers: who may be harmed.
        lease: in seconds; pauses are shorter, as long, and longer.
        gap: seconds between two, in the mean, and 0.3 more.
    """
    draws = Random(seed)
    once = list(kinds)
    draws.shuffle(once)
    strikes, at = [], draws.uniform(0.5, 1.5)
    while at < seconds - 1.0:
        kind = once.pop() if once else draws.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]
        if kind is not Kind.ROLL or at < seconds * LAST_QUARTER:
            strikes.append(_strike(draws, at, kind, nodes, callers, lease))
        at += min(LONGEST, draws.expovariate(1 / gap)) + 0.3
    return strikes


def _strike(draws: Random, at: float, kind: Kind, nodes: Sequence[str], callers: Sequence[str], lease: float) -> Strike:
    victims = tuple(draws.sample(list(nodes), 2))
    pause = lease * draws.choice((0.5, 1.0, 1.0, 3.0))
    match kind:
        case Kind.FREEZE:
            return Strike(at, kind, victims[:1], pause)
        case Kind.FREEZE_AND_KILL:
            return Strike(at, kind, victims, pause)
        case Kind.KILL:
            return Strike(at, kind, victims[:1])
        case Kind.KILL_CALLER:
            return Strike(at, kind, (draws.choice(list(callers)),))
        case Kind.CUT | Kind.SLOW | Kind.STORE_CUT | Kind.STORE_SLOW:
            cable = LINK if kind in (Kind.CUT, Kind.SLOW) else draws.choice(SUPPLIES)
            senders = draws.choice((BOTH_WAYS, BOTH_WAYS, (0,), (1,)))
            lost = senders if kind in (Kind.CUT, Kind.STORE_CUT) else ()
            return Strike(at, kind, (), draws.uniform(0.5, 3 * lease), cable, lost)
        case Kind.RESTART | Kind.DISK:
            return Strike(at, kind, (), draws.uniform(0.2, 1.5 * lease))
        case _:
            return Strike(at, kind)


ALWAYS: Final = (Kind.KILL, Kind.FREEZE, Kind.FREEZE_AND_KILL, Kind.KILL_CALLER, Kind.KILL_ALL, Kind.ROLL)
