"""What errors of the driver mean."""

from __future__ import annotations

import asyncpg
import pytest

from journal.errors import JournalError, OutcomeUnknown, Unavailable
from journal.postgres.failures import at_commit

ENDED = "cannot switch to state 12; another operation (2) is in progress"  # in the words of asyncpg


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (asyncpg.InternalClientError(ENDED), Unavailable, "the server has just ended the connection; nothing happened"),
        (asyncpg.InternalClientError("got result for unknown protocol state 3"), OutcomeUnknown, "may have happened"),
        (asyncpg.ConnectionDoesNotExistError("closed in the middle"), OutcomeUnknown, "may have happened"),
        (asyncpg.DeadlockDetectedError("deadlock detected"), Unavailable, "deadlock detected; nothing happened"),
    ],
)
def test_a_commit_that_was_never_sent_is_told_apart(error: Exception, kind: type[JournalError], told: str) -> None:
    meant = at_commit("db:5432/tickets", error)
    assert type(meant) is kind
    assert told in str(meant)
