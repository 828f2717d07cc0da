"""What the tests of the PostgreSQL store share: a store to test, a bystander's session, and a cable that can be cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from journal.postgres import PostgresDatabase
from journal.postgres.journal_store import PostgresJournal
from tests.waiting import eventually

SHARDS = 4


@asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[PostgresDatabase]:
    """The database at `url`, closed at the end without waiting."""
    database = await PostgresDatabase.open(url, **{"close_timeout": 0.0, **options})
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def opened_store(url: str, *, claim: bool = True, **options: Any) -> AsyncIterator[PostgresJournal]:
    """A journal of four shards, claimed under epoch 1 if this is the first to open it."""
    async with opened(url, **options) as database:
        store = await database.journal("booking", SHARDS)
        if claim:
            for shard in range(SHARDS):
                await store.claim(shard, 1)
        yield store


@asynccontextmanager
async def session(url: str) -> AsyncIterator[Any]:
    """A connection of somebody else's, without any of our settings."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        with suppress(asyncpg.InterfaceError, asyncpg.PostgresError, OSError):
            await connection.close(timeout=5)


async def waiting_for_a_lock(connection: Any) -> int:
    """The process id of a session of ours that waits for a lock, as soon as there is one."""

    async def look() -> int | None:
        await connection.execute(
            "SELECT pg_stat_clear_snapshot()"
        )  # else a transaction sees the same sessions for ever
        found: int | None = await connection.fetchval(
            "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'aecorpy' "
            "AND datname = current_database()"
        )
        return found

    return await eventually(look, what="a session of ours waits for a lock") or 0


async def stopped_in_exchange(connection: Any) -> None:
    """Wait until a session waits for the rest of what its client has to say."""

    async def one_does() -> bool:
        found = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND wait_event = 'ClientRead' "
            "AND datname = current_database()"
        )
        return bool(found)

    await eventually(one_does, what="a client has stopped in the middle of an exchange")


def prepares(question: bytes) -> bool:
    """Whether the client has asked the server to prepare a statement, and to answer before it goes on with it."""
    return question.endswith(b"H\0\0\0\4")


class Cable:
    """A way to the server on which a test can cut connections and hold back answers.

    `swallow` is asked for each answer: True cuts the connection instead of delivering it. While `deliver` is not set,
    answers wait. `stop_after` is asked for each question that was passed on: True, and nothing more comes from that
    client, as if it had been stopped there.
    """

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.deliver = asyncio.Event()
        self.deliver.set()
        self.swallow: Callable[[bytes], bool] = lambda answer: False
        self.stop_after: Callable[[bytes], bool] = lambda question: False

    async def __aenter__(self) -> Cable:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        host = f"{self._parts.netloc.rpartition('@')[0]}@127.0.0.1:{port}"
        self.url = urlunsplit(self._parts._replace(netloc=host))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Cut every connection there is."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._carry(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        self._writers.append(writer)
        try:
            server_reader, server_writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)
            ends.append(server_writer)
            self._writers.append(server_writer)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._forward(reader, server_writer, answers=False))
                group.create_task(self._forward(server_reader, writer, answers=True))
        finally:
            for end in ends:
                end.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if answers:
                    await self.deliver.wait()
                    if self.swallow(data):
                        break
                writer.write(data)
                await writer.drain()
                if not answers and self.stop_after(data):
                    await asyncio.Event().wait()
        writer.transport.abort()
