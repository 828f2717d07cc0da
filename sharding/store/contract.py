"""What every cluster store must do. One suite (`tests/conformance`) runs against each of them.

A store holds three things of one cluster: members with their leases, the coordinator's term, and who owns which shard
under which epoch. It is a database that is already consistent (PostgreSQL; SQLite on one machine); that replaces a
consensus protocol. Safety does not rest on it alone: what shards write is fenced in the journal.

All times are the store's: a lease is `lease_seconds` from the store's clock at the moment of the change, and whoever
asks is told how many seconds are left. No client's clock is ever written or compared.

Every change that a coordinator makes carries its term and checks it in the same transaction, under a lock on the term's
row: once a newer term is committed, nothing of an older one is written.

Any method may raise `StoreUnavailable` (nothing happened) or, where it writes, `StoreOutcomeUnknown`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from sharding.store.records import Allocation, Deployment, Hosting, Member, Picture, Seat


class ClusterStore(ABC):
    """The store of the cluster `cluster`.

    Attributes:
        cluster: its name.
        on_one_machine: whether all members are processes of one machine, as nobody else could use the store.
    """

    cluster: str
    on_one_machine: bool = False

    # --- members

    @abstractmethod
    async def join(self, seat: Seat, lease_seconds: float, *, replacing: int | None = None) -> Member:
        """Become a member under the next incarnation, `UP`, with a lease.

        A member of the same name whose lease is over, or whose incarnation is `replacing`, becomes `DOWN` by this.

        Args:
            seat: what the process brings.
            lease_seconds: how long the lease runs.
            replacing: the incarnation of a member of that name which the caller knows to be dead.

        Raises:
            NodeNameTaken: a member of that name, `UP` or `LEAVING`, holds a lease.
        """

    @abstractmethod
    async def renew(self, incarnation: int, lease_seconds: float) -> Picture:
        """Let the member's lease run for `lease_seconds` from now, also when it was over but nobody had acted on that.

        Returns:
            what is in the store then.

        Raises:
            LeaseLost: the member is `DOWN`, or forgotten.
        """

    @abstractmethod
    async def picture(self) -> Picture:
        """Members and term, from one snapshot."""

    @abstractmethod
    async def mark_leaving(self, incarnation: int) -> None:
        """The member is going to leave: `LEAVING`, unless it is `DOWN` already. Idempotent."""

    @abstractmethod
    async def leave(self, incarnation: int) -> None:
        """The member has stopped everything: it is `DOWN`, its lease over, its term (if it holds one) without holder.

        Idempotent; does nothing for one that is not there.
        """

    # --- the coordinator's term

    @abstractmethod
    async def take_term(self, incarnation: int, seen: int, *, evidence: bool = False) -> int | None:
        """Become the coordinator under term `seen + 1`.

        It succeeds only while the stored term is `seen`, the caller is `UP`, and nobody holds the term: there is no
        holder, or the holder is `DOWN`, forgotten, or its lease is over. With `evidence` (the holder's process is known
        to be dead) its lease does not count.

        Returns:
            the new term, or None when it did not succeed.
        """

    @abstractmethod
    async def resign(self, term: int) -> None:
        """Give the term up: it stays, without holder. Does nothing when `term` is not the current one."""

    @abstractmethod
    async def note_moves(self, term: int, moves: Mapping[str, Sequence[int]]) -> None:
        """Say which shards are under way from one owner to another, for whoever looks at the cluster.

        It replaces what was said before, and is gone when somebody else holds the term, or nobody.

        Args:
            term: the coordinator's.
            moves: shards by type. A type without any need not be there.

        Raises:
            TermOver: `term` is not the current one.
        """

    @abstractmethod
    async def moves(self) -> dict[str, list[int]]:
        """The shards under way as the coordinator said last, sorted, by type; types without any are left out."""

    @abstractmethod
    async def declare_down(self, term: int, incarnation: int, *, evidence: bool = False) -> bool:
        """Make a member `DOWN`: its lease is over, or there is `evidence` that its process is dead.

        The end of its lease is not changed: patient deployments wait for that.

        Returns:
            whether it is `DOWN` now, by this or before. A forgotten one counts as `DOWN`.

        Raises:
            TermOver: `term` is not the current one.
        """

    @abstractmethod
    async def forget(self, term: int) -> None:
        """Delete members that are `DOWN`, whose lease is over and who own no shard, with what they host.

        Raises:
            TermOver: `term` is not the current one.
        """

    # --- deployments

    @abstractmethod
    async def deploy(self, deployment: Deployment, *, host: int | None = None) -> None:
        """Record a type, if it is new, and that the member `host` may own its shards. Idempotent.

        One of the kind `PROCESS` is recorded with another number of shards while nobody hosts it who holds a lease, or
        is `host`. Hosts whose lease is over become `DOWN` by this. What was allocated above the new number stays, with
        owner 0, so that its epochs only grow.

        Raises:
            DeploymentMismatch: it is recorded with another kind, number of shards or patience.
            LeaseLost: `host` is `DOWN` or forgotten.
        """

    @abstractmethod
    async def unhost(self, name: str, incarnation: int) -> None:
        """The member may not own shards of the type any more; what it owns stays until it is given away. Idempotent."""

    @abstractmethod
    async def deployments(self) -> tuple[list[Deployment], list[Hosting]]:
        """All types by name, and who hosts them, by type and incarnation; from one snapshot."""

    # --- shards

    @abstractmethod
    async def allocations(self, name: str) -> list[Allocation]:
        """The shards of the type `name` that were ever allocated, by number, also those that it has no more."""

    @abstractmethod
    async def allocate(self, term: int, name: str, allocations: Sequence[Allocation]) -> None:
        """Set owner and epoch of some shards of a deployed type; all of them, or none. At most one entry per shard.

        Raises:
            TermOver: `term` is not the current one.
            EpochNotNewer: an epoch is not above the one stored for its shard.
            ValueError: the type is not deployed, or has no such shard.
        """

    @abstractmethod
    async def close(self) -> None:
        """Release connections, threads and files. Idempotent."""
