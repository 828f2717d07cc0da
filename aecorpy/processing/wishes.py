"""What management wants, written where every node reads it, so it holds cluster-wide and over restarts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from aecorpy.processing.states import CONTROL, Control, control_of
from journal.contract import Database, Transaction


async def wish(transaction: Transaction, name: str, change: Callable[[Control], Control]) -> Control:
    """Change what is wanted of a deployment, or of one of its processes (`process_key`), with this transaction.

    Returns:
        what is wanted once the transaction has committed.
    """
    former = control_of(await transaction.get_note(CONTROL, name))
    wanted = replace(change(former), revision=former.revision + 1)
    await transaction.put_note(wanted.note(name))
    return wanted


async def pause(database: Database, name: str, by: str, why: str) -> None:
    """Stop a deployment, or one process, on whichever node it runs, until it is resumed.

    Raises:
        Unavailable, OutcomeUnknown: the store is away.
    """
    async with database.transaction() as transaction:
        await wish(transaction, name, lambda former: replace(former, paused=True, by=by, why=why))


async def resume(database: Database, name: str, by: str, why: str) -> None:
    """Let it run again. Raises as `pause` does."""
    async with database.transaction() as transaction:
        await wish(transaction, name, lambda former: replace(former, paused=False, by=by, why=why))


async def begin_anew(transaction: Transaction, name: str, by: str, why: str) -> None:
    """Let what runs of a deployment start anew once `transaction` has committed, because its offsets were moved."""
    await wish(transaction, name, lambda former: replace(former, anew=former.anew + 1, by=by, why=why))
