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
    Kind.RESTART: 3,
    Kind.CONNECTIONS: 4,
    Kind.DISK: 2,
    Kind.ROLL: 1,
}
MEAN_GAP: Final = 2.5  # seconds
LONGEST: Final = 10.0
LAST_QUARTER: Final = 0.75  # of the time, after which no rolling restart begins: it takes its time


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault.

    Attributes:
        at: seconds from the beginning.
        kind: which.
        victims: names of nodes, where it is for some.
        seconds: how long it lasts.
    """

    at: float
    kind: Kind
    victims: tuple[str, ...] = ()
    seconds: float = 0.0

    def __str__(self) -> str:
        lasting = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.at:6.1f} s: {' '.join((self.kind, *self.victims))}{lasting}"


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
        case Kind.CUT | Kind.SLOW:
            return Strike(at, kind, (), draws.uniform(0.5, 3 * lease))
        case Kind.RESTART | Kind.DISK:
            return Strike(at, kind, (), draws.uniform(0.2, 1.5 * lease))
        case _:
            return Strike(at, kind)


ALWAYS: Final = (Kind.KILL, Kind.FREEZE, Kind.FREEZE_AND_KILL, Kind.KILL_CALLER, Kind.KILL_ALL, Kind.ROLL)
