"""I8: what a snapshot, a recovery or an entity in memory has is what its events lead to."""

from __future__ import annotations

from collections.abc import Iterator

from tests.checker.history import History, Violation
from tests.checker.records import State


def states(history: History) -> Iterator[Violation]:
    """Compare each with the fold of all its events."""
    for state in history.of(State):
        values = history.values_at(state.key)
        if state.seq_nr >= len(values):
            yield _violation(f"the journal has {len(values) - 1} events", state)
        elif state.value != values[state.seq_nr]:
            yield _violation(f"the events lead to {values[state.seq_nr]!r}", state)


def _violation(what: str, state: State) -> Violation:
    return Violation("durable", "I8", what, state)
