"""Who is a member, as one node knows it: by pictures of the store, by news of the coordinator, and by its links."""

from __future__ import annotations

import logging

from sharding.links import Peer
from sharding.links.settings import is_loopback
from sharding.store.records import DOWN, UP, Member

NOT_FOUND = (
    "member %d (%s): %s. That is no proof that it is dead: its address is loopback, which each machine has for itself. "
    "If it runs on another machine, let it listen where others reach it (`bind`, `advertise`, `secret`)"
)

_log = logging.getLogger(__name__)


class Acquaintances:
    """The members that a node knows, and what else it knows of each.

    Args:
        on_one_machine: whether all members are processes of one machine.

    Attributes:
        members: by incarnation; those that are not down.
    """

    def __init__(self, *, on_one_machine: bool) -> None:
        self.members: dict[int, Member] = {}
        self._on_one_machine = on_one_machine
        self._dead: set[int] = set()
        self._met: set[int] = set()
        self._parted: set[int] = set()
        self._departed: set[int] = set()
        self._former: dict[int, Member] = {}

    def changed(self, members: dict[int, Member], me: int) -> tuple[list[int], list[int]]:
        """Take news in, which may overtake each other: who has left does not come back.

        Args:
            members: those of the news.
            me: who is never gone.

        Returns:
            those who are new and those who are gone, each in order.
        """
        self._departed |= {one for one, member in members.items() if member.state == DOWN}
        newest = max(members, default=0)
        later = {one: member for one, member in self.members.items() if one > newest}  # a higher one joined later
        live = {one: member for one, member in (members | later).items() if one not in self._departed}
        known, self._former = self._former | self.members, {}
        gone = sorted(known.keys() - live.keys() - {me})
        new = sorted(live.keys() - self.members.keys())
        self._departed.update(gone)
        self.members = live
        for some in (self._dead, self._met, self._parted):
            some.intersection_update(live)
        return new, gone

    def forgotten(self) -> None:
        """The node is no member any more: whom it knew is gone unless the next news have them."""
        self._former, self.members = self._former | self.members, {}

    def met(self, incarnation: int) -> None:
        """There is a connection to it."""
        self._dead.discard(incarnation)
        self._met.add(incarnation)

    def parted(self, incarnation: int) -> None:
        """It said farewell."""
        self._parted.add(incarnation)

    def died(self, peer: Peer, reason: str) -> bool:
        """It is not to be found at its address; whether that proves that it is dead. It is logged once."""
        proven = self._on_one_machine or peer.incarnation in self._met or not is_loopback(peer.host)
        if peer.incarnation not in self._dead:  # this is told at each attempt to reach it
            _log.warning("member %d (%s) is dead: %s" if proven else NOT_FOUND, peer.incarnation, peer.node, reason)
        self._dead.add(peer.incarnation)
        return proven

    def has_parted(self, incarnation: int) -> bool:
        """Whether it said farewell."""
        return incarnation in self._parted

    def is_there(self, incarnation: int) -> bool:
        """Whether it is a member that can be sent to, as far as is known."""
        return incarnation in self.members and incarnation not in self._dead and incarnation not in self._parted

    def is_heard_of(self, incarnation: int) -> bool:
        """Whether it is or was a member."""
        return incarnation in self.members or incarnation in self._departed

    def others(self, me: int) -> list[int]:
        """All members but one."""
        return [incarnation for incarnation in self.members if incarnation != me]

    def has_heirs(self, me: int) -> bool:
        """Whether there is somebody who could take the shards of `me`. Who is leaving, too, takes none."""
        return any(self.members[one].weight > 0 and self.members[one].state == UP for one in self.others(me))
