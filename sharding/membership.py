"""A node's membership: it joins, renews its lease, knows who is there, and takes the coordinator's term when free.

    OUTSIDE --joined--> MEMBER --its lease may be over, or is lost--> OUTSIDE (all is stopped, then it joins anew)
    MEMBER --leave--> LEAVING --left--> GONE

The lease is judged on the node's own clock, from before each renewal was sent (`Lease`). `guard` is asked before actors
take their turns: a node that was stopped, or whose loop stalled, notices before it answers anybody. Who coordinates,
and whether to try for that, is the `Term`'s to know.
"""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from thespian.actors import WakeupMessage

from sharding.actors import AsyncActor, Outcome
from sharding.household import Household
from sharding.joining import take_seat
from sharding.lease import Lease
from sharding.links.network import Network
from sharding.notices import Deposed, Leave, Left, LookAgain, News, PeerDead
from sharding.ports import Ports
from sharding.protocol import Leads, Members, Resigned
from sharding.store.contract import ClusterStore
from sharding.store.errors import ClusterStoreError, LeaseLost
from sharding.store.records import DOWN, Member, Picture, Seat
from sharding.term import Term

OUTSIDE, MEMBER, LEAVING, GONE = range(4)
REJOIN_PAUSE = 0.5
LEAVING_PAUSE = 0.25

_log = logging.getLogger(__name__)


class _Joined(NamedTuple):
    sent_at: float
    outcome: Outcome[Member]


class _Renewed(NamedTuple):
    incarnation: int
    sent_at: float
    outcome: Outcome[Picture]


class _TermTried(NamedTuple):
    seen: int
    outcome: Outcome[int | None]


class _LeavingSaid(NamedTuple):
    resigned: int | None
    outcome: Outcome[None]


class Membership(AsyncActor):
    """See above.

    Args:
        store: the cluster's.
        seat: what this process brings.
        lease_seconds: how long the lease runs.
        ports: time and chance.
        network: by which a dead holder of the name is recognised; None when there are no other processes.
        household: who is told.
    """

    def __init__(
        self,
        store: ClusterStore,
        seat: Seat,
        lease_seconds: float,
        ports: Ports,
        network: Network | None,
        household: Household,
    ) -> None:
        super().__init__()
        self._store = store
        self._seat = seat
        self._lease = Lease(lease_seconds)
        self._ports = ports
        self._network = network
        self._household = household
        self._phase = OUTSIDE
        self._me = 0
        self._former = 0
        self._first = True
        self._members: dict[int, Member] = {}
        self._term = Term(household)
        self._planned = 0
        self._renewing = False
        self._away = False
        self._obstacle = ""  # what kept it from joining anew the last time

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802 - Thespian's name
        """A turn of the membership."""
        match message:
            case "start" | WakeupMessage(payload="join"):
                self._join()
            case _Joined():
                self._on_joined(message.sent_at, message.outcome)
            case WakeupMessage(payload=("renew", planned)) if planned == self._planned:
                self._renew()
            case WakeupMessage(payload=("check", incarnation)) if incarnation == self._me:
                self._check()
            case _Renewed() if message.incarnation == self._me:
                self._on_renewed(message.sent_at, message.outcome)
            case _TermTried():
                self._on_term_tried(message.seen, message.outcome)
            case WakeupMessage(payload=("look", incarnation)) if incarnation == self._me:
                self._look_for_coordinator(may_be_over=True)
            case PeerDead(incarnation):
                self._term.died(incarnation)
                self._look_for_coordinator()
            case News():
                self._on_news(message.message)
            case Deposed():
                self._on_deposed(message)
            case LookAgain():
                if not self._renewing:
                    self._renew()
            case Leave():
                self._on_leave()
            case _LeavingSaid():
                self._on_leaving_said(message)
            case Left():
                self._phase = GONE

    # --- joining

    def _join(self) -> None:
        if self._phase == OUTSIDE:
            sent_at = self._ports.clock()
            # Who joins anew may have been replaced under its name, and must not replace that one in turn.
            network = self._network if self._first else None
            joining = take_seat(self._store, self._seat, self._lease.seconds, network, replacing=self._former or None)
            self.pipe_to_self(joining, lambda outcome: _Joined(sent_at, outcome))

    def _on_joined(self, sent_at: float, outcome: Outcome[Member]) -> None:
        if self._phase == GONE:
            return
        if outcome.error is not None:
            if self._first:
                self._household.cannot_join(outcome.error)
                return
            self._cannot_join_anew(str(outcome.error))
            self.wakeupAfter(REJOIN_PAUSE * (0.5 + self._ports.draw()), "join")
            return
        member = outcome.value
        if not self._first:
            _log.info("node %r has joined anew: incarnation %d", self._seat.node, member.incarnation)
        self._first = False
        self._obstacle = ""
        self._me = self._former = member.incarnation
        self._phase = MEMBER
        self._lease.renewed(sent_at)
        self._members = {member.incarnation: member}
        self._household.joined(member)
        self._renew()
        self._check()

    # --- the lease

    def _cannot_join_anew(self, obstacle: str) -> None:
        """Say so, but once and not with each attempt, of which there are several a second."""
        if obstacle != self._obstacle:
            self._obstacle = obstacle
            _log.warning("node %r cannot join anew yet, and goes on trying: %s", self._seat.node, obstacle)

    def _renew(self) -> None:
        if self._phase in (MEMBER, LEAVING):
            me, sent_at = self._me, self._ports.clock()
            self._renewing = True
            renewal = self._store.renew(me, self._lease.seconds)
            self.pipe_to_self(renewal, lambda outcome: _Renewed(me, sent_at, outcome))

    def _on_renewed(self, sent_at: float, outcome: Outcome[Picture]) -> None:
        self._renewing = False
        if self._phase not in (MEMBER, LEAVING):
            return
        error = outcome.error
        if error is None:
            if self._away:
                _log.warning("node %r can renew its lease again", self._seat.node)
            self._away = False
            self._lease.renewed(sent_at)
            self._renew_in(self._pause())
            self._see(outcome.value)
        elif isinstance(error, LeaseLost):
            _log.warning("node %r: %s%s", self._seat.node, error, self._why_though_it_runs())
            self._lose()
        else:
            if not isinstance(error, ClusterStoreError):
                _log.error("node %r: a renewal raised what no store should", self._seat.node, exc_info=error)
            elif not self._away:
                _log.warning("node %r cannot renew its lease, and goes on trying: %s", self._seat.node, error)
            self._away = True
            self._renew_in(self._lease.retry_pause(self._ports.draw()))

    def _why_though_it_runs(self) -> str:
        if self._ports.clock() > self._lease.usable_until:
            return ""
        return (
            f". It runs, so perhaps others do not reach it at {self._seat.host}:{self._seat.port} (see `bind` and "
            "`advertise`), or another process has its name"
        )

    def _pause(self) -> float:
        pause = self._lease.pause(self._ports.draw())
        # Who leaves has to learn soon that the others leave, too: then nobody is left to take its shards.
        return min(pause, LEAVING_PAUSE) if self._phase == LEAVING else pause

    def _renew_in(self, seconds: float) -> None:
        """Renew after so long, and not at the time planned before."""
        self._planned += 1
        self.wakeupAfter(seconds, ("renew", self._planned))

    def guard(self) -> None:
        """Called before actors take turns: if the lease may be over, stop everything before anybody is answered."""
        if self._phase in (MEMBER, LEAVING) and self._ports.clock() > self._lease.usable_until:
            _log.error("node %r could not renew its lease in time: it stops what it runs", self._seat.node)
            self._lose()

    def _check(self) -> None:
        self.guard()
        if self._phase in (MEMBER, LEAVING):
            left = self._lease.usable_until - self._ports.clock()
            self.wakeupAfter(max(left, 0.0) + 0.01, ("check", self._me))

    def _lose(self) -> None:
        leaving = self._phase == LEAVING
        self._phase = GONE if leaving else OUTSIDE
        self._me = 0
        self._lease.given_up()
        self._term.outside()
        self._household.outside()
        if not leaving:
            self.wakeupAfter(REJOIN_PAUSE * self._ports.draw(), "join")

    # --- who is there

    def _see(self, picture: Picture) -> None:
        self._set_members({member.incarnation: member for member in picture.members})
        self._household.saw(picture)
        if picture.term >= self._term.number:
            self._term.held_by(picture.term, picture.coordinator, self._me)
        self._look_for_coordinator()
        holder = self._members.get(self._term.holder or 0)
        if holder is not None and not self._term.leads:
            soon = holder.lease_left + 0.05 + 0.2 * self._ports.draw()
            if soon < self._lease.seconds * Lease.RENEW:
                self.wakeupAfter(max(soon, 0.05), ("look", self._me))

    def _set_members(self, members: dict[int, Member]) -> None:
        self._members = members
        self._term.forget_all_but(members.keys())
        self._household.members_changed(members)

    # --- the coordinator's term

    def _look_for_coordinator(self, *, may_be_over: bool = False) -> None:
        """Take the term if nobody holds it, or its holder is dead, or its lease is over, or may be by now."""
        may = self._phase == MEMBER and self._seat.weight > 0
        if not may or not self._term.may_try(self._ports.clock()):
            return
        if self._term.holder == self._me:  # we took it, and the answer was lost
            self._term.taken(self._term.number, self._me)
        elif may_be_over or self._term.seems_free(self._members):  # the store judges
            self._try_term()

    def _try_term(self) -> None:
        seen, evidence = self._term.number, self._term.has_evidence()
        self._term.trying = True
        attempt = self._store.take_term(self._me, seen, evidence=evidence)
        self.pipe_to_self(attempt, lambda outcome: _TermTried(seen, outcome))

    def _on_term_tried(self, seen: int, outcome: Outcome[int | None]) -> None:
        self._term.trying = False
        if self._phase != MEMBER:  # an incarnation that is none any more holds nothing
            if self._phase == LEAVING and outcome.error is None and outcome.value is not None:
                self.pipe_to_self(self._store.resign(outcome.value))
            return
        if outcome.error is not None:
            _log.warning("node %r cannot take the coordinator's term: %s", self._seat.node, outcome.error)
            self.wakeupAfter(self._lease.retry_pause(self._ports.draw()), ("look", self._me))
        elif outcome.value is None:
            if self._term.number == seen:  # somebody else was quicker, or the holder lives: the next renewal tells
                self._renew_in(0.1 + 0.1 * self._ports.draw())
        elif self._term.is_ours(outcome.value, self._me):
            self._term.taken(outcome.value, self._me)

    def _on_news(self, news: Leads | Resigned | Members) -> None:
        if self._phase not in (MEMBER, LEAVING) or news.term < self._term.number:
            return
        match news:
            case Leads(term, coordinator):
                self._term.claimed_by(term, coordinator, self._me)
            case Resigned(term):
                self._term.held_by(term, None, self._me)
                self._look_for_coordinator()
            case Members(_, members):
                left = self._lease.seconds
                self._set_members({one[1]: _member(one, self._members.get(one[1]), left) for one in members})

    def _on_deposed(self, deposed: Deposed) -> None:
        if deposed.term != self._term.number or not self._term.leads:
            return
        self._term.lost()
        if deposed.isolated:
            self._term.rest(self._ports.clock() + 2 * self._lease.seconds)
            self.pipe_to_self(self._store.resign(deposed.term), lambda _: News(Resigned(deposed.term)))
        else:
            self._term.held_by(deposed.term, None, self._me)  # who it is instead, the store says
            self._renew()

    # --- leaving

    def _on_leave(self) -> None:
        if self._phase != MEMBER:
            self._phase = GONE  # what is outside does not join anew
            self._household.leaving_said(None)
            return
        self._phase = LEAVING
        others = any(
            member.weight > 0 and member.state != DOWN and member.incarnation != self._me
            for member in self._members.values()
        )
        term = self._term.number if self._term.leads and others else None
        if term is not None:
            self._term.lost()
            self._term.held_by(term, None, self._me)
        self.pipe_to_self(self._say_leaving(self._me, term), lambda outcome: _LeavingSaid(term, outcome))

    async def _say_leaving(self, me: int, term: int | None) -> None:
        await self._store.mark_leaving(me)
        if term is not None:
            await self._store.resign(term)

    def _on_leaving_said(self, said: _LeavingSaid) -> None:
        if said.outcome.error is not None:
            _log.warning("node %r: the store does not know that it leaves: %s", self._seat.node, said.outcome.error)
        self._renew()
        self._household.leaving_said(said.resigned)


def _member(told: tuple[str, int, str, int, float, str], known: Member | None, lease_left: float) -> Member:
    node, incarnation, host, port, weight, state = told
    roles = () if known is None else known.roles
    return Member(
        node, incarnation, host, port, weight, roles, state, lease_left if known is None else known.lease_left
    )
