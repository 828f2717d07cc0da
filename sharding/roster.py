"""Who is there, as the coordinator knows it: when leases end, who is dead, down or out of reach. No turns.

A member is in one of these states; only the store makes one `DOWN`, and that is for good.

    UP or LEAVING --its process is dead, or its lease is over--> doomed --the store agrees--> DOWN --> forgotten
"""

from __future__ import annotations

from collections.abc import Iterable

from sharding.post import Post
from sharding.store.records import DOWN, LEAVING, Hosting, Member, Picture
from sharding.table import Candidate, ShardTable


class Roster:
    """See above. Times are in seconds, `now` on the caller's clock, which must not step.

    Args:
        post: knows this node's incarnation, and to whom connections stand.
        unreachable: how long a member may be out of reach before it counts as gone.

    Attributes:
        members: by incarnation, those that are `DOWN` but not yet forgotten included.
    """

    def __init__(self, post: Post, unreachable: float) -> None:
        self.members: dict[int, Member] = {}
        self._post = post
        self._unreachable = unreachable
        self._lease_ends: dict[int, float] = {}
        self._reached: dict[int, float] = {}
        self._hosts: dict[str, set[int]] = {}
        self._dead: set[int] = set()
        self._down: set[int] = set()

    # --- what is learnt

    def see(self, picture: Picture, now: float) -> bool:
        """A picture of the store has come, perhaps an old one. Whether that changed who is there, or in which state."""
        before = self._states()
        # A picture may be older than what was written or read here since; but who is down once stays so, and who has a
        # higher incarnation than all in it joined later.
        self._down |= {member.incarnation for member in picture.members if member.state == DOWN}
        newest = max((member.incarnation for member in picture.members), default=0)
        later = [one for one in self.members.values() if one.incarnation > newest and one.state != DOWN]
        ends = {member.incarnation: self._lease_ends[member.incarnation] for member in later}
        self.members = {
            member.incarnation: member._replace(state=DOWN) if member.incarnation in self._down else member
            for member in (*picture.members, *later)
        }
        self._lease_ends = ends | {member.incarnation: now + member.lease_left for member in picture.members}
        for incarnation in self.live():
            self._reached.setdefault(incarnation, now)
        return self._states() != before

    def _states(self) -> set[tuple[int, str]]:
        return {(member.incarnation, member.state) for member in self.members.values()}

    def host(self, hosting: Iterable[Hosting]) -> None:
        """The store says that these host types, and nobody else does."""
        self._hosts = {}
        for name, incarnation in hosting:
            self._hosts.setdefault(name, set()).add(incarnation)

    def reached(self, incarnation: int, now: float) -> None:
        """A connection to the member stands now."""
        self._reached[incarnation] = now

    def died(self, incarnation: int) -> None:
        """The process of the member does not exist any more."""
        self._dead.add(incarnation)

    def declared_down(self, down: Iterable[int]) -> None:
        """The store has these down."""
        self._down.update(down)
        self._dead.difference_update(down)

    # --- what follows from it

    def live(self) -> set[int]:
        """The members that are not down."""
        return {incarnation for incarnation, member in self.members.items() if member.state != DOWN}

    def leaving(self) -> list[int]:
        """The live members that are about to leave."""
        return [incarnation for incarnation in self.live() if self.members[incarnation].state == LEAVING]

    def reaches(self, incarnation: int) -> bool:
        """Whether this node itself is meant, or a connection to the member stands."""
        return incarnation == self._post.me or self._post.is_open(incarnation)

    def is_lease_over(self, now: float) -> bool:
        """Whether that of any live member is, this node included, as far as is known."""
        return any(self._lease_ends[incarnation] <= now for incarnation in self.live())

    def doomed(self, now: float) -> list[tuple[int, bool]]:
        """Live members that are dead or whose lease is over, with whether there is evidence."""
        return [
            (incarnation, incarnation in self._dead)
            for incarnation in self.live()
            if incarnation != self._post.me and (incarnation in self._dead or self._lease_ends[incarnation] <= now)
        ]

    def is_isolated(self, now: float) -> bool:
        """Whether more members have been out of this node's reach for long than it is together with."""
        others = [incarnation for incarnation in self.live() if incarnation != self._post.me]
        gone = 0
        for incarnation in others:
            if self.reaches(incarnation):
                self.reached(incarnation, now)
            elif self._is_gone(incarnation, now):
                gone += 1
        return gone * 2 > len(others) + 1

    def candidates(self, table: ShardTable, now: float) -> dict[int, Candidate]:
        """The live members that host the type, or own shards of it: those with a weight above 0 may have more."""
        hosts, owners = self._hosts.get(table.deployment.name, set()), set(table.owners)
        found = {}
        for incarnation in self.live():
            member = self.members[incarnation]
            if incarnation in hosts or incarnation in owners:
                gone = self._is_gone(incarnation, now) and not self.reaches(incarnation)
                met = incarnation in owners or self.reaches(incarnation)  # a first shard only for whom news can reach
                stays = incarnation in hosts and member.state != LEAVING and met and not gone
                found[incarnation] = Candidate(member.node, member.weight if stays else 0.0)
        return found

    def withdrawn(self, table: ShardTable) -> set[int]:
        """The live members that own shards of the type and host it no more."""
        return (self.live() & set(table.owners)) - self._hosts.get(table.deployment.name, set())

    def held(self, table: ShardTable, now: float) -> set[int]:
        """Members that are down, but whose shards of a patient type have to wait for the end of their lease."""
        if not table.deployment.patient:
            return set()
        return {
            incarnation
            for incarnation, member in self.members.items()
            if member.state == DOWN and self._lease_ends[incarnation] > now
        }

    def _is_gone(self, incarnation: int, now: float) -> bool:
        return now - self._reached[incarnation] > self._unreachable
