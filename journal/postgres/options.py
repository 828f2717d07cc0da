"""What can be set about our sessions."""

from __future__ import annotations

from dataclasses import dataclass

from journal.errors import InvalidName
from journal.records import checked_name


@dataclass(frozen=True, kw_only=True)
class PostgresOptions:
    """Options of `PostgresDatabase.open`. Times are seconds.

    Args:
        schema: the PostgreSQL schema of all tables; by default the first of the role's search path.
        migrate: create and upgrade tables; False for a role that may not (see `journal.postgres.migrate`).
        append_connections: most connections that append, each opened when first needed.
        pool_size: most connections for everything else.
        wait_limit: how long to wait for a free connection.
        connect_timeout: how long a connection may take to open.
        lock_timeout: how long a statement may wait for a row another session has locked.
        statement_timeout: how long a statement may take on the server.
        command_timeout: how long to wait for the server's answer; longer than `statement_timeout`, so that a statement
            that is merely slow is ended by the server, with a known outcome.
        idle_transaction_timeout: how long a transaction block may leave its session idle before it is rolled back.
        close_timeout: how long `close` waits for what is in flight.
        statement_cache_size: prepared statements kept per connection; 0 for proxies that cannot keep them.

    Raises:
        InvalidName: the schema's name cannot be used.
        ValueError: a number makes no sense.
    """

    schema: str | None = None
    migrate: bool = True
    append_connections: int = 2
    pool_size: int = 8
    wait_limit: float = 30.0
    connect_timeout: float = 10.0
    lock_timeout: float = 5.0
    statement_timeout: float = 30.0
    command_timeout: float = 35.0
    idle_transaction_timeout: float = 4.0  # below the default lease, so that who takes over finds no locked row
    close_timeout: float = 2.0
    statement_cache_size: int = 100

    def __post_init__(self) -> None:
        if self.schema is not None and checked_name(self.schema).startswith("pg_"):
            raise InvalidName(f"schema {self.schema!r}: names that begin with pg_ are PostgreSQL's own")
        if min(self.append_connections, self.pool_size) < 1:
            raise ValueError("append_connections and pool_size are at least 1")
        times = (self.wait_limit, self.connect_timeout, self.lock_timeout, self.idle_transaction_timeout)
        if min(times) <= 0 or self.close_timeout < 0 or self.statement_cache_size < 0:
            raise ValueError("timeouts are more than 0 seconds; close_timeout and statement_cache_size at least 0")
        if not self.lock_timeout <= self.statement_timeout < self.command_timeout:
            raise ValueError("lock_timeout is at most statement_timeout, and that less than command_timeout")

    def session_settings(self) -> dict[str, str]:
        """What each of our sessions is started with."""
        settings = {
            "application_name": "aecorpy",
            "lock_timeout": _milliseconds(self.lock_timeout),
            "statement_timeout": _milliseconds(self.statement_timeout),
            "idle_in_transaction_session_timeout": _milliseconds(self.idle_transaction_timeout),
            "jit": "off",  # compiling costs more than any of our statements takes
        }
        if self.schema is not None:
            settings["search_path"] = self.schema  # for the SQL of views; ours names the schema itself
        return settings

    def append_settings(self) -> dict[str, str]:
        """What sessions that append have on top: one plan for ever, and it goes by the indexes."""
        # Planning a batch anew takes as long as 20 of its events. The plan kept is made when the tables may still be
        # empty and no statistics known; it must not then read whole tables.
        return {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off"}


def _milliseconds(seconds: float) -> str:
    return str(max(1, round(seconds * 1000)))
