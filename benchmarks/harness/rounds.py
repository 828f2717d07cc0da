"""Contestants measured in turns, so that a machine which is slow for a while is slow for all of them."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from benchmarks.harness.figures import readable

Contestant = Callable[[float], Awaitable[float]]


class Rounds(NamedTuple):
    """What each contestant scored in each round."""

    scores: dict[str, list[float]]

    def median(self, name: str) -> float:
        """The median of a contestant's rounds."""
        return statistics.median(self.scores[name])

    def ratio(self, name: str, *others: str) -> float:
        """The median, over the rounds, of `name`'s score divided by the best of `others` in the same round."""
        best = [max(scores) for scores in zip(*(self.scores[other] for other in others), strict=True)]
        return float(statistics.median(mine / other for mine, other in zip(self.scores[name], best, strict=True)))

    def spread(self, name: str) -> str:
        """The lowest and highest round of a contestant, in words."""
        scores = self.scores[name]
        return f"{len(scores)} rounds, {readable(min(scores))} to {readable(max(scores))}"


async def interleave(
    contestants: Mapping[str, Contestant],
    seconds: float,
    rounds: int = 3,
    before_each: Callable[[str], Awaitable[None]] | None = None,
) -> Rounds:
    """Let every contestant run once in each round, in an order that turns by one from round to round.

    Args:
        contestants: by name, a coroutine function that runs for about the seconds it is given and returns its score.
        seconds: for each contestant, over all rounds together.
        rounds: how often each one runs.
        before_each: called with the contestant's name before it runs.
    """
    names = list(contestants)
    scores: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            if before_each:
                await before_each(name)
            scores[name].append(await contestants[name](seconds / rounds))
    return Rounds(scores)
