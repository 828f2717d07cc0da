"""A few connections, and transactions on them that end in time, one way or another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

import asyncpg

from sharding.store.errors import ClusterStoreError, StoreOutcomeUnknown, StoreUnavailable
from sharding.store.postgres.address import Address
from sharding.store.scripts import statements

T = TypeVar("T")

MOST_WAITING: Final = 1_000
PACKAGE: Final = "sharding.store.postgres"

# What asyncpg raises about the database or the way to it. OSError includes TimeoutError.
DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)

# The session is over. If it ended while COMMIT was in flight, the server may have committed and lost the session before
# the answer was out.
_SESSION_OVER = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InternalClientError,
    OSError,
)

# A statement waited too long, for a lock most likely. Which of the two limits is met first is chance.
_HELD_UP = (asyncpg.QueryCanceledError, TimeoutError)

# Settings live as long as the transaction: behind a pooler the next one runs in another session. The statements of one
# transaction are sent one by one, so a client that stops in between must not keep its locks: the server ends it.
_SETTINGS = """
SET LOCAL synchronous_commit = on;
SET LOCAL statement_timeout = {milliseconds};
SET LOCAL idle_in_transaction_session_timeout = {milliseconds}
"""
CHANGE: Final = "BEGIN ISOLATION LEVEL READ COMMITTED;" + _SETTINGS
# One snapshot for all its statements. READ WRITE, because a replica refuses that: it may lag, and has another clock.
READ: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE;" + _SETTINGS
# A wait for a synchronous replica that times out at the server would be reported as done.
_COMMIT: Final = "SET LOCAL statement_timeout = 0; COMMIT"


class Lane:
    """At most `size` connections to one server, opened when needed, and again after they broke.

    Args:
        address: the server and database.
        size: most connections at a time.
        limit: seconds for a whole call, waiting for a connection and connecting included.
    """

    def __init__(self, address: Address, size: int, limit: float) -> None:
        self.where = address.where
        self._address = address
        self._limit = limit
        self._size = size
        self._free = asyncio.Semaphore(size)
        self._waiting = 0
        self._idle: list[Any] = []
        self._closed = False
        self._held_up = False

    async def transaction(self, kind: str, work: Callable[[Any], Awaitable[T]], *, limit: float | None = None) -> T:
        """Run `work` on a connection in a transaction and commit it; undo it when `work` raises or is cancelled.

        Args:
            kind: `CHANGE` or `READ`.
            work: gets the connection.
            limit: seconds, instead of the lane's.

        Raises:
            StoreUnavailable: nothing happened.
            StoreOutcomeUnknown: the answer to COMMIT was lost, and there was something to commit.
        """
        limit = limit or self._limit
        call = _Call(kind, limit)
        try:
            async with asyncio.timeout(limit):
                await self._take_turn()
                try:
                    return await self._run(call, work)
                finally:
                    self._free.release()
        except DRIVER_ERRORS as error:
            self._held_up = self._held_up or isinstance(error, _HELD_UP)
            if isinstance(error, _SESSION_OVER):
                self._drop_idle()  # what broke one has most likely broken them all, and each would cost a call
            raise self._meaning(call, error) from error

    async def close(self) -> None:
        """Refuse new calls, wait for those there are (they end in time) and close the connections. Idempotent."""
        self._closed = True
        self._drop_idle()
        ended = 0
        try:
            for _ in range(self._size):
                await self._free.acquire()
                ended += 1
        finally:
            for _ in range(ended):
                self._free.release()

    async def _take_turn(self) -> None:
        self._check_open()
        if self._waiting >= MOST_WAITING:
            raise StoreUnavailable(f"{self.where}: {MOST_WAITING} calls wait already")
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1

    async def _run(self, call: _Call, work: Callable[[Any], Awaitable[T]]) -> T:
        connection = await self._begin(call.begin)
        try:
            result = await _or_rolled_back(connection, work)
            if connection.is_closed():
                raise StoreUnavailable(f"{self.where}: the connection was lost; nothing happened")
            call.committing = True
            if await connection.execute(_COMMIT) != "COMMIT":
                raise StoreUnavailable(f"{self.where}: the transaction was rolled back; nothing happened")
        except ClusterStoreError:
            self._give_back(connection)
            raise
        except BaseException:
            if connection.is_in_transaction() or call.committing:
                connection.terminate()  # maybe in the middle of a statement; the server rolls back
            self._give_back(connection)
            raise
        self._give_back(connection)
        return result

    async def _begin(self, begin: str) -> Any:
        while True:
            self._check_open()
            fresh = not self._idle
            connection = await self._dial() if fresh else self._idle.pop()
            try:
                if self._held_up:
                    await connection.execute(statements(PACKAGE)["end_silent"], self._limit)
                    self._held_up = False
                await connection.execute(begin)
            except DRIVER_ERRORS as error:
                connection.terminate()
                if fresh or isinstance(error, TimeoutError):
                    raise
                continue  # it broke while it lay idle, and nothing of this call was sent on it
            except BaseException:
                connection.terminate()
                raise
            return connection

    async def _dial(self) -> Any:
        extras = {} if self._address.names("target_session_attrs") else {"target_session_attrs": "read-write"}
        return await asyncpg.connect(
            self._address.secret_url(),
            timeout=self._limit,
            statement_cache_size=0,  # a pooler may answer the next transaction with another session
            server_settings={"application_name": "aecorpy cluster"},
            **extras,
        )

    def _give_back(self, connection: Any) -> None:
        if self._closed or connection.is_closed() or connection.is_in_transaction():
            connection.terminate()
        else:
            self._idle.append(connection)

    def _drop_idle(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.terminate()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable(f"{self.where}: the cluster store is closed")

    def _meaning(self, call: _Call, error: BaseException) -> ClusterStoreError:
        reason = " ".join(str(error).split()) or (
            "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
        )
        if call.committing and call.changes and isinstance(error, _SESSION_OVER):
            return StoreOutcomeUnknown(
                f"{self.where}: {reason}, while a commit was in flight: it may have happened; look before repeating"
            )
        return StoreUnavailable(f"{self.where}: {reason}; nothing happened")


class _Call:
    """How far a call has come."""

    __slots__ = ("begin", "changes", "committing")

    def __init__(self, kind: str, limit: float) -> None:
        # The server gives up a little before we do: then the connection can be used again.
        self.begin = kind.format(milliseconds=max(1, round(limit * 900)))
        self.changes = kind == CHANGE
        self.committing = False


async def _or_rolled_back(connection: Any, work: Callable[[Any], Awaitable[T]]) -> T:
    try:
        return await work(connection)
    except Exception:
        if not connection.is_closed():
            with suppress(*DRIVER_ERRORS):
                await connection.execute("ROLLBACK")
        raise
