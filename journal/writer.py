"""Group commit: appends that arrive together share one transaction.

While a batch is being committed the next one gathers, so the batch grows with the load and a lone caller never waits
for company. One batch is in flight at a time, which keeps every shard's order (the contract of `JournalStore.append`).

When an append fails, those of the same entity that are queued behind it fail, too, without being sent. Their sequence
numbers alone do not tell the store: an append whose outcome was unknown may arrive late and fill the hole, and what was
decided upon another history would follow it.

Callers that were answered together come back together. Were all of them in each batch, the program would idle while the
store works, and the store while the program prepares their next commands. So a batch takes half of the load, counted as
those who wait and those just answered: the two halves take turns, and both sides always have work.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeAlias

from journal.contract import JournalStore
from journal.errors import JournalError, OutcomeUnknown, Overloaded, Unavailable
from journal.records import Append, Appended

Outcome: TypeAlias = Appended | JournalError
OnOutcome: TypeAlias = Callable[[Outcome], None]
OnGrowth: TypeAlias = Callable[[int, int], object]

WORTH_A_COMMIT = 32  # appends; fewer are not taken apart
CANCEL_SECONDS = 1.0  # how long a store may take to give up a batch

_log = logging.getLogger(__name__)


class GroupCommit:
    """The queue in front of one journal's store.

    Args:
        store: where batches go.
        on_growth: called with (shard, last offset) once per shard that grew, after its events are committed.
        max_batch: the most appends in one transaction.
        max_waiting: the most appends in the queue; beyond it callers get `Overloaded` at once.
    """

    def __init__(
        self,
        store: JournalStore,
        *,
        on_growth: OnGrowth | None = None,
        max_batch: int = 1_000,
        max_waiting: int = 20_000,
    ) -> None:
        self._store = store
        self._on_growth = on_growth
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._waiting: deque[tuple[Append, OnOutcome]] = deque()
        self._flusher: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many appends are in the queue, not counting the batch in flight."""
        return len(self._waiting)

    def submit(self, append: Append, on_outcome: OnOutcome) -> None:
        """Queue an append; `on_outcome` gets its result from the loop, once, and must not raise.

        Raises:
            Overloaded: the queue is full.
            Unavailable: the writer is closed.
        """
        if len(self._waiting) >= self._max_waiting:
            raise Overloaded(f"journal {self._store.name!r}", self._max_waiting)
        if self._closed:
            raise Unavailable(f"journal {self._store.name!r}: the writer is closed")
        self._waiting.append((append, on_outcome))
        if self._flusher is None:
            self._flusher = asyncio.get_running_loop().create_task(self._flush(), name="group-commit")

    async def append(self, append: Append) -> Appended:
        """Queue an append and wait for its commit.

        A caller that is cancelled while it waits does not take the append back.

        Raises:
            Conflict, Fenced: nothing was written, as `JournalStore.append` says.
            Unavailable, Overloaded: nothing was written.
            OutcomeUnknown: it may have been.
        """
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def deliver(outcome: Outcome) -> None:
            if not done.done():
                done.set_result(outcome)

        self.submit(append, deliver)
        outcome = await done
        if isinstance(outcome, JournalError):
            raise outcome
        return outcome

    async def close(self) -> None:
        """Commit what is queued, then refuse more. Idempotent.

        When it is cancelled, the batch in flight gets `OutcomeUnknown` and what is queued behind it `Unavailable`.
        """
        self._closed = True
        flusher = self._flusher
        if flusher is not None:
            try:
                await asyncio.wait([flusher])
            except asyncio.CancelledError:
                flusher.cancel()
                await asyncio.wait([flusher], timeout=CANCEL_SECONDS)
                raise

    async def _flush(self) -> None:
        try:
            size = 0
            while self._waiting:
                size = self._next_size(size)
                await self._commit([self._waiting.popleft() for _ in range(size)])
        except asyncio.CancelledError:
            self._refuse_waiting()
            raise
        finally:
            self._flusher = None

    def _next_size(self, before: int) -> int:
        """How many of those who wait go next, behind a batch of `before`: half of both, when that is worth a commit."""
        waiting = len(self._waiting)
        half = (waiting + before + 1) // 2
        return min(waiting if half < WORTH_A_COMMIT else half, waiting, self._max_batch)

    def _refuse_waiting(self) -> None:
        batch = list(self._waiting)
        self._waiting.clear()
        self._deliver(batch, [Unavailable(f"journal {self._store.name!r}: the writer was stopped")] * len(batch))

    async def _commit(self, batch: Sequence[tuple[Append, OnOutcome]]) -> None:
        outcomes: Sequence[Outcome]
        try:
            outcomes = await self._store.append([append for append, _ in batch])
            if len(outcomes) != len(batch):
                raise RuntimeError(f"{len(outcomes)} outcomes of {len(batch)} appends")
        except JournalError as error:
            outcomes = [error] * len(batch)
        except asyncio.CancelledError:
            self._deliver(batch, [OutcomeUnknown("the program stopped while events were being committed")] * len(batch))
            raise
        except Exception as error:  # noqa: BLE001 - a store's bug must not leave callers waiting: they are told "unknown"
            _log.exception("journal %r: the store raised what its contract does not know", self._store.name)
            outcomes = [OutcomeUnknown(f"journal {self._store.name!r}: {type(error).__name__}: {error}")] * len(batch)
        behind = self._take_behind(batch, outcomes)
        self._deliver([*batch, *behind], [*outcomes, *[self._not_sent(append) for append, _ in behind]])

    def _take_behind(
        self, batch: Sequence[tuple[Append, OnOutcome]], outcomes: Sequence[Outcome]
    ) -> list[tuple[Append, OnOutcome]]:
        """Take out of the queue what follows a failed append of the same entity."""
        ended = zip(batch, outcomes, strict=True)
        failed = {append.key for (append, _), outcome in ended if isinstance(outcome, JournalError)}
        behind = [one for one in self._waiting if one[0].key in failed] if failed else []
        if behind:
            self._waiting = deque(one for one in self._waiting if one[0].key not in failed)
        return behind

    def _not_sent(self, append: Append) -> Unavailable:
        return Unavailable(f"journal {self._store.name!r}: an append of {append.key!r} before this one failed")

    def _deliver(self, batch: Sequence[tuple[Append, OnOutcome]], outcomes: Sequence[Outcome]) -> None:
        grown: dict[int, int] = {}
        for (_, on_outcome), outcome in zip(batch, outcomes, strict=True):
            try:
                on_outcome(outcome)
            except Exception:  # noqa: BLE001 - one receiver's bug must not keep the others of the batch waiting
                _log.exception("journal %r: a receiver of an append's outcome raised", self._store.name)
            if type(outcome) is Appended:
                grown[outcome.shard] = outcome.last_offset
        if self._on_growth is not None:
            for shard, last_offset in grown.items():
                self._on_growth(shard, last_offset)
