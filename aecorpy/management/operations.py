"""What can be asked of deployments from anywhere, running or not: each is a transaction in the journal's database.

So it holds for the whole cluster, survives restarts, and needs no code of the program. Nodes see it within about half a
second; whoever commits under an offset that was moved is fenced at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import NamedTuple

from aecorpy.management.errors import (
    BeyondHead,
    InvalidPlace,
    NoSuchDeployment,
    NoSuchLetter,
    NoSuchProcess,
    NoSuchTag,
    NotAProjection,
    NotIdempotent,
    NotNext,
    NotThatFar,
    StillRunning,
)
from aecorpy.management.look import DeploymentSeen, ProcessSeen, look, look_at_all
from aecorpy.management.seeking import offsets_before
from aecorpy.processing.actions import ACTION, Action, actions_of, note_action
from aecorpy.processing.states import DEPLOYMENT, Registration, process_key, registration_of
from aecorpy.processing.wishes import begin_anew, pause, resume
from journal.contract import Database, JournalStore, Transaction
from journal.records import MAX_OFFSET, DeadLetter, Note, OffsetMove, offset_on
from journal.tagging import EventTag

LOOK_SECONDS = 0.1
MOST_LETTERS = 100_000
SAID_WITHIN = 1.5  # so soon after a process has begun, its node has said so


class Replayed(NamedTuple):
    """A tag that was set back: the projection was at `before`, and goes on from `after`."""

    tag: str
    before: int
    after: int


class Management:
    """The deployments of processes on one database: projections, process managers and other processes.

    All methods raise `Unavailable` when the database is away, those that change something `OutcomeUnknown`, and
    `UnreadableNote` when it belongs to another version. `by` and `why` are kept with what was done.

    Args:
        database: the journal's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def deployments(self) -> list[DeploymentSeen]:
        """All that programs ever started on this database, by name."""
        return await look_at_all(self._database)

    async def show(self, name: str) -> DeploymentSeen:
        """One deployment, with its processes and tags.

        Raises:
            NoSuchDeployment: there is none.
        """
        seen = await look(self._database, name)
        if seen is None:
            raise NoSuchDeployment(name, sorted(await self._registered()))
        return seen

    async def actions(self, name: str) -> list[Action]:
        """The last hundred things that management did to a deployment, the last one last.

        Raises:
            NoSuchDeployment: there is none.
        """
        await self._registration(name)
        notes = await self._database.notes.read([ACTION], name)
        return actions_of(next((note for note in notes if note.name == name), None))

    async def pause(
        self, name: str, *, by: str, why: str = "", process: int | None = None, wait: float | None = None
    ) -> None:
        """Stop a deployment, or one of its processes, on whichever nodes, until it is resumed.

        Args:
            name: the deployment's.
            by, why: who wants that, and the reason.
            process: the number of the only process that is meant.
            wait: return when all that is meant has paused, at the latest after so many seconds.

        Raises:
            NoSuchDeployment, NoSuchProcess: there is none.
            StillRunning: something has not paused in time; the wish holds all the same.
        """
        await pause(self._database, await self._target(name, process), by, why)
        if wait is not None:
            await self._paused(name, process, wait)

    async def resume(self, name: str, *, by: str, why: str = "", process: int | None = None) -> None:
        """Let a deployment, or one of its processes, run again. What was paused by itself has to be resumed by itself.

        Raises:
            NoSuchDeployment, NoSuchProcess: there is none.
        """
        await resume(self._database, await self._target(name, process), by, why)

    async def skip(self, name: str, tag: str, offset: int, *, by: str, why: str) -> DeadLetter:
        """Leave out the event that a projection has to handle next on a tag; it goes to the dead letters.

        Returns:
            the letter, which tells who skipped it and why, and what it had failed with.

        Raises:
            NoSuchDeployment, NotAProjection, NoSuchTag: there is no such place.
            BeyondHead: there is no such event yet.
            NotNext: it is not the next one.
            InvalidPlace: offsets count from 1.
        """
        if offset < 1:
            raise InvalidPlace(f"offsets begin at 1, not at {offset}")
        registration = await self._projection(name)
        shard, store = self._shard(registration, tag), await self._store(registration)
        head = (await store.heads())[shard].head
        if offset > head:
            raise BeyondHead(tag, offset, head)
        seen = await self.show(name)
        failure = next((one.error for one in seen.tags if one.tag == tag and one.offset == offset - 1), None)
        text = f"skipped: {why}" if failure is None else f"skipped: {why} (it had failed with {failure})"
        (record,) = await store.read_shards({shard: max(0, offset - 1)}, 1)
        letter = DeadLetter(name, tag, offset, record.key, record.seq_nr, record.type_name, text, by=by)
        now = await self._database.now()
        async with self._changing(name) as transaction:
            row = (await transaction.read_offsets(name)).get(tag)
            at = 0 if row is None else row.offset
            if offset != at + 1:
                raise NotNext(name, tag, offset, at, head)
            if row is None:  # nothing has ever run
                await transaction.place_offsets(name, {tag: offset})
            else:
                await transaction.move_offsets(name, [OffsetMove(tag, at, offset)], row.epoch)
            await transaction.set_aside(letter)
            await self._done(transaction, name, Action(now, by, f"skip {tag} {offset}", why))
        return letter

    async def letters(self, name: str, *, tag: str | None = None, limit: int = 1000) -> list[DeadLetter]:
        """What a projection has set aside, or somebody skipped, on all tags or one; by tag and offset, at most `limit`.

        Raises:
            NoSuchDeployment, NotAProjection, NoSuchTag: there is no such place.
        """
        await self._tags(name, tag)
        return await self._database.dead_letters.list(name, limit, tag)

    async def retry(
        self, name: str, *, tag: str | None = None, offset: int | None = None, by: str, why: str = ""
    ) -> int:
        """Have dead letters handled again: all of a projection, those of one tag, or that of one event.

        Each is handled by itself, out of order, by the process that has the tag, before it reads on. What fails again
        is set aside again, with its new error. While nothing runs, they wait.

        Returns:
            how many that are, at most 100,000 at once.

        Raises:
            NoSuchDeployment, NotAProjection, NoSuchTag: there is no such place.
            NoSuchLetter: there is none of that event.
            InvalidPlace: an offset without its tag.
        """
        if offset is not None and tag is None:
            raise InvalidPlace("say on which tag the event is: offsets count by tag")
        await self._tags(name, tag)
        store = self._database.dead_letters
        if tag is not None and offset is not None:
            places = [(tag, offset)]
        else:
            places = [(letter.tag, letter.offset) for letter in await store.list(name, MOST_LETTERS, tag)]
        asked = [place for place in places if place[1] <= MAX_OFFSET and await store.ask_again(name, *place)]
        if tag is not None and offset is not None and not asked:
            raise NoSuchLetter(name, tag, offset)
        if asked:
            what = (
                f"retry {tag} {offset}"
                if offset is not None
                else f"retry {len(asked)} dead letter{'' if len(asked) == 1 else 's'}"
            )
            now = await self._database.now()
            async with self._changing(name) as transaction:
                await self._done(transaction, name, Action(now, by, what, why))
        return len(asked)

    async def replay(
        self, name: str, start: int | datetime, *, tag: str | None = None, by: str, why: str = "", force: bool = False
    ) -> list[Replayed]:
        """Have a projection handle again what it has handled already, on all tags or on one.

        A replay goes back, never forward: tags that have not come so far stay where they are. Dead letters of what
        comes again are dropped; an event that still cannot be handled is set aside once more.

        Args:
            name: the projection's.
            start: the first event to be handled again: its offset, 1 for the start; or a time with zone, for the first
                one that was recorded then or later.
            tag: the only tag that is meant.
            by, why: who wants that, and the reason.
            force: do it although events count twice.

        Returns:
            the tags that were set back; none when there was nothing to handle again.

        Raises:
            NoSuchDeployment, NotAProjection, NoSuchTag: there is no such place.
            NotIdempotent: events would count twice, and `force` is not given.
            InvalidPlace: an offset below 1, or a time without zone.
            BeyondHead: there is no event of that offset yet.
            NotThatFar: the one tag that is meant has not come to that offset.
        """
        registration = await self._projection(name)
        tags = await self._tags(name, tag)
        if not (registration.idempotent or force):
            raise NotIdempotent(name, registration.kind)
        targets = await self._targets(registration, tags, start)
        now = await self._database.now()
        async with self._changing(name) as transaction:
            rows = await transaction.read_offsets(name)
            there = {one: offset_on(rows, one) for one in tags}
            if tag is not None and not isinstance(start, datetime) and start - 1 > there[tag]:
                raise NotThatFar(name, tag, start, there[tag])
            back = {one: targets[one] for one in tags if targets[one] < there[one]}
            if back:
                await transaction.place_offsets(name, back)
                for one, offset in back.items():
                    await transaction.forget_letters(name, one, offset)
                await self._done(transaction, name, Action(now, by, _told(start, tag), why))
        return [Replayed(one, there[one], back[one]) for one in tags if one in back]

    async def _targets(
        self, registration: Registration, tags: Mapping[str, int], start: int | datetime
    ) -> dict[str, int]:
        """The offset behind which each tag is to begin."""
        store = await self._store(registration)
        heads = {row.shard: row.head for row in await store.heads()}
        if isinstance(start, datetime):
            if start.tzinfo is None:
                raise InvalidPlace(f"{start.isoformat()} has no zone: say which, such as {start.isoformat()}+00:00")
            found = await offsets_before(store, start, {shard: heads[shard] for shard in tags.values()})
            return {tag: found[shard] for tag, shard in tags.items()}
        if start < 1:
            raise InvalidPlace(f"offsets begin at 1, not at {start}")
        furthest, shard = max((heads[shard], shard) for shard in tags.values())
        if start > max(1, furthest):
            raise BeyondHead(str(EventTag(store.name, shard)), start, furthest)
        return dict.fromkeys(tags, start - 1)

    async def _paused(self, name: str, process: int | None, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        end = began + seconds
        while True:
            seen = await self.show(name)
            meant = [one for one in seen.processes if process in (None, one.number)]
            sure = loop.time() >= min(end, began + SAID_WITHIN)  # what begins later hears of the wish first
            if not (running := [one for one in meant if not _rests(one, seen.control.revision, sure)]):
                return
            if loop.time() >= end:
                raise StillRunning(name, [f"process {one.number} is {one.state}" for one in running], seconds)
            await asyncio.sleep(min(LOOK_SECONDS, max(0.0, end - loop.time())))

    @asynccontextmanager
    async def _changing(self, name: str) -> AsyncIterator[Transaction]:
        """A transaction for a deployment, of which there is one at a time, so that they lock all else in any order."""
        async with self._database.transaction() as transaction:
            await transaction.get_note(DEPLOYMENT, name)
            yield transaction

    async def _done(self, transaction: Transaction, name: str, action: Action) -> None:
        """What moved offsets or marked letters: processes start anew, and it is noted who did it."""
        await begin_anew(transaction, name, action.by, action.why)
        await note_action(transaction, name, action)

    async def _registered(self) -> dict[str, Note]:
        return {note.name: note for note in await self._database.notes.read([DEPLOYMENT])}

    async def _registration(self, name: str) -> Registration:
        found = await self._registered()
        if name not in found:
            raise NoSuchDeployment(name, sorted(found))
        return registration_of(found[name])

    async def _target(self, name: str, process: int | None) -> str:
        count = len((await self._registration(name)).processes)
        if process is None:
            return name
        if not 0 <= process < count:
            raise NoSuchProcess(name, process, count)
        return process_key(name, process)

    async def _projection(self, name: str) -> Registration:
        registration = await self._registration(name)
        if registration.journal is None:
            raise NotAProjection(name, registration.kind)
        return registration

    async def _store(self, registration: Registration) -> JournalStore:
        return await self._database.journal(str(registration.journal), registration.shards)

    async def _tags(self, name: str, tag: str | None) -> dict[str, int]:
        """The shards of all tags of a projection, or of the one that is meant, by tag."""
        registration = await self._projection(name)
        if tag is not None:
            return {tag: self._shard(registration, tag)}
        return {str(EventTag(str(registration.journal), shard)): shard for shard in range(registration.shards)}

    def _shard(self, registration: Registration, tag: str) -> int:
        shards = registration.shards
        found = next((shard for shard in range(shards) if tag == f"{registration.journal}-{shard}"), None)
        if found is None:
            raise NoSuchTag(registration.name, tag, str(registration.journal), shards)
        return found


def _rests(process: ProcessSeen, revision: int, sure: bool) -> bool:
    """Whether a process does nothing, and will not.

    Args:
        process: as it is seen.
        revision: that of what is wanted of its deployment.
        sure: it would have been said if it had begun before it was to pause.
    """
    if process.said is not None and process.state == "paused":
        return process.said.revision >= revision + process.control.revision
    return sure and process.state in ("gone", "unknown")


def _told(start: int | datetime, tag: str | None) -> str:
    where = "all tags" if tag is None else tag
    if isinstance(start, datetime):
        return f"replay {where} from {start.isoformat()}"
    return f"replay {where} from {'the start' if start == 1 else start}"
