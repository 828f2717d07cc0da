"""One caller with one booking: sends commands in order, and writes down what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NoReturn

from aecorpy import AecorError, EntityRefs, JournalError, OutcomeUnknown, Rejection, Unavailable
from aecorpy.demo.booking import Booking, BookingEvent, BookingStatus
from aecorpy.demo.ledger import Answer, Ledger, Told
from aecorpy.demo.look import Look
from aecorpy.demo.patience import Patience
from aecorpy.demo.payments.file import Payment, PaymentsFile
from aecorpy.demo.stopping import StopWish

POLL_SECONDS = 0.1
COMES_WITHIN = 30.0  # seconds


class LifeEnds(Exception):
    """The caller cannot or need not go on with this booking."""


class Caller:
    """Sends the commands of one booking, each under an id of its own.

    Every method raises `LifeEnds` when the booking is to be left where it is: somebody asked to stop, the answer is
    unknown or was no for a technical reason, or it is not the one expected, which the ledger then holds.

    Args:
        bookings: the way to all bookings.
        booking_id: which one.
        ledger: where answers are written down.
        patience: for what is told "not now".
        stop: whether to stop.
        file: where payments are written.
        look: finds out what became of a command whose outcome is unknown, so that it is repeated only if it was not
            done; without, the booking is left.
    """

    def __init__(
        self,
        bookings: EntityRefs[Booking],
        booking_id: str,
        ledger: Ledger,
        patience: Patience,
        stop: StopWish,
        file: PaymentsFile,
        look: Look | None = None,
    ) -> None:
        self.booking_id = booking_id
        self._bookings = bookings
        self._ledger = ledger
        self._patience = patience
        self._stop = stop
        self._file = file
        self._look = look
        self._sent = 0

    async def does(self, send: Callable[[Booking], Awaitable[None]], *events: BookingEvent) -> None:
        """Send a command that is to be acknowledged, and then has appended `events`."""
        rejection = await self._tell(send, events)
        if rejection is not None:
            self._surprised(f"was rejected with {rejection!r} instead of appending {events!r}")

    async def does_unless(
        self, no: tuple[type[Rejection], ...], send: Callable[[Booking], Awaitable[None]], *events: BookingEvent
    ) -> bool:
        """As `does`, but it may also be rejected with one of `no`; whether it was acknowledged."""
        rejection = await self._tell(send, events)
        if rejection is not None and type(rejection) not in no:
            names = " or ".join(one.__name__ for one in no)
            self._surprised(f"was rejected with {rejection!r} instead of {names} or {events!r}")
        return rejection is None

    async def is_refused(self, no: type[Rejection], send: Callable[[Booking], Awaitable[None]]) -> None:
        """Send a command that is to be rejected with `no`."""
        rejection = await self._tell(send, ())
        if type(rejection) is not no:
            self._surprised(f"was answered with {rejection!r} instead of {no.__name__}")

    async def sees(self, expected: BookingStatus) -> None:
        """Ask for the booking's status, which is to be `expected`."""
        if (status := await self._status()) is not expected:
            self._surprised(f"is {status.value} instead of {expected.value}")

    async def waits(self, before: BookingStatus, *after: BookingStatus) -> BookingStatus:
        """Wait until the booking is not what it was any more; what it then is, which is to be one of `after`."""
        clock = asyncio.get_running_loop().time
        limit = clock() + COMES_WITHIN
        while (status := await self._status()) is before:
            if clock() > limit:
                self._surprised(f"is still {before.value} after {COMES_WITHIN:g} s")
            await self.wait(POLL_SECONDS)
        if status not in after:
            self._surprised(f"is {status.value} instead of {' or '.join(one.value for one in after)}")
        return status

    async def pays(self, payment_id: str, *, times: int = 1, pause: float | None = None) -> None:
        """Write a payment for the booking into the payments' file.

        Args:
            payment_id: which.
            times: how often that same payment.
            pause: seconds between the halves of its line.
        """
        self._go_on()
        payment = Payment(payment_id, self.booking_id)
        self._ledger.payments[payment_id] = payment  # before it is there: from then on it may count
        for _ in range(times):
            await self._file.append(payment.line(), pause)

    async def writes(self, line: bytes) -> None:
        """Write a line into the payments' file that is no payment."""
        self._go_on()
        self._ledger.bad_lines.append(line)
        await self._file.append(line + b"\n")

    async def _status(self) -> BookingStatus:
        self._go_on()
        try:
            status = await self._patience.for_queries().through(self._bookings(self.booking_id).status)
        except (AecorError, JournalError, Rejection) as error:
            self._leave(type(error).__name__ if isinstance(error, JournalError) else repr(error))
        self._ledger.queries += 1
        return status

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        if await self._stop.within(seconds):
            raise LifeEnds

    async def _tell(
        self, send: Callable[[Booking], Awaitable[None]], events: tuple[BookingEvent, ...]
    ) -> Rejection | None:
        while True:
            self._go_on()
            self._sent += 1
            command_id = f"{self.booking_id}/{self._sent}"
            booking = self._bookings.because(command_id=command_id)(self.booking_id)
            answer, found = Answer.UNKNOWN, None
            try:
                await self._patience.through(partial(send, booking))
                answer = Answer.ACKNOWLEDGED
                return None
            except Rejection as rejection:
                answer = Answer.NO
                return rejection
            except OutcomeUnknown as error:
                found = await self._was_done(command_id, error)
                if found:
                    return None
            except Unavailable as error:
                answer = Answer.NO
                self._leave(type(error).__name__)
            except (AecorError, JournalError) as error:
                answer = Answer.NO
                self._surprised(f"failed with {error!r}")
            finally:
                self._ledger.told[command_id] = Told(command_id, self.booking_id, events, answer, found)

    async def _was_done(self, command_id: str, error: OutcomeUnknown) -> bool:
        if self._look is None:
            self._leave(type(error).__name__)
        try:
            return await self._look.was_done(self.booking_id, command_id)
        except (AecorError, JournalError) as trouble:
            self._leave(f"{type(trouble).__name__} while looking after {type(error).__name__}")

    def _go_on(self) -> None:
        if self._stop.is_set:
            raise LifeEnds

    def _leave(self, reason: str) -> NoReturn:
        self._ledger.give_up(reason)
        raise LifeEnds

    def _surprised(self, what: str) -> NoReturn:
        self._ledger.surprises.append(f"booking {self.booking_id}, command {self._sent}: {what}")
        raise LifeEnds
