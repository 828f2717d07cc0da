"""The ways between nodes, each in one direction: how long they take, and whether they are cut."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

LATEST = 15.0


@dataclass(frozen=True, slots=True)
class Delays:
    """How long a segment is on its way, in seconds: never less than `least`, now and then much longer.

    Attributes:
        least: of every segment.
        mean: of what comes on top, exponentially distributed.
        late: the share of segments that are lost and sent again.
        later: the seconds that this takes.
    """

    least: float = 0.000_1
    mean: float = 0.000_4
    late: float = 0.001
    later: float = 0.2

    def draw(self, draws: random.Random) -> float:
        """One segment's."""
        delay = self.least + draws.expovariate(1 / self.mean)
        return delay + self.later if draws.random() < self.late else delay


class Path:
    """From one node to another.

    Attributes:
        delays: of its segments.
        slowness: factor on each delay.
        cut: whether nothing comes through. What is sent meanwhile comes when it heals, as TCP sends it again.
    """

    def __init__(self, delays: Delays, draws: random.Random) -> None:
        self.delays = delays
        self.slowness = 1.0
        self._draws = draws
        self._cut = False
        self._held: list[Callable[[], object]] = []

    @property
    def cut(self) -> bool:
        """Whether it is."""
        return self._cut

    @cut.setter
    def cut(self, cut: bool) -> None:
        self._cut = cut
        if not cut:
            held, self._held = self._held, []
            for send in held:
                send()

    def delay(self) -> float:
        """How long the next segment is on its way: not for ever, also when it is lost on a slow path."""
        return min(self.delays.draw(self._draws) * self.slowness, LATEST)

    def when_open(self, send: Callable[[], object]) -> None:
        """Call `send` now, or when it is not cut any more."""
        if self._cut:
            self._held.append(send)
        else:
            send()


class Paths:
    """All paths, by the names of both ends; each is made when it is first asked for."""

    def __init__(self, draws: random.Random, delays: Delays) -> None:
        self._draws = draws
        self._delays = delays
        self._paths: dict[tuple[str, str], Path] = {}

    def path(self, source: str, target: str) -> Path:
        """From `source` to `target`."""
        if (source, target) not in self._paths:
            self._paths[source, target] = Path(self._delays, self._draws)
        return self._paths[source, target]

    def cut(self, source: str, target: str) -> None:
        """Let nothing through from `source` to `target`; the other direction is left as it is."""
        self.path(source, target).cut = True

    def part(self, one: str, other: str) -> None:
        """Let nothing through in either direction."""
        self.cut(one, other)
        self.cut(other, one)

    def join(self, one: str, other: str) -> None:
        """Undo cuts and slowness in both directions."""
        for path in (self.path(one, other), self.path(other, one)):
            path.slowness = 1.0
            path.cut = False

    def slow(self, one: str, other: str, slowness: float) -> None:
        """Multiply delays in both directions by `slowness`."""
        for path in (self.path(one, other), self.path(other, one)):
            path.slowness = slowness

    def heal(self) -> None:
        """Undo all cuts and all slowness."""
        for path in self._paths.values():
            path.slowness = 1.0
            path.cut = False
