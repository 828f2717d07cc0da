"""The coordinator: decides who owns which shard. One actor, on the node that holds the term.

It takes over by reading the store, never by waiting for nodes. Every write carries its term; the first that is refused
ends it. What it decides it writes first and tells then (`Homes`), so a successor knows all that anybody was told.

    LOADING --read--> IDLE --something changed--> WORKING (one step: declare down, look, or write) --> IDLE
    any --the term is over--> exited

One step is under way at a time. A step whose outcome is unknown leads back to LOADING. Who is there is the `Roster`'s
to know, who owns what the `ShardTable`s', who has been told what the `Herald`'s.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from typing import Any, NamedTuple

from thespian.actors import ActorExitRequest, WakeupMessage

from sharding.actors import Address, AsyncActor, Outcome
from sharding.allocation import AllocationStrategy
from sharding.herald import Herald
from sharding.notices import Deposed, From, PeerDead, PeerOpened, PictureSeen
from sharding.post import Post
from sharding.protocol import EpochStale, HandedOff, Leaving, Register
from sharding.roster import Roster
from sharding.settings import ClusterSettings
from sharding.store.contract import ClusterStore
from sharding.store.errors import StoreUnavailable, TermOver
from sharding.store.records import Allocation, Deployment, Hosting, Picture
from sharding.table import HandOffWanted, ShardTable

RETRY_SECONDS = 0.1
TICK_SECONDS = 0.25

_log = logging.getLogger(__name__)


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
        strategy_of: gives the strategy that decides where a type's shards belong.
        membership: who is told `Deposed`.
    """

    def __init__(
        self,
        term: int,
        store: ClusterStore,
        post: Post,
        settings: ClusterSettings,
        strategy_of: Callable[[Deployment], AllocationStrategy],
        membership: Address,
    ) -> None:
        super().__init__()
        self._term = term
        self._store = store
        self._post = post
        self._settings = settings
        self._strategy_of = strategy_of
        self._membership = membership
        self._tables: dict[str, ShardTable] = {}
        self._roster = Roster(post, settings.unreachable)
        self._herald = Herald(term, post, self._roster, self._tables)
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
                self._roster.died(incarnation)
            case PeerOpened(incarnation):
                self._on_opened(incarnation)
            case WakeupMessage():
                self._on_tick()
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
                self._herald.register(incarnation, name)
                self._look_wanted = True  # the store says whether it hosts the type, and who that is
            case HandedOff(name, shard, epoch) if name in self._tables:
                if not self._tables[name].handed_off(shard, incarnation, epoch):
                    self._herald.correct(incarnation, name, shard)
            case EpochStale(name, shard, epoch, current) if name in self._tables:
                if not self._tables[name].stale(shard, incarnation, epoch, current):
                    self._herald.correct(incarnation, name, shard)
            case Leaving():
                self._look_wanted = True

    def _on_opened(self, incarnation: int) -> None:
        self._roster.reached(incarnation, self._now())
        if self._loaded:
            self._herald.leads([incarnation])
            self._herald.members([incarnation])
            for name, table in self._tables.items():
                moving = [shard for shard in table.moving if table.owners[shard] == incarnation]
                self._herald.order(name, [HandOffWanted(shard, incarnation) for shard in moving])

    def _on_tick(self) -> None:
        self.wakeupAfter(TICK_SECONDS)
        now = self._now()
        if self._roster.is_lease_over(now):
            self._look_wanted = True
        self._herald.tell_untold()
        late = now - self._settings.hand_off
        for name, table in self._tables.items():
            if table.deployment.patient:  # only its owner, or the end of that one's lease, frees such a shard
                self._order(table, [HandOffWanted(shard, table.owners[shard]) for shard in table.late(late)])
                continue
            for shard in table.pass_over(late):
                owner = table.owners[shard]
                _log.warning("%s shard %d was not handed off by member %d: passed over", name, shard, owner)
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
        elif doomed := self._roster.doomed(self._now()):
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
        known = [] if all_allocations else [table.deployment for table in self._tables.values()]
        wanted = [one.name for one in deployments if one not in known]  # new, or with another number of shards
        allocations = {name: await self._store.allocations(name) for name in wanted}
        return _Look(picture, deployments, hosting, allocations)

    def _on_looked(self, look: _Look, *, first: bool) -> None:
        for deployment in look.deployments:
            if deployment.name in look.allocations:
                table = self._tables[deployment.name] = ShardTable(deployment, self._strategy_of(deployment))
                table.load(look.allocations[deployment.name])
        self._roster.host(look.hosting)
        self._see(look.picture)
        if self._over:
            return
        if first and not self._loaded:
            self._loaded = True
            self._herald.leads(self._roster.live())
            self._herald.members(self._roster.live())
        self._herald.answer()

    def _see(self, picture: Picture) -> None:
        if picture.term > self._term:
            self._end(Deposed(self._term))
            return
        changed = self._roster.see(picture, self._now())
        self._post.learn(self._roster.members)
        if self._loaded and changed:
            self._herald.members(self._roster.live())

    # --- members that are gone

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
            member = self._roster.members.get(incarnation)  # a picture seen meanwhile may be without it already
            _log.warning("member %d (%s) is down", incarnation, "forgotten" if member is None else member.node)
        self._roster.declared_down(down)
        self._see(picture)

    # --- planning and writing

    def _plan(self) -> None:
        now = self._now()
        if self._roster.is_isolated(now):
            _log.warning("coordinator: more members are out of reach than in reach: the term is given up")
            self._end(Deposed(self._term, isolated=True))
            return
        # Those of which nobody knows when they end must not keep others from moving.
        late = now - self._settings.hand_off
        under_way = sum(len(table.moving) - len(table.late(late)) for table in self._tables.values())
        grants: dict[str, list[Allocation]] = {}
        for name, table in self._tables.items():
            candidates = self._roster.candidates(table, now)
            if not any(candidate.weight > 0 for candidate in candidates.values()):
                self._order(table, table.unwanted(self._roster.withdrawn(table)))
                continue
            slots = self._settings.moves_at_once - under_way
            step = table.next_step(candidates, self._roster.held(table, now), slots)
            under_way += len(step.hand_offs)
            self._order(table, step.hand_offs)
            if step.grants:
                grants[name] = step.grants
        if grants:
            self._granting = grants
            self._do("grant", self._write(grants))
        else:
            self._let_go()

    def _order(self, table: ShardTable, wanted: Collection[HandOffWanted]) -> None:
        for shard, _ in wanted:
            table.ordered(shard, self._now())
        self._herald.order(table.deployment.name, wanted)

    async def _write(self, grants: dict[str, list[Allocation]]) -> None:
        for name, allocations in grants.items():
            await self._store.allocate(self._term, name, allocations)

    def _on_granted(self) -> None:
        grants, self._granting = self._granting, {}
        for name, allocations in grants.items():
            self._tables[name].granted(allocations)
            self._herald.granted(name, allocations)

    def _let_go(self) -> None:
        """Leaving members that own nothing, or whose shards nobody else can have, may go."""
        for incarnation in self._roster.leaving():
            if not self._has_to_stay(incarnation):
                self._herald.may_leave(incarnation)

    def _has_to_stay(self, leaving: int) -> bool:
        for table in self._tables.values():
            candidates = self._roster.candidates(table, self._now()).values()
            if any(candidate.weight > 0 for candidate in candidates) and table.owned_by(leaving):
                return True
        return False

    def _now(self) -> float:
        return self.engine.loop.time()

    def _end(self, why: Deposed) -> None:
        if self._over:
            return
        self._over = True
        self.send(self._membership, why)
        self.send(self.myAddress, ActorExitRequest())


async def _pause(seconds: float) -> None:
    await asyncio.sleep(seconds)
