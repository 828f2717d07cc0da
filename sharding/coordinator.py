"""The coordinator: decides who owns which shard. One actor, on the node that holds the term.

It takes over by reading the store, never by waiting for nodes. Every write carries its term; the first that is refused
ends it. What it decides it writes first and tells then (`Homes`), so a successor knows all that anybody was told.

    LOADING --read--> IDLE --something changed--> WORKING (one step: declare down, look, or write) --> IDLE
    any --the term is over--> exited

One step is under way at a time. A step whose outcome is unknown leads back to LOADING.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from typing import Any, NamedTuple

from thespian.actors import ActorExitRequest, WakeupMessage

from sharding.actors import Address, AsyncActor, Outcome
from sharding.allocation import AllocationStrategy
from sharding.post import Post, Unreachable
from sharding.protocol import (
    EpochStale,
    HandedOff,
    HandOff,
    Home,
    Homes,
    Leads,
    Leaving,
    MayLeave,
    Members,
    Register,
)
from sharding.settings import ClusterSettings
from sharding.store.contract import ClusterStore
from sharding.store.errors import StoreUnavailable, TermOver
from sharding.store.records import DOWN, LEAVING, Allocation, Deployment, Hosting, Member, Picture
from sharding.table import Candidate, HandOffWanted, ShardTable

HOMES_PER_MESSAGE = 4_000
RETRY_SECONDS = 0.1
TICK_SECONDS = 0.25

_log = logging.getLogger(__name__)


class PictureSeen(NamedTuple):
    """From the node: what its renewal found in the store."""

    picture: Picture


class PeerDead(NamedTuple):
    """From the node: the process of the member does not exist any more."""

    incarnation: int


class PeerOpened(NamedTuple):
    """From the node: a connection to the member stands."""

    incarnation: int


class Deposed(NamedTuple):
    """To the node's membership: this coordinator has ended; `isolated` when it gave up because it reaches too few."""

    term: int
    isolated: bool = False


class From(NamedTuple):
    """From the node: what the member `incarnation` said."""

    incarnation: int
    message: Any


class Moving(NamedTuple):
    """For whoever asks for the cluster's state: shards under way, by type."""

    shards: dict[str, list[int]]


class MovingWanted:
    """From the node: which shards are under way? Answered by `Moving`."""


class _Look(NamedTuple):
    picture: Picture
    deployments: list[Deployment]
    hosting: list[Hosting]
    allocations: dict[str, list[Allocation]]


class _StepEnded(NamedTuple):
    kind: str
    outcome: Outcome[Any]


class _MovesNoted(NamedTuple):
    outcome: Outcome[None]


class Coordinator(AsyncActor):
    """See above.

    Args:
        term: which it holds.
        store: where it writes.
        post: reaches members.
        settings: times and bounds.
        strategy: decides where shards belong.
        membership: who is told `Deposed`.
    """

    def __init__(
        self,
        term: int,
        store: ClusterStore,
        post: Post,
        settings: ClusterSettings,
        strategy: AllocationStrategy,
        membership: Address,
    ) -> None:
        super().__init__()
        self._term = term
        self._store = store
        self._post = post
        self._settings = settings
        self._strategy = strategy
        self._membership = membership
        self._members: dict[int, Member] = {}
        self._lease_ends: dict[int, float] = {}
        self._reached: dict[int, float] = {}
        self._tables: dict[str, ShardTable] = {}
        self._hosts: dict[str, set[int]] = {}
        self._routers: dict[str, set[int]] = {}
        self._unanswered: set[tuple[int, str]] = set()
        self._dead: set[int] = set()
        self._down: set[int] = set()
        self._untold: set[tuple[int, str]] = set()
        self._busy = False
        self._over = False
        self._loaded = False
        self._look_wanted = True
        self._granting: dict[str, list[Allocation]] = {}
        self._noted: dict[str, list[int]] | None = {}  # the store has none under a new term; None: it is not known
        self._noting = False

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802 - Thespian's name
        """A turn of the coordinator."""
        match message:
            case From():
                self._on_message(message.incarnation, message.message)
            case _StepEnded():
                self._busy = False
                self._on_step_ended(message.kind, message.outcome)
            case PictureSeen(picture):
                self._see(picture)
            case PeerDead(incarnation):
                self._dead.add(incarnation)
            case PeerOpened(incarnation):
                self._on_opened(incarnation)
            case WakeupMessage():
                self._on_tick()
            case MovingWanted():
                self.send(sender, Moving(self._moving()))
            case _MovesNoted(outcome):
                self._on_moves_noted(outcome)
            case "start":
                self.wakeupAfter(TICK_SECONDS)
            case ActorExitRequest():
                self._over = True
        self._advance()

    # --- what members say

    def _on_message(self, incarnation: int, message: Any) -> None:
        match message:
            case Register(_, name):
                self._routers.setdefault(name, set()).add(incarnation)
                self._unanswered.add((incarnation, name))
                self._look_wanted = True  # the store says whether it hosts the type, and who that is
            case HandedOff(name, shard, epoch) if name in self._tables:
                if not self._tables[name].handed_off(shard, incarnation, epoch):
                    self._correct(incarnation, name, shard)
            case EpochStale(name, shard, epoch, current) if name in self._tables:
                if not self._tables[name].stale(shard, incarnation, epoch, current):
                    self._correct(incarnation, name, shard)
            case Leaving():
                self._look_wanted = True

    def _correct(self, incarnation: int, name: str, shard: int) -> None:
        """The member believes that it owns the shard under an epoch that is not the newest: it missed some news."""
        table = self._tables[name]
        if 0 <= shard < len(table.owners):
            self._tell_homes(name, [(shard, table.owners[shard], table.epochs[shard])], [incarnation])

    def _on_opened(self, incarnation: int) -> None:
        self._reached[incarnation] = self._now()
        if self._loaded:
            self._say(incarnation, Leads(self._term, self._post.me))
            self._say(incarnation, self._known_members())
            for name, table in self._tables.items():
                orders = tuple(shard for shard in table.moving if table.owners[shard] == incarnation)
                if orders:
                    self._say(incarnation, HandOff(self._term, name, orders))

    def _on_tick(self) -> None:
        self.wakeupAfter(TICK_SECONDS)
        now = self._now()
        for incarnation, member in self._members.items():
            if member.state != DOWN and self._lease_ends[incarnation] <= now:
                self._look_wanted = True
        self._tell_untold()
        late = now - self._settings.hand_off
        for name, table in self._tables.items():
            if table.deployment.patient:  # only its owner, or the end of that one's lease, frees such a shard
                self._order(table, [HandOffWanted(shard, table.owners[shard]) for shard in table.late(late)])
                continue
            for shard in table.pass_over(late):
                _log.warning(
                    "%s shard %d was not handed off by member %d: passed over", name, shard, table.owners[shard]
                )
        self._note_moves()

    # --- what is under way, for whoever looks at the cluster

    def _moving(self) -> dict[str, list[int]]:
        return {name: sorted(table.moving) for name, table in self._tables.items() if table.moving}

    def _note_moves(self) -> None:
        """Beside the steps, so that nothing waits for it; what it says may be a tick old."""
        moving = self._moving()
        if self._loaded and not self._noting and moving != self._noted:
            self._noting, self._noted = True, moving
            self.pipe_to_self(self._store.note_moves(self._term, moving), _MovesNoted)

    def _on_moves_noted(self, outcome: Outcome[None]) -> None:
        self._noting = False
        if isinstance(outcome.error, TermOver):
            self._end(Deposed(self._term))
        elif outcome.error is not None:
            self._noted = None  # said again at the next tick
            _log.debug("coordinator: what is under way could not be noted: %s", outcome.error)

    # --- steps

    def _advance(self) -> None:
        """Start what is to be done next, unless something is under way."""
        if self._over or self._busy or not self._post.me:
            return
        if not self._loaded:
            self._do("load", self._look(all_allocations=True))
        elif doomed := self._doomed():
            self._do("down", self._declare_down(doomed))
        elif self._look_wanted:
            self._look_wanted = False
            self._do("look", self._look(all_allocations=False))
        else:
            self._plan()

    def _do(self, kind: str, step: Coroutine[Any, Any, Any]) -> None:
        self._busy = True
        self.pipe_to_self(step, lambda outcome: _StepEnded(kind, outcome))

    def _on_step_ended(self, kind: str, outcome: Outcome[Any]) -> None:
        error = outcome.error
        if error is None:
            self._on_done(kind, outcome.value)
        elif isinstance(error, TermOver):
            _log.warning("coordinator: %s", error)
            self._end(Deposed(self._term))
        elif isinstance(error, StoreUnavailable):
            self._retry(kind)
        else:
            if not isinstance(error, Exception):
                raise error
            _log.warning("coordinator: %s: %s; what is in the store is read again", kind, error)
            self._loaded = False
            self._retry(kind)

    def _retry(self, kind: str) -> None:
        if kind == "look":
            self._look_wanted = True
        self._do("pause", _pause(RETRY_SECONDS))

    def _on_done(self, kind: str, value: Any) -> None:
        if kind in ("load", "look"):
            self._on_looked(value, first=kind == "load")
        elif kind == "down":
            self._on_down(*value)
        elif kind == "grant":
            self._on_granted()

    async def _look(self, *, all_allocations: bool) -> _Look:
        picture = await self._store.picture()
        deployments, hosting = await self._store.deployments()
        wanted = [one.name for one in deployments if all_allocations or one.name not in self._tables]
        allocations = {name: await self._store.allocations(name) for name in wanted}
        return _Look(picture, deployments, hosting, allocations)

    def _on_looked(self, look: _Look, *, first: bool) -> None:
        for deployment in look.deployments:
            if deployment.name in look.allocations:
                table = self._tables[deployment.name] = ShardTable(deployment, self._strategy)
                table.load(look.allocations[deployment.name])
        self._hosts = {}
        for name, incarnation in look.hosting:
            self._hosts.setdefault(name, set()).add(incarnation)
        self._see(look.picture)
        if self._over:
            return
        if first and not self._loaded:
            self._loaded = True
            for incarnation in self._live():
                self._say(incarnation, Leads(self._term, self._post.me))
            self._tell_members()
        for incarnation, name in sorted(self._unanswered):
            self._tell_all(name, incarnation)
        self._unanswered.clear()

    def _see(self, picture: Picture) -> None:
        if picture.term > self._term:
            self._end(Deposed(self._term))
            return
        now = self._now()
        before = {(member.incarnation, member.state) for member in self._members.values()}
        # A picture may be older than what was written or read here since; but who is down once stays so, and who has a
        # higher incarnation than all in it joined later.
        self._down |= {member.incarnation for member in picture.members if member.state == DOWN}
        newest = max((member.incarnation for member in picture.members), default=0)
        later = [one for one in self._members.values() if one.incarnation > newest and one.state != DOWN]
        ends = {member.incarnation: self._lease_ends[member.incarnation] for member in later}
        self._members = {
            member.incarnation: member._replace(state=DOWN) if member.incarnation in self._down else member
            for member in (*picture.members, *later)
        }
        self._post.learn(self._members)
        self._lease_ends = ends | {member.incarnation: now + member.lease_left for member in picture.members}
        for incarnation in self._live():
            self._reached.setdefault(incarnation, now)
        if self._loaded and {(member.incarnation, member.state) for member in self._members.values()} != before:
            self._tell_members()

    # --- members that are gone

    def _doomed(self) -> list[tuple[int, bool]]:
        """Live members that are dead or whose lease is over, with whether there is evidence."""
        now = self._now()
        return [
            (incarnation, incarnation in self._dead)
            for incarnation in self._live()
            if incarnation != self._post.me and (incarnation in self._dead or self._lease_ends[incarnation] <= now)
        ]

    async def _declare_down(self, doomed: list[tuple[int, bool]]) -> tuple[Picture, list[int]]:
        down = [
            incarnation
            for incarnation, evidence in doomed
            if await self._store.declare_down(self._term, incarnation, evidence=evidence)
        ]
        picture = await self._store.picture()
        await self._store.forget(self._term)
        return picture, down

    def _on_down(self, picture: Picture, down: list[int]) -> None:
        for incarnation in down:
            member = self._members.get(incarnation)  # a picture seen meanwhile may be without it already
            _log.warning("member %d (%s) is down", incarnation, "forgotten" if member is None else member.node)
        self._down.update(down)
        self._dead.difference_update(down)
        self._see(picture)

    # --- planning and writing

    def _plan(self) -> None:
        if self._is_isolated():
            _log.warning("coordinator: more members are out of reach than in reach: the term is given up")
            self._end(Deposed(self._term, isolated=True))
            return
        # Those of which nobody knows when they end must not keep others from moving.
        late = self._now() - self._settings.hand_off
        under_way = sum(len(table.moving) - len(table.late(late)) for table in self._tables.values())
        grants: dict[str, list[Allocation]] = {}
        for name, table in self._tables.items():
            candidates = self._candidates(name)
            if not any(candidate.weight > 0 for candidate in candidates.values()):
                continue
            slots = self._settings.moves_at_once - under_way
            step = table.next_step(candidates, self._held(name), slots)
            under_way += len(step.hand_offs)
            self._order(table, step.hand_offs)
            if step.grants:
                grants[name] = step.grants
        if grants:
            self._granting = grants
            self._do("grant", self._write(grants))
        else:
            self._let_go()

    def _candidates(self, name: str) -> dict[int, Candidate]:
        hosts, owners = self._hosts.get(name, set()), set(self._tables[name].owners)
        now, settings = self._now(), self._settings
        found = {}
        for incarnation in self._live():
            member = self._members[incarnation]
            if incarnation in hosts or incarnation in owners:
                gone = now - self._reached[incarnation] > settings.unreachable and not self._reaches(incarnation)
                met = incarnation in owners or self._reaches(incarnation)  # a first shard only for whom news can reach
                stays = incarnation in hosts and member.state != LEAVING and met and not gone
                found[incarnation] = Candidate(member.node, member.weight if stays else 0.0)
        return found

    def _held(self, name: str) -> set[int]:
        """Members that are down but whose shards of a patient type have to wait for the end of their lease."""
        if not self._tables[name].deployment.patient:
            return set()
        now = self._now()
        return {
            incarnation
            for incarnation, member in self._members.items()
            if member.state == DOWN and self._lease_ends[incarnation] > now
        }

    def _order(self, table: ShardTable, wanted: Iterable[HandOffWanted]) -> None:
        by_owner: dict[int, list[int]] = {}
        for shard, owner in wanted:
            table.ordered(shard, self._now())
            by_owner.setdefault(owner, []).append(shard)
        for owner, shards in by_owner.items():
            self._say(owner, HandOff(self._term, table.deployment.name, tuple(shards)))

    async def _write(self, grants: dict[str, list[Allocation]]) -> None:
        for name, allocations in grants.items():
            await self._store.allocate(self._term, name, allocations)

    def _on_granted(self) -> None:
        grants, self._granting = self._granting, {}
        for name, allocations in grants.items():
            self._tables[name].granted(allocations)
            homes: list[Home] = [(shard, owner, epoch) for shard, owner, epoch in allocations]
            self._tell_homes(name, homes, sorted(self._routers.get(name, set()) & self._live()))

    def _let_go(self) -> None:
        """Leaving members that own nothing, or whose shards nobody else can have, may go."""
        for incarnation in self._live():
            if self._members[incarnation].state == LEAVING and not self._has_to_stay(incarnation):
                self._say(incarnation, MayLeave(self._term))

    def _has_to_stay(self, leaving: int) -> bool:
        for name, table in self._tables.items():
            others = any(candidate.weight > 0 for candidate in self._candidates(name).values())
            if others and table.owned_by(leaving):
                return True
        return False

    # --- telling

    def _known_members(self) -> Members:
        known = tuple(
            (member.node, member.incarnation, member.host, member.port, float(member.weight), member.state)
            for member in self._members.values()
        )
        return Members(self._term, known)

    def _tell_members(self) -> None:
        members = self._known_members()
        for incarnation in self._live():
            self._say(incarnation, members)

    def _tell_homes(self, name: str, homes: list[Home], to: Iterable[int], *, all_told: bool = False) -> None:
        parts = [homes[start : start + HOMES_PER_MESSAGE] for start in range(0, len(homes), HOMES_PER_MESSAGE)] or [[]]
        for incarnation in to:
            for part in parts:
                told = Homes(self._term, name, tuple(part), all_told and part is parts[-1])
                if not self._say(incarnation, told):
                    self._untold.add((incarnation, name))
                    break

    def _tell_untold(self) -> None:
        """What did not fit into a link that stands: a new one would make its region register again."""
        untold = {one for one in self._untold if one[0] in self._live()}
        self._untold = {one for one in untold if not self._reaches(one[0])}
        for incarnation, name in sorted(untold - self._untold):
            self._tell_all(name, incarnation)

    def _tell_all(self, name: str, incarnation: int) -> None:
        if name in self._tables:
            homes = [home for home in self._tables[name].homes() if home[1] in self._members]
            self._tell_homes(name, homes, [incarnation], all_told=True)

    def _say(self, incarnation: int, message: Any) -> bool:
        try:
            self._post.send(incarnation, message)
        except Unreachable as error:  # it registers again when it is reached, and gets all there is to know
            _log.debug("coordinator: %s not sent to member %d: %s", type(message).__name__, incarnation, error)
            return False
        return True

    # --- who is there

    def _now(self) -> float:
        return self.engine.loop.time()

    def _live(self) -> set[int]:
        return {incarnation for incarnation, member in self._members.items() if member.state != DOWN}

    def _reaches(self, incarnation: int) -> bool:
        return incarnation == self._post.me or self._post.is_open(incarnation)

    def _is_isolated(self) -> bool:
        now = self._now()
        others = [incarnation for incarnation in self._live() if incarnation != self._post.me]
        gone = 0
        for incarnation in others:
            if self._reaches(incarnation):
                self._reached[incarnation] = now
            elif now - self._reached[incarnation] > self._settings.unreachable:
                gone += 1
        return gone * 2 > len(others) + 1

    def _end(self, why: Deposed) -> None:
        if self._over:
            return
        self._over = True
        self.send(self._membership, why)
        self.send(self.myAddress, ActorExitRequest())


async def _pause(seconds: float) -> None:
    await asyncio.sleep(seconds)
