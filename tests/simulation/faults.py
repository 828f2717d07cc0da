"""Plans of what goes wrong, drawn from a seed: lists of timed actions that can be printed and played again."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tests.simulation.server import STORE


@dataclass(frozen=True, slots=True, order=True)
class Action:
    """One thing that is done to the cluster.

    Attributes:
        at: virtual seconds after the plan's start.
        what: the name of a method of `tests.simulation.world.World`.
        whom: its arguments that name nodes, or the store.
        much: its argument that is a number, if it has one.
    """

    at: float
    what: str
    whom: tuple[str, ...] = ()
    much: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What goes wrong, and when it all heals. Its `repr` is Python that makes it again.

    Attributes:
        actions: in the order of their times.
        heal_at: virtual seconds after the start at which everything is repaired: nodes thawed and started, paths open.
    """

    actions: tuple[Action, ...]
    heal_at: float

    def __str__(self) -> str:
        lines = [
            f"{action.at:10.3f} {action.what} {' '.join(action.whom)} {'' if action.much is None else action.much}"
            for action in self.actions
        ]
        return "\n".join(line.rstrip() for line in [*lines, f"{self.heal_at:10.3f} heal"])

    def without(self, index: int) -> Plan:
        """This plan without one action: to find the few that matter."""
        return Plan(self.actions[:index] + self.actions[index + 1 :], self.heal_at)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a plan is drawn for.

    Attributes:
        nodes: their names.
        lease: seconds for which a node's lease runs; pauses are around it.
        seconds: how long things go wrong.
    """

    nodes: tuple[str, ...]
    lease: float = 10.0
    seconds: float = 120.0


Draw = Callable[[random.Random, Scene], Iterator[tuple[float, Action]]]


def draw_plan(draws: random.Random, scene: Scene, kinds: Sequence[Draw] = ()) -> Plan:
    """Draw which kinds of fault there are, how often each comes, and each time when, whom and for how long.

    Args:
        draws: what decides.
        scene: for what.
        kinds: the kinds to have; some of all when none are given.
    """
    kinds = kinds or [kind for kind in KINDS if draws.random() < 0.4] or [draws.choice(KINDS)]
    actions: list[Action] = []
    for kind in kinds:
        pause = draws.choice((0.5, 1.0, 2.0, 5.0)) * scene.lease
        at = draws.expovariate(1 / pause)
        while at < scene.seconds:
            for later, action in kind(draws, scene):
                if at + later < scene.seconds:
                    actions.append(Action(at + later, action.what, action.whom, action.much))
            at += draws.expovariate(1 / pause)
    return Plan(tuple(sorted(actions, key=lambda action: action.at)), scene.seconds)


def _act(what: str, *whom: str, much: float | None = None) -> Action:
    return Action(0.0, what, whom, much)


def _crashes(draws: random.Random, scene: Scene) -> Iterator[tuple[float, Action]]:
    node = draws.choice(scene.nodes)
    yield 0.0, _act("crash", node)
    yield draws.choice((0.01, 0.5, 1.0, 3.0)) * scene.lease, _act("restart", node)


def _pauses(draws: random.Random, scene: Scene) -> Iterator[tuple[float, Action]]:
    node = draws.choice(scene.nodes)
    yield 0.0, _act("freeze", node)
    yield draws.choice((0.5, 1.0, 3.0)) * scene.lease * draws.uniform(0.9, 1.1), _act("thaw", node)


def _pair(draws: random.Random, scene: Scene) -> tuple[str, str]:
    one, *_ = ends = draws.sample((*scene.nodes, STORE), 2)
    return one, ends[1]


def cuts(draws: random.Random, scene: Scene) -> Iterator[tuple[float, Action]]:
    ends = _pair(draws, scene)
    yield 0.0, _act(draws.choice(("cut", "part")), *ends)
    yield draws.choice((0.2, 1.0, 3.0)) * scene.lease, _act("join", *ends)


def isolations(draws: random.Random, scene: Scene) -> Iterator[tuple[float, Action]]:
    node = draws.choice(scene.nodes)
    others = [other for other in (*scene.nodes, STORE) if other != node]
    length = draws.choice((0.5, 1.0, 3.0)) * scene.lease
    for other in others:
        yield 0.0, _act("part", node, other)
    for other in others:
        yield length, _act("join", node, other)


def slow_paths(draws: random.Random, scene: Scene) -> Iterator[tuple[float, Action]]:
    ends = _pair(draws, scene)
    yield 0.0, _act("slow", *ends, much=draws.choice((10.0, 100.0, 2_000.0)))
    yield scene.lease, _act("join", *ends)


def _resets(draws: random.Random, scene: Scene) -> Iterator[tuple[float, Action]]:
    if len(scene.nodes) > 1:
        yield 0.0, _act("reset", *draws.sample(scene.nodes, 2))


def _store_away(draws: random.Random, scene: Scene) -> Iterator[tuple[float, Action]]:
    yield 0.0, _act("store_away", much=1.0)
    yield draws.choice((0.02, 0.3, 1.0, 2.0)) * scene.lease, _act("store_away", much=0.0)


def store_slow(draws: random.Random, scene: Scene) -> Iterator[tuple[float, Action]]:
    yield 0.0, _act("store_slow", much=draws.choice((10.0, 100.0, 1_000.0)))
    yield draws.choice((0.3, 1.0)) * scene.lease, _act("store_slow", much=1.0)


def store_loses(draws: random.Random, scene: Scene) -> Iterator[tuple[float, Action]]:
    what = draws.choice(("store_loses_before", "store_loses_after", "store_refuses"))
    yield 0.0, _act(what, much=draws.choice((0.02, 0.2, 0.9)))
    yield draws.choice((0.1, 1.0)) * scene.lease, _act(what, much=0.0)


def crashes_unheard(draws: random.Random, scene: Scene) -> Iterator[tuple[float, Action]]:
    """A node crashes, and whoever takes over what it had does not hear what the store answers."""
    yield from _crashes(draws, scene)
    yield 0.0, _act("store_loses_after", much=draws.choice((0.2, 0.5)))
    yield draws.choice((0.3, 1.0)) * scene.lease, _act("store_loses_after", much=0.0)


def last_writes_late(draws: random.Random, scene: Scene) -> Iterator[tuple[float, Action]]:
    """A node crashes, and others take over what it had, while what it asked of the store is still on its way there."""
    node = draws.choice(scene.nodes)
    yield 0.0, _act("slow", node, STORE, much=2_000.0)
    yield draws.uniform(0.1, 0.3) * scene.lease, _act("crash", node)
    yield 1.5 * scene.lease, _act("join", node, STORE)
    yield 1.5 * scene.lease, _act("restart", node)


def joins_cut_off(draws: random.Random, scene: Scene) -> Iterator[tuple[float, Action]]:
    """A node comes back and shards move to it; meanwhile what another writes is held up, for longer than its lease."""
    node, *others = draws.sample(scene.nodes, len(scene.nodes))
    back = 0.5 * scene.lease
    yield 0.0, _act("crash", node)
    yield back, _act("restart", node)
    if others:
        yield back + draws.uniform(0.0, 0.1), _act("cut", others[0], STORE)
        yield back + 2 * scene.lease, _act("join", others[0], STORE)


def _clock_jumps(draws: random.Random, scene: Scene) -> Iterator[tuple[float, Action]]:
    yield 0.0, _act("set_clock", draws.choice(scene.nodes), much=draws.choice((-3_600.0, -1.0, 0.0, 1.0, 3_600.0)))


KINDS: Final[Sequence[Draw]] = (
    _crashes,
    _pauses,
    cuts,
    isolations,
    slow_paths,
    _resets,
    _store_away,
    store_slow,
    store_loses,
    _clock_jumps,
    crashes_unheard,
    last_writes_late,
    joins_cut_off,
)
