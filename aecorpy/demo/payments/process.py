"""The process that reads the payments' file, and brings each payment to its booking, with its effect once.

How far it has read is its cursor. It moves in one transaction with the lines that are set aside, and only when all
before it is done: after a crash, or on another node, some payments are sent again. The booking knows a payment by its
id, so that changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aecorpy import CommandFailed, EntityRefs, OutcomeUnknown, Rejection, Retry, Table, Unavailable
from aecorpy.demo.booking import Booking
from aecorpy.demo.booking.rejections import DuplicatePayment
from aecorpy.demo.payments.file import BadLine, Line, Payment, lines_from
from aecorpy.processing.process import Process, ProcessContext
from journal.contract import Database

PAYMENTS = "Payments"
LOOK_SECONDS = 0.05
AT_A_TIME = 64  # payments
PAUSES = Retry(0.05, 1.0)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SetAsideLine:
    """A line of the file that no booking took.

    Args:
        place: the file's name and where the line begins, so that lines come in order.
        file: the file's name.
        text: the line.
        payment_id: the payment's, where the line is one.
        reason: why.
    """

    place: str
    file: str
    text: bytes
    payment_id: str | None
    reason: str


SET_ASIDE = Table(SetAsideLine, "payment_lines_set_aside", indexes=("file",))


def payments(bookings: EntityRefs[Booking], path: Path, draw: Callable[[], float]) -> Process:
    """A process that takes payments from a file, for ever. Its name is the file's.

    Args:
        bookings: the way to them.
        path: the file.
        draw: random numbers in [0, 1), which spread pauses.
    """

    async def run(context: ProcessContext) -> None:
        await context.database.create_table(SET_ASIDE.spec)
        while True:
            lines = await lines_from(path, context.cursor)
            for first in range(0, len(lines), AT_A_TIME):
                await _take(context, path.name, lines[first : first + AT_A_TIME], bookings, draw)
            if not lines:
                await asyncio.sleep(LOOK_SECONDS)

    return Process.of(path.name, run)


async def _take(
    context: ProcessContext, file: str, lines: list[Line], bookings: EntityRefs[Booking], draw: Callable[[], float]
) -> None:
    """Handle some lines, and move the cursor behind them."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_handled(file, line, bookings, draw)) for line in lines]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    aside = [found for task in tasks if (found := task.result()) is not None]
    async with context.transaction(cursor=lines[-1].end) as transaction:
        if aside:
            await transaction.put_rows(SET_ASIDE.spec, [SET_ASIDE.values(one) for one in aside])
    for one in aside:
        _log.warning("%s is set aside: %s", one.place, one.reason)


async def _handled(
    file: str, line: Line, bookings: EntityRefs[Booking], draw: Callable[[], float]
) -> SetAsideLine | None:
    """Bring one line's payment to its booking; what is to be set aside, if it was not taken."""
    payment_id = None
    try:
        payment = Payment.of_line(line.text)
        payment_id = payment.payment_id
        await _paid(payment, bookings, draw)
    except DuplicatePayment:
        return None  # it counts already
    except (BadLine, Rejection, CommandFailed) as no:
        reason = f"{payment_id} was refused: {no}" if isinstance(no, Rejection) else str(no)
        return SetAsideLine(f"{file}@{line.begin:012}", file, line.text, payment_id, reason)
    return None


async def _paid(payment: Payment, bookings: EntityRefs[Booking], draw: Callable[[], float]) -> None:
    """Send a payment until there is an answer. It may be sent again whatever became of it before."""
    booking = bookings.because(command_id=command_of(payment.payment_id))(payment.booking_id)
    failures = 0
    while True:
        try:
            return await booking.receive_payment(payment.payment_id)
        except (Unavailable, OutcomeUnknown) as error:
            failures += 1
            _log.info("payment %s waits: %s", payment.payment_id, error)
            await asyncio.sleep(PAUSES.pause(failures, draw()))


def command_of(payment_id: str) -> str:
    """The id of the command that brings a payment."""
    return f"payment/{payment_id}"


async def read_up_to(database: Database, path: Path) -> int:
    """How far the file is read and done with, in bytes.

    Raises:
        Unavailable: the store is away.
    """
    offset = (await database.offsets.read(PAYMENTS)).get(path.name)
    return 0 if offset is None else offset.offset


async def set_aside(database: Database, path: Path) -> list[SetAsideLine]:
    """The lines of the file that are set aside.

    Raises:
        Unavailable: the store is away.
    """
    await database.create_table(SET_ASIDE.spec)
    return [line async for line in SET_ASIDE.rows(database, file=path.name)]
