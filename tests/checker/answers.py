"""I2: what was answered is in the journal, what was refused is not, what is unknown is there whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator

from tests.checker.history import History, Violation
from tests.checker.records import ANSWERED, REFUSED, REJECTED, UNKNOWN, Calm, Crashed, Record, Sent, Told


def answers(history: History) -> Iterator[Violation]:
    """Compare each command with what its sender was told."""
    crashed = {record.node for record in history.of(Crashed)}
    for command, sent in history.sent.items():
        told = history.told.get(command, [])
        if not told and sent.sender not in crashed:
            yield Violation("unknown-is-said", "I2", "its sender was told nothing", sent)
        found = len(history.by_command.get(command, ()))
        yield from _compared(sent, told, found)
    for command, events in history.by_command.items():
        if command and command not in history.sent:
            yield Violation("durable", "I2", f"nobody has sent {command!r}", events[0])


def _compared(sent: Sent, told: list[Told], found: int) -> Iterator[Violation]:
    outcomes = {one.outcome: one for one in reversed(told)}
    no = outcomes.get(REJECTED) or outcomes.get(REFUSED)
    answered = outcomes.get(ANSWERED)
    if answered is not None and found < sent.events:
        yield _durable(f"{found} of its {sent.events} events are in the journal", answered)
    elif answered is not None and sent.events == 0 and found:
        yield _durable("it appends nothing, and is in the journal", answered)
    elif answered is None and UNKNOWN not in outcomes and no is not None and found:
        yield Violation("unknown-is-said", "I2", f"{found} of its events are in the journal", no)
    elif answered is None and 0 < found < sent.events:
        yield _durable(f"only {found} of its {sent.events} events are in the journal", told[0] if told else sent)


def _durable(what: str, record: Record) -> Violation:
    return Violation("durable", "I2", what, record)


def calm(history: History) -> Iterator[Violation]:
    """I9, in a history in which nothing goes wrong: every command is answered."""
    since = next((record.at for record in history.of(Calm)), None)
    if since is None:
        return
    for told in history.of(Told):
        sent = history.sent.get(told.command)
        if sent is None or sent.at < since:
            continue
        if told.outcome == UNKNOWN:
            yield Violation("unknown-is-said", "I9", f"nothing went wrong, and it is unknown ({sent})", told)
        elif told.outcome == REFUSED:
            yield Violation("kept-alive", "I9", f"nothing went wrong, and it is refused ({sent})", told)
