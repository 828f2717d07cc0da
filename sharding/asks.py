"""Asks that went to another node: who waits for which answer, and who is told when there will be none."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sharding.actors import Address, DiedUnanswered, HandlerFailed, Undeliverable
from sharding.actors.ask import ReplyAddress
from sharding.messages import Envelope
from sharding.protocol import RAISED, UNDELIVERED

if TYPE_CHECKING:
    from sharding.routes import Routes

_SWEEP_ABOVE = 1_000


class RemoteAsk:
    """One ask under way.

    Attributes:
        sender: who gets the answer.
        envelope: what was asked.
        routes: takes the envelope back if it never left this process, and unpacks the answer.
        owner: the member that has it, as far as is known.
        serial: its number on the link to `owner`; None once it was sent on to another.
        doubtful: the connection it went by is over; only an answer that is on its way already can still come.
    """

    __slots__ = ("doubtful", "envelope", "owner", "routes", "sender", "serial")

    def __init__(self, sender: ReplyAddress, envelope: Envelope, routes: Routes, owner: int) -> None:
        self.sender = sender
        self.envelope = envelope
        self.routes = routes
        self.owner = owner
        self.serial: int | None = None
        self.doubtful = False


class Unsent(NamedTuple):
    """An ask that never left this process."""

    routes: Routes
    envelope: Envelope
    sender: ReplyAddress


class RemoteAsks:
    """The asks of one node. An ask whose caller gave up is forgotten at the next sweep."""

    def __init__(self, nobody: Address) -> None:
        self._nobody = nobody
        self._asks: dict[int, RemoteAsk] = {}
        self._last = 0
        self._sweep_at = _SWEEP_ABOVE

    def __len__(self) -> int:
        return len(self._asks)

    def begin(self, ask: RemoteAsk) -> int:
        """Remember an ask; returns its number."""
        if len(self._asks) >= self._sweep_at:
            self._sweep()
        self._last += 1
        self._asks[self._last] = ask
        return self._last

    def forget(self, number: int) -> None:
        """It was not sent after all, or is over."""
        self._asks.pop(number, None)

    def _sweep(self) -> None:
        self._asks = {number: ask for number, ask in self._asks.items() if not ask.sender.future.done()}
        self._sweep_at = _SWEEP_ABOVE + 2 * len(self._asks)

    # --- what owners say

    def answered(self, number: int, payload: bytes) -> None:
        """The answer came. Unknown numbers are those of callers that gave up."""
        ask = self._asks.pop(number, None)
        if ask is None:
            return
        try:
            reply = ask.routes.host.wire.unpack_reply(ask.envelope.message, payload)
        except Exception as error:  # noqa: BLE001 - whatever does not decode: it happened, and its caller hears why
            ask.sender.fail(DiedUnanswered(f"member {ask.owner} answered what cannot be read: {error}"))
            return
        ask.sender.deliver(reply, self._nobody)

    def failed(self, number: int, kind: int, text: str) -> None:
        """Whoever had it last says that no answer comes."""
        ask = self._asks.pop(number, None)
        if ask is None:
            return
        if kind == UNDELIVERED:
            ask.sender.fail(Undeliverable(text))
        elif kind == RAISED:
            ask.sender.fail(HandlerFailed(ask.envelope.message, text))
        else:
            ask.sender.fail(DiedUnanswered(text))

    def moved(self, number: int, owner: int) -> None:
        """It was sent on: from now on its fate is tied to another member."""
        ask = self._asks.get(number)
        if ask is not None:
            ask.owner, ask.serial, ask.doubtful = owner, None, False

    # --- what links say

    def lost(self, owner: int, first_unsent: int) -> list[Unsent]:
        """The connection to `owner` ended: doubt what may have arrived; return, in order, what never left."""
        unsent = []
        for number, ask in list(self._asks.items()):
            if ask.owner != owner:
                continue
            if ask.serial is not None and ask.serial >= first_unsent:
                del self._asks[number]
                unsent.append(Unsent(ask.routes, ask.envelope, ask.sender))
            else:
                ask.doubtful = True
        return unsent

    def doubt(self, owner: int) -> None:
        """The process of `owner` is no more: what it still has is answered now, by what is on its way, or never."""
        for ask in self._asks.values():
            if ask.owner == owner:
                ask.doubtful = True

    def give_up_shard(self, routes: Routes, shard: int, why: str) -> None:
        """What was sent for a shard may come to its new owner behind what is sent from now on: fail it."""
        for number, ask in list(self._asks.items()):
            if ask.routes is routes and ask.envelope.shard == shard:
                del self._asks[number]
                ask.sender.fail(DiedUnanswered(why))

    def give_up(self, owner: int, why: str) -> None:
        """Nothing from `owner` is on its way any more: fail what is in doubt."""
        for number, ask in list(self._asks.items()):
            if ask.owner == owner and ask.doubtful:
                del self._asks[number]
                ask.sender.fail(DiedUnanswered(why))
