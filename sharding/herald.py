"""What the coordinator tells members: who is there, who leads, who owns what; and who has still to be told. No turns.

Whoever registered hears of every grant. What cannot be sent because no connection stands is let go: its receiver
registers again when it is reached. What does not fit into one that stands is told in full later.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping

from sharding.post import Post, try_to_send
from sharding.protocol import HandOff, Home, Homes, Leads, MayLeave, Members
from sharding.roster import Roster
from sharding.store.records import Allocation
from sharding.table import HandOffWanted, ShardTable

HOMES_PER_MESSAGE = 4_000

_log = logging.getLogger(__name__)


class Herald:
    """See above.

    Args:
        term: whose news they are.
        post: reaches members.
        roster: who is there; the coordinator's.
        tables: who owns what, by type; the coordinator's.
    """

    def __init__(self, term: int, post: Post, roster: Roster, tables: Mapping[str, ShardTable]) -> None:
        self._term = term
        self._post = post
        self._roster = roster
        self._tables = tables
        self._routers: dict[str, set[int]] = {}
        self._unanswered: set[tuple[int, str]] = set()
        self._untold: set[tuple[int, str]] = set()

    # --- who leads, and who is there

    def leads(self, to: Iterable[int]) -> None:
        """Tell them whose the term is."""
        for incarnation in to:
            try_to_send(self._post, incarnation, Leads(self._term, self._post.me))

    def members(self, to: Iterable[int]) -> None:
        """Tell them who is there."""
        known = tuple(
            (member.node, member.incarnation, member.host, member.port, float(member.weight), member.state)
            for member in self._roster.members.values()
        )
        for incarnation in to:
            try_to_send(self._post, incarnation, Members(self._term, known))

    def may_leave(self, incarnation: int) -> None:
        """Tell it that nothing of its own is left that could be moved."""
        try_to_send(self._post, incarnation, MayLeave(self._term))

    # --- who owns what

    def register(self, incarnation: int, name: str) -> None:
        """The member routes the type: it is told of all homes by `answer`, and of every grant from now on."""
        self._routers.setdefault(name, set()).add(incarnation)
        self._unanswered.add((incarnation, name))

    def answer(self) -> None:
        """Tell those that registered of all homes."""
        for incarnation, name in sorted(self._unanswered):
            self._tell_all(name, incarnation)
        self._unanswered.clear()

    def granted(self, name: str, allocations: Iterable[Allocation]) -> None:
        """Tell all that route the type of these, which are in the store."""
        homes: list[Home] = [(shard, owner, epoch) for shard, owner, epoch in allocations]
        self._tell_homes(name, homes, sorted(self._routers.get(name, set()) & self._roster.live()))

    def correct(self, incarnation: int, name: str, shard: int) -> None:
        """The member believes that it owns the shard under an epoch that is not the newest: it missed some news."""
        table = self._tables[name]
        if 0 <= shard < len(table.owners):
            self._tell_homes(name, [(shard, table.owners[shard], table.epochs[shard])], [incarnation])

    def tell_untold(self) -> None:
        """What did not fit into a link that stands: a new one would make its region register again."""
        live = self._roster.live()
        untold = {one for one in self._untold if one[0] in live}
        self._untold = {one for one in untold if not self._roster.reaches(one[0])}
        for incarnation, name in sorted(untold - self._untold):
            self._tell_all(name, incarnation)

    def _tell_all(self, name: str, incarnation: int) -> None:
        if name in self._tables:
            homes = [home for home in self._tables[name].homes() if home[1] in self._roster.members]
            self._tell_homes(name, homes, [incarnation], all_told=True)

    def _tell_homes(self, name: str, homes: list[Home], to: Iterable[int], *, all_told: bool = False) -> None:
        parts = [homes[start : start + HOMES_PER_MESSAGE] for start in range(0, len(homes), HOMES_PER_MESSAGE)] or [[]]
        for incarnation in to:
            for part in parts:
                told = Homes(self._term, name, tuple(part), all_told and part is parts[-1])
                if not try_to_send(self._post, incarnation, told):
                    self._untold.add((incarnation, name))
                    break

    # --- what owners shall do

    def order(self, name: str, wanted: Collection[HandOffWanted]) -> None:
        """Tell owners to hand these shards off."""
        by_owner: dict[int, list[int]] = {}
        for shard, owner in wanted:
            by_owner.setdefault(owner, []).append(shard)
        for owner, shards in by_owner.items():
            try_to_send(self._post, owner, HandOff(self._term, name, tuple(shards)))
