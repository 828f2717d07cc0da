"""The hunt for a mutant: seeds are played, one after another, until one shows that its promise is broken."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant
from tests.simulation.cluster_scenarios import faulty, moving
from tests.simulation.playing import be_quiet

FIRST_SEED = 1_000
_PLAYS = {"faults": faulty, "moves": moving}


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
            _, violations = _PLAYS[mutant.play](seed, order=mutant.order)
        except Exception as error:  # noqa: BLE001 - a run that ends so has found something, but no broken promise
            others[type(error).__name__] += 1
            return None
    for violation in violations:
        if violation.promise == mutant.promise:
            return f"{violation.invariant}: {violation.what}", str(violation.record)
        others[violation.promise] += 1
    return None
