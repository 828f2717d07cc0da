"""Playing seeds, several at a time: each process takes the next one, and all answers come in the order of the seeds."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeAlias, TypeVar

from tests.simulation.cluster_scenarios import faulty, moving
from tests.simulation.ready import Order
from tests.simulation.runs import counting

T = TypeVar("T")
R = TypeVar("R")

Play: TypeAlias = tuple[str, int, Order]
Played: TypeAlias = tuple[str, float, list[str]]


def _faults(seed: int, order: Order) -> Played:
    ran, broken = faulty(seed, order=order)
    return f"{dict(ran.told)} {ran.digest}", ran.seconds, list(map(str, broken))


def _moves(seed: int, order: Order) -> Played:
    ran, broken = moving(seed, order=order)
    return f"{dict(ran.told)} {ran.digest}", ran.seconds, list(map(str, broken))


def _node(seed: int, order: Order) -> Played:
    counted = counting(seed, order=order)
    broken = [] if counted.total in counted.possible else [f"total {counted.total}, possible {counted.possible}"]
    broken += [f"left over: {task}" for task in counted.pending]
    return f"{dict(counted.answers)} {counted.digest}", 45.0, broken


PLAYS: dict[str, Callable[[int, Order], Played]] = {"faults": _faults, "moves": _moves, "node": _node}


def played(play: Play) -> Played:
    """Play one; what it was, its virtual seconds, and what is broken."""
    name, seed, order = play
    try:
        return PLAYS[name](seed, order)
    except Exception as error:  # noqa: BLE001 - whatever a run raises is its finding; the others go on
        return "", 0.0, [f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())]


def be_quiet() -> None:
    """Log nothing in this process."""
    logging.disable(logging.CRITICAL)


def in_processes(work: Callable[[T], R], items: Sequence[T], jobs: int) -> Iterator[R]:
    """`work` of each item, in order; with several jobs, each in a process of its own."""
    if jobs <= 1:
        yield from map(work, items)
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), be_quiet) as pool:
        yield from pool.map(work, items)
