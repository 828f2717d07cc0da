"""The Python library `eventsourcing`, 9.5 or newer, in the fastest set-up that keeps its promises.

It is given what helps it: psycopg's C implementation, a pool with a connection for each thread, aggregates cached
without copies and without looking for newer events (`get` then reads nothing from the database), and a warm-up. Each
command is the library's own way: get the aggregate, let it trigger one event, save it.

Left off is its option `POSTGRES_ENABLE_DB_FUNCTIONS`. It is three times as fast because it drops the lock that keeps
notification ids in commit order, and then a reader that follows the log misses events: `skipped_by_reader` shows it. We
compare with the set-up whose readers miss none.
"""

from __future__ import annotations

import threading
from time import perf_counter
from typing import NamedTuple
from urllib.parse import unquote, urlsplit
from uuid import UUID

import psycopg
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

AGGREGATES_PER_THREAD = 8
WARM_UP = 0.3  # seconds


class Note(Aggregate):
    """An aggregate with one event per command."""

    @event("Opened")
    def __init__(self) -> None:
        self.written = 0

    @event("Written")
    def write(self, text: str) -> None:
        """Write `text`, which is the event's payload."""
        self.written += 1


class Skipped(NamedTuple):
    """How many events were committed while a reader followed the log, and how many of them it never saw."""

    committed: int
    unseen: int


def commands_per_second(
    url: str, threads: int, payload_bytes: int, seconds: float, database_functions: bool = False
) -> float:
    """Durable commands per second of so many threads, each on aggregates of its own, for about `seconds`."""
    text = "x" * payload_bytes
    with _application(url, threads, database_functions) as application:
        spans = [_Span() for _ in range(threads)]
        workers = [threading.Thread(target=_work, args=(application, text, span)) for span in spans]
        start = threading.Barrier(threads + 1)
        for span in spans:
            span.start, span.seconds = start, seconds
        for worker in workers:
            worker.start()
        start.wait()
        for worker in workers:
            worker.join()
    failures = [span.error for span in spans if span.error]
    if failures:
        raise failures[0]
    return sum(span.commands for span in spans) / max(span.taken for span in spans)


def skipped_by_reader(url: str, threads: int, seconds: float, database_functions: bool) -> Skipped:
    """Follow the library's notification log, as a projection would, while so many threads write."""
    done = threading.Event()
    seen: set[int] = set()

    def follow() -> None:
        last, final_look = 0, False
        while not final_look:
            final_look = done.is_set()
            while news := application.recorder.select_notifications(last, 10_000, inclusive_of_start=False):
                seen.update(notification.id for notification in news)
                last = news[-1].id

    with _application(url, 1, database_functions) as application:
        reader = threading.Thread(target=follow)
        reader.start()
        try:
            commands_per_second(url, threads, 100, seconds, database_functions)
        finally:
            done.set()
            reader.join()
        committed = {one.id for one in application.recorder.select_notifications(0, 10_000_000)}
    return Skipped(len(committed), len(committed - seen))


def server_settings(url: str) -> dict[str, str]:
    """The library's environment variables for the database `url`."""
    server = urlsplit(url)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_HOST": server.hostname or "localhost",
        "POSTGRES_PORT": str(server.port or 5432),
        "POSTGRES_DBNAME": server.path.removeprefix("/"),
        "POSTGRES_USER": unquote(server.username or ""),
        "POSTGRES_PASSWORD": unquote(server.password or ""),
    }


def driver() -> str:
    """Which implementation of psycopg is at work: `binary` or `c` is the fast one."""
    return psycopg.pq.__impl__


class _Span:
    """One thread's part: what it did and how long it took."""

    start: threading.Barrier
    seconds: float = 0.0
    commands: int = 0
    taken: float = 0.0
    error: Exception | None = None


def _work(application: Application[UUID], text: str, span: _Span) -> None:
    try:
        keys = [_new(application) for _ in range(AGGREGATES_PER_THREAD)]
        _write_for(WARM_UP, application, keys, text)
        span.start.wait()
        began = perf_counter()
        span.commands = _write_for(span.seconds, application, keys, text)
        span.taken = perf_counter() - began
    except Exception as error:  # noqa: BLE001 - handed to the thread that waits for this one, which raises it
        span.error = error
        span.start.abort()


def _write_for(seconds: float, application: Application[UUID], keys: list[UUID], text: str) -> int:
    commands = 0
    ends = perf_counter() + seconds
    while perf_counter() < ends:
        note: Note = application.repository.get(keys[commands % len(keys)])
        note.write(text)
        application.save(note)
        commands += 1
    return commands


def _new(application: Application[UUID]) -> UUID:
    note = Note()
    application.save(note)
    return note.id


def _application(url: str, threads: int, database_functions: bool) -> Application[UUID]:
    return Application[UUID](
        env={
            **server_settings(url),
            "POSTGRES_POOL_SIZE": str(threads),
            "POSTGRES_MAX_OVERFLOW": "0",
            "POSTGRES_ENABLE_DB_FUNCTIONS": "yes" if database_functions else "no",
            "AGGREGATE_CACHE_MAXSIZE": "100000",
            "AGGREGATE_CACHE_FASTFORWARD": "no",
            "DEEPCOPY_FROM_AGGREGATE_CACHE": "no",
        }
    )
