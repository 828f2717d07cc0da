"""*balanced*: when all is settled, shards per node are within 10 % of the mean plus one; a join or leave moves few.

PROOF has no number for it; it goes with I9, the state in which a cluster settles. All nodes weigh the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from tests.checker.history import History, Violation
from tests.checker.instances import spans
from tests.checker.records import Settled

Owners = Mapping[int, str]


def balance(history: History) -> Iterator[Violation]:
    """Look at who owns what at each time at which all is settled, and at what moved since the time before."""
    shards: dict[str, list[tuple[float, float, int, str]]] = defaultdict(list)
    for (kind, name, number, node, _), some in spans(history).items():
        if kind == "shard":
            shards[name] += [(start, until, number, node) for start, until in some]
    for rows in shards.values():
        before: tuple[frozenset[str], Owners] | None = None
        since = 0.0
        for settled in history.of(Settled):
            owners = {
                number: node
                for start, until, number, node in sorted(rows)
                if start <= settled.at < until and node in settled.nodes
            }
            yield from _level(owners, settled)
            between = {node for start, until, _, node in rows if start <= settled.at and until >= since}
            if before is not None and between <= before[0] | set(settled.nodes):
                yield from _few(before, owners, settled)
            before, since = (frozenset(settled.nodes), owners), settled.at


def _level(owners: Owners, settled: Settled) -> Iterator[Violation]:
    counts = Counter(owners.values())
    mean = len(owners) / len(settled.nodes) if settled.nodes else 0.0
    for node in settled.nodes:
        if abs(counts[node] - mean) > mean * 0.1 + 1:
            yield _violation(f"{node} owns {counts[node]} shards, the mean is {mean:.2f}", settled)


def _few(before: tuple[frozenset[str], Owners], owners: Owners, settled: Settled) -> Iterator[Violation]:
    """Compare two settled states between which one node has come, or gone."""
    nodes, was = before
    changed = nodes ^ frozenset(settled.nodes)
    if len(changed) != 1 or was.keys() != owners.keys():
        return
    moved = sum(was[number] != node for number, node in owners.items())
    homeless = sum(node in changed for node in was.values())
    mean = len(owners) / len(settled.nodes)
    counts = Counter(node for node in was.values() if node not in changed)
    over = sum(max(0, counts[node] - int(mean * 1.1 + 1)) for node in settled.nodes)
    under = sum(max(0, -int(-(mean * 0.9 - 1) // 1) - counts[node]) for node in settled.nodes)
    fewest = homeless + max(over, under - homeless, 0)
    if moved > fewest + 0.02 * len(owners):
        yield _violation(f"{moved} shards moved, {fewest} would have done", settled)


def _violation(what: str, settled: Settled) -> Violation:
    return Violation("balanced", "I9", what, settled)
