"""Where the demo's cluster is shown: live on a terminal (with `rich`, the extra `demo`), as lines elsewhere."""

from __future__ import annotations

import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from aecorpy.cli.looking import ClusterSeen
from aecorpy.management.look import DeploymentSeen

LINES_KEPT = 6
SECONDS_BETWEEN_LINES = 1.0


class Stage(Protocol):
    """What can be shown."""

    def happened(self, what: str) -> None:
        """Something has just happened."""

    def show(self, seen: ClusterSeen, processes: Sequence[DeploymentSeen], rate: float, share: float) -> None:
        """The cluster as it is now.

        Args:
            seen: nodes and shards.
            processes: what goes on by itself.
            rate: commands a second.
            share: how much of the time is over, from 0 to 1.
        """


@contextmanager
def stage(say: Callable[[str], None], clock: Callable[[], float]) -> Iterator[Stage]:
    """A stage for the block.

    Args:
        say: prints a line.
        clock: seconds that only grow.
    """
    if sys.stdout.isatty():
        try:
            live = LiveStage()
        except ImportError:  # rich is an extra
            yield Lines(say, clock)
            return
        with live:
            yield live
        return
    yield Lines(say, clock)


def shards_of(seen: ClusterSeen, node: str) -> int:
    """How many shards of entities a node has, of all types."""
    return sum(one.per_node.get(node, 0) for one in seen.types if one.kind != "process")


def running(processes: Sequence[DeploymentSeen]) -> dict[str, Counter[str]]:
    """How many processes of each deployment run on each node."""
    return {
        one.name: Counter(
            process.said.node for process in one.processes if process.said is not None and process.state == "running"
        )
        for one in processes
    }


def where(processes: Sequence[DeploymentSeen]) -> str:
    """In words, where processes run."""
    found = []
    for name, nodes in running(processes).items():
        if sum(nodes.values()) == 1:
            found.append(f"{name} on {', '.join(nodes)}")
        elif nodes:
            found.append(f"{name} on {', '.join(f'{node} ({count})' for node, count in sorted(nodes.items()))}")
        else:
            found.append(f"{name} nowhere")
    return "; ".join(found)


class Lines:
    """A line for what happens, and one a second for how it is."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._say = say
        self._clock = clock
        self._last = clock()

    def happened(self, what: str) -> None:
        """See `Stage`."""
        self._say(what)

    def show(self, seen: ClusterSeen, processes: Sequence[DeploymentSeen], rate: float, share: float) -> None:
        """See `Stage`."""
        now = self._clock()
        if now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            hosts = [one.node for one in seen.nodes if one.state != "down" and one.weight > 0]
            placed = ", ".join(f"{name} {shards_of(seen, name)}" for name in hosts)
            self._say(f"{share:4.0%}  {rate:,.0f} commands/s, shards: {placed}; {where(processes)}")


class LiveStage:
    """A table of the nodes, what has just happened, and a bar, drawn anew in place."""

    def __init__(self) -> None:
        from rich.live import Live

        self._live = Live(auto_refresh=False)
        self._happened: deque[str] = deque(maxlen=LINES_KEPT)
        self._shown: tuple[ClusterSeen, Sequence[DeploymentSeen], float, float] | None = None

    def __enter__(self) -> LiveStage:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def happened(self, what: str) -> None:
        """See `Stage`."""
        self._happened.append(what)
        self._draw()

    def show(self, seen: ClusterSeen, processes: Sequence[DeploymentSeen], rate: float, share: float) -> None:
        """See `Stage`."""
        self._shown = (seen, processes, rate, share)
        self._draw()

    def _draw(self) -> None:
        from rich.console import Group
        from rich.text import Text

        parts: list[Any] = [] if self._shown is None else self._cluster(*self._shown)
        parts += [Text(f"  {line}") for line in self._happened]
        self._live.update(Group(*parts), refresh=True)

    def _cluster(self, seen: ClusterSeen, processes: Sequence[DeploymentSeen], rate: float, share: float) -> list[Any]:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        table = Table(
            "node", "state", "shards", "", "lease left", "processes", title=f"cluster {seen.cluster}, term {seen.term}"
        )
        runs = running(processes)
        for node in seen.nodes:
            shards = shards_of(seen, node.node) if node.state != "down" else 0
            state = Text(f"{node.state}{', coordinates' if node.coordinates else ''}", _STYLE.get(node.state, ""))
            lease = f"{node.lease_left:.1f} s" if node.lease_left > 0 else "over"
            has = ", ".join(
                name if sum(nodes.values()) == 1 else f"{name} × {nodes[node.node]}"
                for name, nodes in runs.items()
                if nodes[node.node] and node.state != "down"
            )
            table.add_row(node.node, state, str(shards), "█" * (shards // 2), lease, has)
        moving = sum(len(one.moving) for one in seen.types)
        waiting = sum(len(one.without_owner) for one in seen.types)
        line = Text(f"{rate:8,.0f} commands/s   {moving} shards moving   {waiting} without owner")
        return [table, line, ProgressBar(total=1.0, completed=share)]


_STYLE = {"up": "green", "leaving": "yellow", "down": "red"}
