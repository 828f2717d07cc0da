"""What a membership tells the node it belongs to."""

from __future__ import annotations

from typing import Protocol

from sharding.store.records import Member, Picture


class Household(Protocol):
    """What the membership tells the node it belongs to. Called within turns; must not raise."""

    def joined(self, member: Member) -> None:
        """This process is a member now, under a new incarnation."""

    def outside(self) -> None:
        """This process is no member any more: stop what it runs, at once."""

    def cannot_join(self, error: BaseException) -> None:
        """The first attempt to join failed."""

    def members_changed(self, members: dict[int, Member]) -> None:
        """Who is known to be there."""

    def saw(self, picture: Picture) -> None:
        """What a renewal found in the store."""

    def coordinator_changed(self, term: int, coordinator: int | None) -> None:
        """Who coordinates now, under which term."""

    def term_taken(self, term: int) -> None:
        """This node coordinates from now on."""

    def term_lost(self) -> None:
        """This node coordinates no more."""

    def leaving_said(self, resigned: int | None) -> None:
        """The store knows that this node is leaving, and that nobody holds the term `resigned`, if that was ours."""
