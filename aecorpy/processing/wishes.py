"""What management wants, written where every node reads it, so it holds cluster-wide and over restarts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from aecorpy.processing.actions import Action, note_action
from aecorpy.processing.states import CONTROL, DEPLOYMENT, Control, control_of
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
    await _set_paused(database, name, True, by, why)


async def resume(database: Database, name: str, by: str, why: str) -> None:
    """Let it run again. Raises as `pause` does."""
    await _set_paused(database, name, False, by, why)


async def begin_anew(transaction: Transaction, name: str, by: str, why: str) -> None:
    """Let what runs of a deployment start anew once `transaction` has committed, because its offsets were moved.

    What is paused stays so, and it is still told who paused it.
    """

    def anew(former: Control) -> Control:
        raised = replace(former, anew=former.anew + 1)
        return raised if former.paused else replace(raised, by=by, why=why)

    await wish(transaction, name, anew)


async def _set_paused(database: Database, name: str, paused: bool, by: str, why: str) -> None:
    deployment, _, number = name.partition("/")
    what = f"{'pause' if paused else 'resume'}{number and f' process {number}'}"
    at = await database.now()
    async with database.transaction() as transaction:
        await transaction.get_note(DEPLOYMENT, deployment)  # so that what is done to it is done one after another
        await wish(transaction, name, lambda former: replace(former, paused=paused, by=by, why=why))
        await note_action(transaction, deployment, Action(at, by, what, why))
