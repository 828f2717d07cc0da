"""What every store must do. One suite (`tests/conformance`) runs against each of them.

A `Database` is one PostgreSQL database, one SQLite file, or one memory. It gives a `JournalStore` and a
`KeyValueStore` per entity type, one `OffsetStore`, one `DeadLetterStore`, one `NoteStore`, and transactions in which a
view's rows and its consumer's offsets commit together. All of it works on bytes; `journal.events.EventJournal` is the
typed face.

Any method of any store may raise `Unavailable` (nothing happened) or, where it writes, `OutcomeUnknown`.
"""

from __future__ import annotations

import builtins
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any

from journal.errors import JournalError
from journal.records import (
    Append,
    Appended,
    ConsumerOffset,
    DeadLetter,
    NewNote,
    Note,
    OffsetMove,
    ShardHead,
    Snapshot,
    StoredEvent,
    TableSpec,
)


class JournalStore(ABC):
    """The events of one entity type, in shards with contiguous offsets.

    Idea: Aecor's `EventJournal`; the counter row per shard, which is also the lock and the fence, is ours.
    """

    name: str
    shard_count: int

    @abstractmethod
    async def append(self, batch: Sequence[Append]) -> list[Appended | JournalError]:
        """Commit a batch in one transaction; give each append its own result, in the batch's order.

        An append that conflicts or is fenced writes nothing and leaves the others unharmed. Appends to one entity
        within the batch stand in order; when one of them fails, those behind it fail with `Conflict` too. A caller
        never has two batches with the same shard in flight.

        Returns:
            for each append `Appended`, or the `Conflict` or `Fenced` that stopped it.

        Raises:
            Unavailable: nothing of the batch was written.
            OutcomeUnknown: the commit's answer was lost; all of it is in the journal, or nothing.
        """

    @abstractmethod
    async def claim(self, shard: int, epoch: int) -> ShardHead:
        """Make `epoch` the only one that may append to `shard`, committed before this returns.

        Returns:
            the shard's row after the claim. Claiming the epoch already held by the same row is refused, too.

        Raises:
            Fenced: the stored epoch is not older than `epoch`.
        """

    @abstractmethod
    async def heads(self) -> list[ShardHead]:
        """The row of every shard, by shard number."""

    @abstractmethod
    async def read_entity(self, key: str, from_seq_nr: int, limit: int) -> list[StoredEvent]:
        """At most `limit` events of an entity from `from_seq_nr` on, in order."""

    @abstractmethod
    async def read_shards(self, after: Mapping[int, int], limit: int) -> list[StoredEvent]:
        """Events of several shards, of each those behind its offset in `after`.

        Within a shard they come in order and without a hole, at most `limit` of each shard.
        """


class KeyValueStore(ABC):
    """The snapshots of one entity type: the newest per key. Name and shape are Aecor's."""

    @abstractmethod
    async def get(self, key: str) -> Snapshot | None:
        """The newest snapshot of an entity, or None."""

    @abstractmethod
    async def put(self, shard: int, epoch: int, snapshot: Snapshot) -> None:
        """Keep `snapshot` as the newest of its key, unless a newer one (by `seq_nr`) is there already.

        Raises:
            Fenced: `epoch` is not the current one of `shard` in the journal of the same entity type.
        """

    @abstractmethod
    async def delete(self, key: str) -> None:
        """Forget the snapshot of `key`, if any."""


class OffsetStore(ABC):
    """How far each consumer has come on each tag, fenced by the epoch of the process that runs it."""

    @abstractmethod
    async def read(self, consumer: str) -> dict[str, ConsumerOffset]:
        """All tags on which `consumer` was ever claimed, by tag."""

    @abstractmethod
    async def claim(self, consumer: str, tags: Sequence[str], epoch: int) -> dict[str, int]:
        """Make `epoch` the only one that may move `consumer` on `tags`; all of them, or none.

        Returns:
            the offset of each tag as of the claim (0 where it is new).

        Raises:
            Fenced: on some tag the stored epoch is not older than `epoch`.
        """

    @abstractmethod
    async def commit(self, consumer: str, moves: Sequence[OffsetMove], epoch: int) -> None:
        """Move offsets in a transaction of their own; for sinks outside this database.

        Raises:
            Fenced: on some tag `epoch` is not the current one, or the offset is not the move's `before`.
        """


class DeadLetterStore(ABC):
    """Events that projections set aside."""

    @abstractmethod
    async def list(self, consumer: str, limit: int = 1000, tag: str | None = None) -> list[DeadLetter]:
        """What `consumer` set aside, on all tags or on one, by tag and offset, at most `limit`."""

    @abstractmethod
    async def ask_again(self, consumer: str, tag: str, offset: int) -> bool:
        """Ask for a letter's event to be handled again; asking twice is asking.

        Returns:
            False if there is no such letter.
        """

    @abstractmethod
    async def asked(self, consumer: str, tags: Sequence[str], limit: int = 1000) -> builtins.list[DeadLetter]:
        """The letters on `tags` that were asked for, by tag and offset, at most `limit`."""


class NoteStore(ABC):
    """Small documents for the management of what runs on this database, each under a kind and a name.

    Kinds and names are any text of 1 to 512 bytes without NUL, payloads at most 1 MiB. Any method raises `InvalidName`
    for what cannot be a kind or a name.
    """

    @abstractmethod
    async def put(self, notes: Sequence[NewNote]) -> None:
        """Insert or replace notes in one transaction, all of them except where the stored one has a higher epoch.

        So whoever was overtaken by a newer epoch cannot overwrite what that one wrote; it is not told. What is replaced
        gets the next revision; a note that is new, or was deleted, begins at 1.

        Raises:
            BadPayload: a payload is too large or no bytes, an epoch is not 0 to 2**63 - 1, or two of the notes have one
                kind and name; nothing is written.
        """

    @abstractmethod
    async def read(self, kinds: Sequence[str], prefix: str = "") -> list[Note]:
        """The notes of these kinds whose names begin with `prefix`, by kind and name in the order of code points."""

    @abstractmethod
    async def delete(self, kind: str, names: Sequence[str]) -> None:
        """Forget the notes of these names, where they exist, whatever their epochs."""


class Transaction(ABC):
    """One database transaction, for a view's rows together with the offsets of what they were made from.

    SQL is the database's own, with `$1`, `$2`, … for arguments on PostgreSQL and SQLite alike. The memory store has
    no SQL and raises `TypeError`; the keyed rows of a `TableSpec` work on all three.
    """

    @abstractmethod
    async def execute(self, sql: str, *arguments: Any) -> None:
        """Run one statement with arguments."""

    @abstractmethod
    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement once per row of arguments."""

    @abstractmethod
    async def fetch(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """Run one query and return its rows."""

    @abstractmethod
    async def get_note(self, kind: str, name: str) -> Note | None:
        """The note, which nobody else writes or deletes until this transaction ends; None if there is none.

        What is not there cannot be kept from others everywhere: on PostgreSQL two transactions may both find None, and
        the note of the one that commits last stays.

        Raises:
            InvalidName: as every method of `NoteStore`.
        """

    @abstractmethod
    async def put_note(self, note: NewNote) -> None:
        """Insert or replace a note when this transaction commits, whatever the stored epoch.

        Raises:
            BadPayload, InvalidName: as `NoteStore.put`.
        """

    @abstractmethod
    async def delete_note(self, kind: str, name: str) -> None:
        """Forget a note, if it exists, when this transaction commits.

        Raises:
            InvalidName: as every method of `NoteStore`.
        """

    @abstractmethod
    async def move_offsets(self, consumer: str, moves: Sequence[OffsetMove], epoch: int) -> None:
        """Move a consumer's offsets when this transaction commits.

        Raises:
            Fenced: as `OffsetStore.commit`; the transaction must then be given up.
        """

    @abstractmethod
    async def read_offsets(self, consumer: str) -> dict[str, ConsumerOffset]:
        """As `OffsetStore.read`, and nobody else moves, claims or places these offsets until this transaction ends.

        What somebody else is just doing to them is waited for, and seen.
        """

    @abstractmethod
    async def place_offsets(self, consumer: str, offsets: Mapping[str, int]) -> None:
        """Set a consumer's offsets when this transaction commits, whoever holds its tags, and fence that holder.

        The epoch of each of the tags is raised by one, so that a move under the epoch held until now is refused; its
        holder has to claim a newer one, and goes on from here. A tag that was never claimed is recorded, under epoch 1.
        Other tags stay as they are. A move in progress is waited for, and then overwritten.

        Args:
            consumer: the consumer.
            offsets: by tag, the last offset that is to count as handled; 0 to begin anew.

        Raises:
            ValueError: an offset is less than 0, or has more than 64 bits.
        """

    @abstractmethod
    async def forget_offsets(self, consumer: str) -> None:
        """Delete all offsets and epochs of a consumer when this transaction commits.

        For consumers that never come back: one that does begins at 0, and no earlier holder is told from a new one.
        """

    @abstractmethod
    async def set_aside(self, letter: DeadLetter) -> None:
        """Record a dead letter when this transaction commits.

        It replaces an earlier one for the same event, which then counts as not asked for.
        """

    @abstractmethod
    async def settle_letter(self, consumer: str, tag: str, offset: int) -> bool:
        """Delete a dead letter when this transaction commits: its event is handled.

        Call it before anything else of the block. Of two blocks that settle one letter, the second waits for the first.

        Returns:
            False if there is no such letter (any more): somebody else has handled its event, so this block must not.
        """

    @abstractmethod
    async def forget_letters(self, consumer: str, tag: str, after: int) -> int:
        """Delete the dead letters of a tag's events behind offset `after` when this transaction commits.

        For a consumer that is set back to `after` in the same transaction: it will meet these events again.

        Returns:
            how many there are.
        """

    @abstractmethod
    async def hand_over_letters(self, consumer: str, to: str) -> int:
        """Make the dead letters of a consumer those of another when this transaction commits, as they are.

        They replace letters that the other one has for the same events.

        Returns:
            how many there are.
        """

    @abstractmethod
    async def get_rows(self, table: TableSpec, keys: Sequence[str]) -> dict[str, tuple[Any, ...]]:
        """The rows of `keys` (those that exist), values in the order of the table's columns."""

    @abstractmethod
    async def put_rows(self, table: TableSpec, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert or replace rows by key, values in the order of the table's columns. Each key at most once per call."""

    @abstractmethod
    async def delete_rows(self, table: TableSpec, keys: Sequence[str]) -> None:
        """Delete the rows of `keys`, where they exist."""

    @abstractmethod
    async def rename_table(self, old: str, new: str) -> None:
        """Give a view's table, made by `create_table` or your own SQL, another name when this transaction commits.

        A table may then be created under the old name; the indexes that `create_table` made are no obstacle. Who reads
        or writes the table is waited for, on PostgreSQL for a second. Rename before you lock offsets: blocks that write
        views take the table first and the offsets second, and in another order two could wait for each other.

        Raises:
            InvalidName: a name cannot be a view table's, or is one of a journal's tables.
            SchemaMismatch: there is no table `old`, or something has the name `new`, or the database's role may not
                rename it; the transaction must then be given up.
            Unavailable: somebody else uses the table for longer than that. Nothing happened.
        """

    @abstractmethod
    async def drop_table(self, name: str) -> None:
        """Delete a view's table with all its rows when this transaction commits; nothing, if there is none.

        Raises:
            InvalidName, SchemaMismatch, Unavailable: as `rename_table`.
        """


class Database(ABC):
    """One place where events, snapshots, offsets and views lie, and can be committed together."""

    url: str

    @abstractmethod
    async def journal(self, name: str, shard_count: int) -> JournalStore:
        """Open the journal `name`, creating it with `shard_count` shards when it is not there.

        Raises:
            InvalidName: `name` cannot be a table's name.
            WrongShardCount: it was created with another count.
            SchemaMismatch: the database belongs to another version of this package.
        """

    @abstractmethod
    def snapshots(self, journal: str) -> KeyValueStore:
        """The snapshot store beside an opened journal."""

    @property
    @abstractmethod
    def notes(self) -> NoteStore:
        """Small documents of management."""

    @property
    @abstractmethod
    def offsets(self) -> OffsetStore:
        """The offsets of all consumers."""

    @property
    @abstractmethod
    def dead_letters(self) -> DeadLetterStore:
        """What projections set aside."""

    @abstractmethod
    async def now(self) -> datetime:
        """The clock by which this database dates what it records, in UTC.

        One clock for all programs on a PostgreSQL server; that of the machine for a SQLite file, to the millisecond.
        """

    @abstractmethod
    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction: commits when the block ends, rolls back when it raises or is cancelled."""

    def relaxed(self) -> Database:
        """This database, with transactions that a crash of its server may take back, the newest first.

        Each is still whole or not there, and what commits after it makes it lasting. For work that is done again from
        its own offset, and of which nobody has been told, such as a view that is being built. Not to be closed.
        """
        return self

    @abstractmethod
    async def create_table(self, table: TableSpec) -> None:
        """Create a view's table and indexes where they are missing.

        Raises:
            SchemaMismatch: a table of that name has other columns.
        """

    @abstractmethod
    async def tables_exist(self, names: Iterable[str]) -> set[str]:
        """Those of `names` under which there is a table.

        Raises:
            InvalidName: a name cannot be a view table's.
        """

    @abstractmethod
    def scan(
        self,
        table: TableSpec,
        where: Mapping[str, Any] | None = None,
        *,
        up_to: tuple[str, Any] | None = None,
        order_by: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[tuple[Any, ...]]:
        """Committed rows, a page at a time, each page as it is when it is read.

        Where a row's value in the column of the order changes meanwhile, the row may come twice, or not at all.

        Args:
            table: the table.
            where: columns and the values they equal; all rows without it.
            up_to: a column and a value: only rows that have a value there, and none greater. Texts compare by code
                points. With an index on the column (not of texts) and `order_by` the same, other rows are not touched.
            order_by: a column by whose values rows come, and equal ones by key; those without a value come last. By
                key alone without it.
            limit: most rows.

        Raises:
            BadPayload: there is no such column, a value does not fit it, or it is a decimal and not in `where`.
        """

    @abstractmethod
    async def close(self) -> None:
        """Release connections, threads and files. Idempotent."""
