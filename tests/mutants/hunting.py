"""The hunt for a mutant: seeds are played, one after another, until one shows that its promise is broken."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TypeAlias

from tests.checker import Violation
from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant
from tests.simulation.cluster_scenarios import faulty, moving
from tests.simulation.faults import Draw
from tests.simulation.playing import be_quiet

FIRST_SEED = 1_000


@dataclass(frozen=True)
class Found:
    """How a hunt ended.

    Attributes:
        mutant: its name.
        seeds: how many were played.
        violation: the first of its promise; None when it survived.
        others: what else was broken, how often.
        record: the violation's record, in words.
    """

    mutant: str
    seeds: int
    violation: str | None
    record: str
    others: dict[str, int]

    @property
    def beside(self) -> str:
        """What else was broken, in words."""
        return "".join(f"; beside it: {what} {count}" for what, count in sorted(self.others.items()))


def hunt(name: str) -> Found:
    """Hunt one mutant."""
    be_quiet()
    mutant = next(one for one in MUTANTS if one.name == name)
    others: Counter[str] = Counter()
    for seeds in range(1, mutant.bound + 1):
        found = _broken(mutant, FIRST_SEED + seeds - 1, others)
        if found is not None:
            return Found(name, seeds, *found, dict(others))
    return Found(name, mutant.bound, None, "", dict(others))


def _broken(mutant: Mutant, seed: int, others: Counter[str]) -> tuple[str, str] | None:
    with mutant.in_place():
        try:
            violations = _played(mutant.play, mutant.kinds, seed)
        except Exception as error:  # noqa: BLE001 - a run that ends so has found something, but no broken promise
            others[type(error).__name__] += 1
            return None
    for violation in violations:
        if violation.promise == mutant.promise:
            return f"{violation.invariant}: {violation.what}", str(violation.record)
        others[violation.promise] += 1
    return None


def _played(play: str, kinds: tuple[Draw, ...], seed: int) -> list[Violation]:
    return moving(seed)[1] if play == "moves" else faulty(seed, kinds=kinds)[1]


Unmutated: TypeAlias = tuple[str, tuple[Draw, ...], int]


def sound(play: Unmutated) -> str:
    """Play a scenario's seed without any mutant; empty when all is well."""
    be_quiet()
    name, _, seed = play
    try:
        violations = _played(*play)
    except Exception as error:  # noqa: BLE001 - whatever a run raises is its finding
        return f"{name} seed {seed}: {type(error).__name__}: {error}"
    return "".join(f"{name} seed {seed}: {violation}\n" for violation in violations[:3]).rstrip()
