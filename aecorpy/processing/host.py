"""What a deployment of processes brings to its shards: each shard is one process, whose resident worker runs it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from thespian.actors import Actor

from aecorpy.errors import Fenced, Overloaded, Unavailable, text_of
from aecorpy.messages import Refused
from aecorpy.processing.process import Process, ProcessContext, claim_cursor
from aecorpy.processing.states import CONTROL, Control, controls, process_key
from aecorpy.processing.wishes import pause
from aecorpy.processing.worker import Patience, Task, Worker
from aecorpy.wire import MessageWire
from journal.contract import Database
from sharding.actors import Address
from sharding.host import EpochRefused, Population, ShardHost
from sharding.shard import MAX_WAITING

RESIDENT = "worker"


class Recipes(ABC):
    """The processes of one deployment, by number, and how one is taken under an epoch.

    Attributes:
        deployment: its name.
        names: the processes' names, by number.
    """

    deployment: str
    names: tuple[str, ...]

    @abstractmethod
    async def claim(self, number: int, epoch: int) -> Task:
        """Take a process under `epoch`, so that no older instance can commit anything, and say what to run.

        Raises:
            Fenced: the stored epoch is not older.
            Unavailable, OutcomeUnknown: the store is away.
        """


class NamedProcesses(Recipes):
    """Processes that were given one by one.

    Args:
        deployment: their deployment's name.
        processes: what to run, by number.
        database: the journal's.
        node: the name of this node.
        incarnation: tells this node's membership.
    """

    def __init__(
        self,
        deployment: str,
        processes: tuple[Process, ...],
        database: Database,
        node: str,
        incarnation: Callable[[], int],
    ) -> None:
        self.deployment = deployment
        self.names = tuple(process.name for process in processes)
        self._processes = processes
        self._database = database
        self._node = node
        self._incarnation = incarnation

    async def claim(self, number: int, epoch: int) -> Task:
        """See `Recipes.claim`."""
        process = self._processes[number]
        cursor = await claim_cursor(self._database, self.deployment, process.name, epoch)
        context = ProcessContext(self.deployment, process.name, number, self._node, epoch, self._database, cursor)
        key = process_key(self.deployment, number)
        return Task(
            process,
            context,
            self._incarnation(),
            hold=lambda error: pause(self._database, key, "the process itself", text_of(error)),
        )


class ProcessHost(ShardHost):
    """Shards of which each is one process.

    Args:
        recipes: what to run.
        database: the journal's.
        patience: pauses and bounds of the workers.
        keep_alive: who looks after the workers.
        draw: random numbers in [0, 1), which spread the pauses.
    """

    resident = RESIDENT

    def __init__(
        self,
        recipes: Recipes,
        database: Database,
        patience: Patience,
        keep_alive: Address,
        draw: Callable[[], float],
    ) -> None:
        self.idle_seconds = 3600.0
        self.population = Population(len(recipes.names) + 1)
        self.wire = MessageWire(recipes.deployment, ())
        self._recipes = recipes
        self._notes = database.notes
        self._patience = patience
        self._keep_alive = keep_alive
        self._draw = draw

    async def open(self, shard: int, epoch: int, address: Address) -> Callable[[str], Actor]:
        """Claim the process under `epoch`. Only then is read what management wants of it, and how far it had come."""
        recipes = self._recipes
        what = f"process {recipes.names[shard]} of {recipes.deployment}"
        try:
            task = await recipes.claim(shard, epoch)
            control = await self._control(shard)
        except Fenced as error:
            raise EpochRefused(what, epoch, epoch if error.current is None else error.current) from error
        except Unavailable:
            raise
        except Exception as error:  # nothing runs yet: the shard tries again, under this epoch or a newer one
            raise Unavailable(f"{what} cannot be claimed: {error!r}") from error
        return lambda _: Worker(task, control, self._patience, self._keep_alive, address, self._draw)

    async def _control(self, shard: int) -> Control:
        name, count = self._recipes.deployment, len(self._recipes.names)
        return controls(name, count, await self._notes.read([CONTROL], name))[shard]

    def refusal(self, error: BaseException) -> Any:
        """`error`, for whoever sent something to a process."""
        return Refused(error)

    def overloaded(self, shard: int) -> Exception:
        """`Overloaded`, naming the process."""
        return Overloaded(f"{self._recipes.deployment} process {shard}, which is being started", MAX_WAITING)
