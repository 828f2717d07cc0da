"""The coordinator's term as one node sees it: which it is, who holds it, and whether this node should try to take it.

    FOLLOWING --it seems free--> TRYING --the store says no--> FOLLOWING
    TRYING --the store says yes--> LEADING --another holds it, or nobody--> FOLLOWING

The store alone decides who holds a term; what seems free here is only a reason to ask it. No turns, and no clock.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sharding.household import Household
from sharding.store.records import DOWN, Member


class Term:
    """See above.

    Args:
        household: is told who coordinates, and when that begins or ends to be this node.

    Attributes:
        number: the newest that is known; 0 before the first.
        holder: the incarnation that holds it; None when nobody does, or it is not known.
        leads: whether this node does.
        trying: whether the store is being asked for the next one.
    """

    def __init__(self, household: Household) -> None:
        self.number = 0
        self.holder: int | None = None
        self.leads = False
        self.trying = False
        self._household = household
        self._evidence: set[int] = set()
        self._rests_until = float("-inf")

    # --- who holds it

    def held_by(self, number: int, holder: int | None, me: int) -> None:
        """This is known now; `me` is this node's incarnation."""
        if (number, holder) == (self.number, self.holder):
            return
        self.number, self.holder = number, holder
        if self.leads and holder != me:
            self.lost()
        self._household.coordinator_changed(number, holder)

    def claimed_by(self, number: int, holder: int, me: int) -> None:
        """The holder says so itself."""
        if (number, holder) == (self.number, self.holder):
            self._household.coordinator_changed(number, holder)  # it may have missed what we said before
        self.held_by(number, holder, me)

    def taken(self, number: int, me: int) -> None:
        """The store gave it to this node."""
        self.leads = True
        self.number, self.holder = number, me
        self._household.term_taken(number)
        self._household.coordinator_changed(number, me)

    def lost(self) -> None:
        """This node leads no more, if it did."""
        if self.leads:
            self.leads = False
            self._household.term_lost()

    def outside(self) -> None:
        """This node is no member any more: whoever holds the term is news to its next incarnation."""
        self.lost()
        self.holder = None

    # --- whether to try

    def died(self, incarnation: int) -> None:
        """There is evidence that the process of the member does not exist any more."""
        self._evidence.add(incarnation)

    def forget_all_but(self, members: Collection[int]) -> None:
        """These are all members that are known: evidence against others is of no use any more."""
        self._evidence.intersection_update(members)

    def rest(self, until: float) -> None:
        """Try nothing before that time: others shall."""
        self._rests_until = until

    def may_try(self, now: float) -> bool:
        """Whether this node neither leads nor tries nor rests."""
        return not self.trying and not self.leads and now >= self._rests_until

    def has_evidence(self) -> bool:
        """Whether its holder is known to be dead."""
        return self.holder in self._evidence

    def seems_free(self, members: Mapping[int, Member]) -> bool:
        """Whether nobody holds it, or its holder is gone or dead, or its lease is over."""
        holder = members.get(self.holder or 0)
        gone = holder is None or holder.state == DOWN or holder.lease_left <= 0
        return self.holder is None or gone or self.has_evidence()

    def is_ours(self, number: int, me: int) -> bool:
        """Whether this term, which the store gave to this node, is still the newest that is known."""
        return number > self.number or (number == self.number and self.holder == me)
