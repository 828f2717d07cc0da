"""Made-up runs of a system that keeps all promises, drawn at random: what they leave is a good history."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.checker.models import ADD, APPEND, WRITE, after
from tests.checker.records import (
    ANSWERED,
    READ,
    REFUSED,
    REJECTED,
    UNKNOWN,
    CaughtUp,
    Claimed,
    Crashed,
    Event,
    Leased,
    Moved,
    Record,
    Row,
    Sent,
    Shown,
    Started,
    State,
    Told,
    Value,
)

SHARDS = 2
MODELS = (ADD, WRITE, APPEND)


class Run:
    """A run of so many commands on a few entities.

    Args:
        draws: what decides.
        commands: how many are sent.
        keys: on how many entities.
        moving: how often shards move.
    """

    def __init__(self, draws: random.Random, commands: int, keys: int = 3, moving: float = 0.05) -> None:
        self.records: list[Record] = []
        self._draws, self._commands, self._moving = draws, commands, moving
        self._keys = [f"k{number}" for number in range(keys)]
        self._now = 0.0
        self._events: dict[int, list[Event]] = {shard: [] for shard in range(SHARDS)}
        self._values: dict[str, list[Value]] = {key: [None] for key in self._keys}
        self._epochs = dict.fromkeys(range(SHARDS), 0)
        self._owners = dict.fromkeys(range(SHARDS), "")
        self._read = dict.fromkeys(range(SHARDS), 0)
        self._lives = 0
        self._numbers = 0

    def play(self) -> list[Record]:
        """The whole run's records."""
        for shard in range(SHARDS):
            self._move(shard)
        commands = [self._command(f"s{number % 3}") for number in range(self._commands)]
        under_way: list[Iterator[None]] = []
        while commands or under_way:
            self._tick()
            if commands and (not under_way or (len(under_way) < 8 and self._draws.random() < 0.4)):
                under_way.append(commands.pop())
            one = self._draws.choice(under_way)
            if next(one, self) is self:
                under_way.remove(one)
            if self._draws.random() < self._moving:
                self._move(self._draws.randrange(SHARDS))
            if self._draws.random() < 0.2:
                self._project(self._draws.randrange(SHARDS))
        self._end()
        return self.records

    def _tick(self) -> float:
        self._now += self._draws.choice((0.0, 0.001, 0.01))
        return self._now

    def _command(self, sender: str) -> Iterator[None]:
        draws, key = self._draws, self._draws.choice(self._keys)
        kind, shard = int(key[1:]), int(key[1:]) % SHARDS
        self._numbers += 1
        number, read, command = self._numbers, draws.random() < 0.3, f"{sender}.{self._numbers}"
        events = 0 if read else draws.choice((1, 1, 2))
        op = READ if read else MODELS[kind % len(MODELS)]
        self.records.append(Sent(self._tick(), command, f"{sender}.{number}", 1, key, op, events))
        yield
        fate = draws.choice((ANSWERED,) * 8 + (REJECTED, REFUSED, UNKNOWN, "late"))
        if fate == "late":  # unknown, and it happens afterwards
            self.records.append(Told(self._tick(), command, UNKNOWN))
            yield
        if fate in (ANSWERED, "late") or (fate == UNKNOWN and draws.random() < 0.5):
            for part in range(events):
                self._append(key, shard, op, command, draws.choice((0, 1, 5)), part)
        value, epoch = self._values[key][-1], self._epochs[shard] if read else None
        yield
        if fate != "late":
            answered = fate == ANSWERED
            self.records.append(Told(self._tick(), command, fate, value if answered else None, epoch))

    def _append(self, key: str, shard: int, op: str, command: str, arg: int, part: int) -> None:
        log, values = self._events[shard], self._values[key]
        place = (shard, len(log) + 1, key, len(values), self._epochs[shard])
        item: Value = arg if op != APPEND else f"{command}.{part}"
        log.append(Event(self._now, "notes", *place, command, self._owners[shard], op, item))
        self.records.append(log[-1])
        values.append(after(values[-1], op, item))

    def _move(self, shard: int) -> None:
        if self._owners[shard]:
            self.records.append(Crashed(self._tick(), self._owners[shard]))
        self._lives += 1
        owner = self._owners[shard] = f"n{self._lives}"
        epoch = self._epochs[shard] = self._epochs[shard] + self._draws.choice((1, 3))
        self.records.append(Leased(self._tick(), owner, self._now + 1e6))
        self.records.append(Started(self._tick(), "shard", "notes", shard, owner, epoch))
        self.records.append(Claimed(self._tick(), "notes", shard, epoch, owner))
        self.records.append(Claimed(self._now, "view", shard, epoch, owner))

    def _project(self, shard: int) -> None:
        done, log = self._read[shard], self._events[shard]
        until = min(len(log), done + self._draws.choice((1, 5)))
        owner = self._owners[shard]
        if until > done:
            for event in log[done:until]:
                place = (shard, event.offset, event.key, event.seq_nr)
                self.records.append(Shown(self._now, "sink", *place, owner))
            self.records.append(Moved(self._now, "view", shard, done, until, self._epochs[shard], owner))
            self._read[shard] = until

    def _end(self) -> None:
        for shard in range(SHARDS):
            while self._read[shard] < len(self._events[shard]):
                self._project(shard)
        for key, values in self._values.items():
            if len(values) > 1:
                self.records.append(Row(self._tick(), "view", key, len(values) - 1, values[-1]))
                version = self._draws.randrange(len(values))
                self.records.append(State(self._now, "snapshot", key, version, values[version]))
        if any(log for log in self._events.values()):
            self.records += [CaughtUp(self._now, "view"), CaughtUp(self._now, "sink")]
