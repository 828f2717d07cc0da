"""Runs a projection over the tags it was given: read, handle, and what to do when an event cannot be handled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from aecorpy.errors import AecorError, Fenced, OutcomeUnknown, Unavailable, text_of
from aecorpy.pauses import Retry
from aecorpy.processing.process import HeldProcess
from aecorpy.projection.asked import AskedLetters
from aecorpy.projection.contract import Projection, SetAside, Step, Stop
from aecorpy.projection.pace import Pace
from journal.contract import Database
from journal.events import EntityEvent, EventJournal
from journal.pages import PageSize
from journal.records import DeadLetter, OffsetMove, StoredEvent
from journal.tagging import EventTag

E = TypeVar("E")

STORE_PAUSES = Retry(0.05, 2.0)
_NONE_DONE: Mapping[int, int] = {}

_log = logging.getLogger(__name__)


class ProjectionStopped(AecorError, HeldProcess):
    """An event could not be handled and the projection's policy is `Stop`."""

    def __init__(self, consumer: str, tag: str, event: StoredEvent, cause: BaseException) -> None:
        super().__init__(
            f"projection {consumer!r} stopped at {tag} offset {event.offset} "
            f"({event.type_name} of {event.key!r}, seq_nr {event.seq_nr}): {text_of(cause)}"
        )
        self.consumer, self.tag, self.offset, self.key = consumer, tag, event.offset, event.key


@dataclass(frozen=True, slots=True)
class TagStatus:
    """Where a projection is on one tag.

    Args:
        offset: up to here it has handled and committed.
        failures: how often the event behind `offset` has failed in a row.
        error: the last failure's text.
    """

    tag: str
    offset: int
    failures: int = 0
    error: str | None = None


@dataclass(slots=True)
class _Tag:
    """One tag's place, and its trouble: how often the event behind `offset` failed, and when to try again."""

    tag: EventTag
    offset: int
    failures: int = 0
    error: str | None = None
    held_until: float = 0.0


class ProjectionRunner(Generic[E]):
    """One running instance of a projection on some tags.

    Args:
        name: the consumer whose offsets move.
        projection: what handles the events.
        journal, database: where events come from, and where offsets commit.
        tags: the streams to read; no other runner of `name` should have one of them, and if one does, the one with the
            older epoch is fenced.
        draw: random numbers in [0, 1), which spread the pauses.
        epoch: the claim under which the tags are held.
        pace: lets the node's other work go first; without one it goes as fast as it can.
        effects: by shard, up to which offset effects are done already; None holds them all.
    """

    def __init__(
        self,
        name: str,
        projection: Projection[E],
        journal: EventJournal[E],
        database: Database,
        tags: Sequence[EventTag],
        *,
        draw: Callable[[], float],
        epoch: int,
        pace: Pace | None = None,
        effects: Mapping[int, int] | None = _NONE_DONE,
    ) -> None:
        self.name = name
        self._pace = pace
        self._page = PageSize(projection.batch if pace is None else min(pace.batch, projection.batch))
        self._effects = None if effects is None else dict(effects)
        self._projection = projection
        self._journal = journal
        self._database = database
        self._draw = draw
        self._epoch = epoch
        self._tags = {tag.shard: _Tag(tag, 0) for tag in tags}
        self._handled = 0

    @property
    def handled(self) -> int:
        """How many events it has handled since it started."""
        return self._handled

    def tags(self) -> tuple[TagStatus, ...]:
        """Where it is on each tag."""
        return tuple(TagStatus(str(tag.tag), tag.offset, tag.failures, tag.error) for tag in self._tags.values())

    def details(self) -> dict[str, Any]:
        """What is worth knowing from outside the process: events handled, and the tags that are in trouble."""
        trouble = {tag.tag: (tag.offset, tag.failures, tag.error) for tag in self.tags() if tag.failures}
        return {"handled": self._handled, "trouble": trouble}

    async def run(self) -> None:
        """Project until cancelled.

        Raises:
            Fenced: another runner has taken the tags over.
            ProjectionStopped: an event could not be handled and the policy is `Stop`.
        """
        await self._with_patience(self._start)
        while True:
            await self._with_patience(self._step)
            await asyncio.sleep(0)  # a store in memory never waits, and others want the loop too

    async def _with_patience(self, action: Callable[[], Any]) -> None:
        """Do `action`, however long the store is away; where we are is read from it again after each failure."""
        failures = 0
        while True:
            try:
                if failures:
                    await self._reread()
                await action()
            except (Unavailable, OutcomeUnknown) as error:
                failures += 1
                _log.warning("projection %r waits, and tries again: %s", self.name, error)
                await asyncio.sleep(STORE_PAUSES.pause(failures, self._draw()))
            else:
                return

    async def _start(self) -> None:
        await self._projection.prepare(self._database)
        await self._reread()
        self._handled = 0
        for tag in self._tags.values():
            tag.held_until = 0.0  # whoever starts it anew wants it to be tried now
        if self._effects is not None:  # they have effects, too: they wait until this generation serves
            letters = AskedLetters(self.name, self._projection, self._journal, self._database)
            await letters.handle(self._epoch, {str(tag.tag): tag.offset for tag in self._tags.values()})

    async def _reread(self) -> None:
        stored = await self._database.offsets.read(self.name)
        for tag in self._tags.values():
            row = stored.get(str(tag.tag))
            if row is None or row.epoch != self._epoch:
                known = None if row is None else row.epoch
                raise Fenced(f"projection {self.name!r} on {tag.tag}", self._epoch, known)
            if row.offset != tag.offset:  # committed before a failure, or by a commit whose answer was lost
                self._handled += max(0, row.offset - tag.offset)
                self._moved({tag.tag.shard: row.offset})

    async def _step(self) -> None:
        """Wait for events, read some of every tag that has any, and handle them."""
        ready = await self._ready()
        if not ready:
            return
        if self._pace is None:
            await self._read_and_handle(ready)
        else:
            async with self._pace.turn():
                await self._read_and_handle(ready)

    async def _read_and_handle(self, ready: dict[int, int]) -> None:
        limit = max(1, self._page.events // len(ready))
        records = await self._journal.read_shards(ready, limit)
        if not records:
            return
        self._page.read(records)
        try:
            await self._handle([self._journal.decode(record) for record in records])
            return
        except (Fenced, Unavailable, OutcomeUnknown):
            raise
        except Exception as error:  # noqa: BLE001 - one event's failure must not stop other tags: it is found and dealt with
            _log.debug("projection %r: a step failed, its tags are tried one by one: %s", self.name, error)
        await self._reread()  # one that was superseded sees rows ahead of it: it has to hear of that instead
        for shard in ready:
            await self._handle_tag([record for record in records if record.shard == shard])

    async def _ready(self) -> dict[int, int]:
        """The tags known to have events behind their offset, leaving out those held after a failure."""
        now = asyncio.get_running_loop().time()
        held = [tag.held_until for tag in self._tags.values() if tag.held_until > now]
        active = {shard: tag.offset for shard, tag in self._tags.items() if tag.held_until <= now}
        try:
            async with asyncio.timeout(min(held) - now if held else None):
                await self._journal.wait_beyond(active)
        except TimeoutError:
            return {}
        return self._journal.grown_beyond(active)

    async def _handle(self, events: Sequence[EntityEvent[E]]) -> None:
        """Handle events and commit their offsets, all or none."""
        last: dict[int, int] = {}
        for event in events:
            last[event.shard] = event.offset
        if self._effects is not None:
            await self._have_effects(events, self._effects)
        moves = [OffsetMove(str(self._tags[shard].tag), self._tags[shard].offset, to) for shard, to in last.items()]
        await self._projection.handle(self._database, Step(self.name, self._epoch, events, moves))
        self._moved(last)
        self._handled += len(events)

    async def _have_effects(self, events: Sequence[EntityEvent[E]], done: dict[int, int]) -> None:
        """Once for each event in this runner's life, however often the step itself is tried."""
        ahead = [event for event in events if event.offset > done.get(event.shard, 0)]
        if ahead:
            await self._projection.effects(ahead)
            done.update({event.shard: event.offset for event in ahead})

    def _moved(self, offsets: dict[int, int]) -> None:
        for shard, offset in offsets.items():
            tag = self._tags[shard]
            tag.offset, tag.failures, tag.error, tag.held_until = offset, 0, None, 0.0

    async def _handle_tag(self, records: Sequence[StoredEvent]) -> None:
        """Handle one tag's events one by one up to the first that fails, and apply the policy to that one."""
        for record in records:
            if record.offset <= self._tags[record.shard].offset:
                continue  # committed before the step failed
            try:
                await self._handle([self._journal.decode(record)])
            except (Fenced, Unavailable, OutcomeUnknown):
                raise
            except Exception as error:  # noqa: BLE001 - whatever a projection raises is its policy's matter
                if not await self._failed(record, error):
                    return

    async def _failed(self, record: StoredEvent, error: Exception) -> bool:
        """Apply the policy; True when the event was set aside and the next one may come."""
        tag = self._tags[record.shard]
        former, tag.failures, tag.error = tag.error, tag.failures + 1, text_of(error)
        policy = self._projection.on_failure
        _log.error(
            "projection %r cannot handle %s offset %d (%s of %r), failure %d: %s",
            self.name,
            tag.tag,
            record.offset,
            record.type_name,
            record.key,
            tag.failures,
            tag.error,
            exc_info=None if tag.error == former else error,  # where it came from is told once
        )
        if isinstance(policy, Stop):
            raise ProjectionStopped(self.name, str(tag.tag), record, error) from error
        if isinstance(policy, SetAside) and tag.failures >= policy.attempts:
            await self._set_aside(record, tag.error)
            return True
        retry = policy.retry if isinstance(policy, SetAside) else policy
        tag.held_until = asyncio.get_running_loop().time() + retry.pause(tag.failures, self._draw())
        return False

    async def _set_aside(self, record: StoredEvent, error: str) -> None:
        tag = self._tags[record.shard]
        name = str(tag.tag)
        letter = DeadLetter(self.name, name, record.offset, record.key, record.seq_nr, record.type_name, error)
        step: Step[E] = Step(self.name, self._epoch, (), [OffsetMove(name, tag.offset, record.offset)], [letter])
        async with self._database.transaction() as transaction:
            await step.commit_in(transaction)
        self._moved({record.shard: record.offset})


__all__ = ["ProjectionRunner", "ProjectionStopped", "TagStatus"]
