"""A view by the Python library `eventsourcing`, 9.5 or newer, in the way its documentation recommends.

A `Projection` under a `ProjectionRunner`, its view a `PostgresTrackingRecorder` whose method writes the row and the
position in one transaction, so each event counts once. The runner hands over one event at a time, in the order of the
whole log, so there is one transaction for each event and one thread for the whole view: more runners of it would only
refuse each other's positions. It is given what helps it: psycopg's C implementation, prepared statements, the row
written by one upsert, single-row tracking (its default), its own thread that reads ahead 500 events at a time, and a
subscription to the one topic that the view is about.
"""

from __future__ import annotations

import threading
from time import perf_counter
from typing import Any
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.utils import get_topic
from psycopg.sql import SQL, Identifier

from benchmarks.baselines.eventsourcing_library import Note, server_settings

EVENTS_PER_NOTE = 10
NOTES_AT_ONCE = 100
LIMIT = 600.0  # seconds


class Notes(Application[UUID]):
    """The application whose log is followed."""


class NotesView(PostgresTrackingRecorder):
    """A row per note: how often it was written, and what last."""

    def __init__(self, datastore: PostgresDatastore, **options: Any) -> None:
        super().__init__(datastore, **options)
        table = SQL("{}.{}").format(Identifier(datastore.schema), Identifier("note_row"))
        self.sql_create_statements.append(
            SQL(
                "CREATE TABLE IF NOT EXISTS {} (note text PRIMARY KEY, written bigint NOT NULL, text text NOT NULL)"
            ).format(table)
        )
        self._put = SQL(
            "INSERT INTO {} AS r VALUES (%s, 1, %s) ON CONFLICT (note) DO UPDATE "
            "SET written = r.written + 1, text = excluded.text"
        ).format(table)
        self._total = SQL("SELECT coalesce(sum(written), 0) AS total FROM {}").format(table)

    def wrote(self, note: UUID, text: str, tracking: Tracking) -> None:
        """Count an event of a note, and keep its text and its position, in one transaction."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(self._put, (str(note), text), prepare=True)

    def total(self) -> int:
        """How many events its rows have counted."""
        with self.datastore.transaction() as cursor:
            cursor.execute(self._total)
            row = cursor.fetchone()
        return 0 if row is None else int(row["total"])


class NotesProjection(Projection[NotesView]):
    """Hands each event to the view, and notes when the first came and when the last was done."""

    topics = (get_topic(Note.Written),)  # type: ignore[attr-defined]
    expected = 0

    def __init__(self, view: NotesView) -> None:
        super().__init__(view)
        self.handled = 0
        self.began = self.ended = 0.0
        self.done = threading.Event()

    @singledispatchmethod
    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        """Nothing, for events of other kinds."""

    @process_event.register
    def _wrote(self, domain_event: Note.Written, tracking: Tracking) -> None:  # type: ignore[name-defined]
        self.began = self.began or perf_counter()
        self.view.wrote(domain_event.originator_id, domain_event.text, tracking)
        self.handled += 1
        if self.handled == self.expected:
            self.ended = perf_counter()
            self.done.set()


def fill(url: str, payload_bytes: int, events: int) -> None:
    """Record so many events of notes with ten each, in large saves."""
    text = "x" * payload_bytes
    application = Notes(env=server_settings(url))
    try:
        for _ in range(events // EVENTS_PER_NOTE // NOTES_AT_ONCE):
            notes = [Note() for _ in range(NOTES_AT_ONCE)]
            for _ in range(EVENTS_PER_NOTE):
                for note in notes:
                    note.write(text)
            application.save(*notes)
    finally:
        application.close()


def events_per_second(url: str, payload_bytes: int, events: int) -> float:
    """Events per second into the view, from the first to the last of `events` that were there before.

    Args:
        url: an empty database.
        payload_bytes: of each event's text.
        events: a multiple of 1,000.
    """
    fill(url, payload_bytes, events)
    projection_class = type("NotesProjection", (NotesProjection,), {"expected": events, "name": "notes"})
    with ProjectionRunner(
        application_class=Notes, projection_class=projection_class, view_class=NotesView, env=server_settings(url)
    ) as runner:
        projection = runner.projection
        assert isinstance(projection, NotesProjection), "it was made from that"
        while not projection.done.wait(0.1):
            if runner.is_interrupted.is_set():
                runner.run_forever(0)  # raises what went wrong
        if runner.view.total() != events:
            raise RuntimeError("the view does not hold each event once")
    return events / (projection.ended - projection.began)
