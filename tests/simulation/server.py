"""The machine of a store, as the nodes reach it: over paths that can be cut, with answers that can be lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple, TypeVar

from tests.simulation.network import SimNetwork
from tests.simulation.nodes import Node, current_node
from tests.simulation.paths import Delays

R = TypeVar("R")

STORE: Final = "store"  # its name among the paths


class Errors(NamedTuple):
    """What a client of the store is told."""

    unavailable: Callable[[str], Exception]
    unknown: Callable[[str], Exception]


class StoreServer:
    """Runs operations of nodes on behalf of a store: what arrives happens, whatever became of who asked for it.

    Args:
        network: whose paths, between the nodes and `name`, requests and answers take.
        name: the machine's.
        answer_seconds: for how long, by the node's clock, a node waits for an answer.
        work: how long the store takes for an operation.

    Attributes:
        away: it refuses everything; what was under way when it went has an unknown outcome.
        slowness: factor on the time that operations take.
        refuses: the share of operations that it refuses without doing them.
        loses_before: the share of changes that it does not make, without saying so.
        loses_after: the share of changes that it makes, without saying so.
    """

    def __init__(
        self,
        network: SimNetwork,
        name: str = STORE,
        *,
        answer_seconds: float = 5.0,
        work: Delays | None = None,
    ) -> None:
        self.network, self.name = network, name
        self._loop = network.loop
        self._draws = network.loop.random("store")
        self._answer_seconds = answer_seconds
        self._work = work or Delays(0.000_2, 0.000_5)
        self._life = 0
        self.heal()

    def heal(self) -> None:
        """Undo all that goes wrong here; the paths are left as they are."""
        self._away = False
        self.slowness = 1.0
        self.refuses = self.loses_before = self.loses_after = 0.0

    @property
    def away(self) -> bool:
        """Whether it is."""
        return self._away

    @away.setter
    def away(self, away: bool) -> None:
        if away and not self._away:
            self._life += 1
        self._away = away

    async def run(self, operation: Callable[[], Awaitable[R]], errors: Errors, *, writes: bool) -> R:
        """Have an operation of the current node done, and wait for the answer.

        Raises:
            Exception: what the operation raised, or one of `errors`.
        """
        request = _Request(current_node(), operation, errors, writes, self._loop.create_future())
        self.post(request.sender, lambda: self._arrived(request))
        try:
            async with asyncio.timeout(self._answer_seconds):
                result: R = (await request.answer)()
                return result
        except TimeoutError:
            raise request.lost("no answer in time") from None
        finally:
            # Of requests that are still on their way, as across a cut, some come all the same, later.
            if request.answer.cancelled():
                request.withdrawn = self._draws.random() < 0.5

    def post(self, sender: str, call: Callable[[], object], *, back: bool = False) -> None:
        """Call something after the way from `sender` to the store, or, with `back`, the other way."""
        ends = (self.name, sender) if back else (sender, self.name)
        path, world = self.network.paths.path(*ends), self._loop.context(None)
        path.when_open(lambda: self._loop.call_after(path.delay(), call, context=world))

    def _arrived(self, request: _Request) -> None:
        if request.withdrawn:
            return
        if self._away or self._draws.random() < self.refuses:
            self._answer(request, _raising(request.errors.unavailable(f"{self.name} is away")))
            return
        self._loop.create_task(self._serve(request), name=f"{self.name} for {request.sender}")

    async def _serve(self, request: _Request) -> None:
        life = self._life
        await asyncio.sleep(self._work.draw(self._draws) * self.slowness)
        fate = self._draws.random()
        if life != self._life or (request.writes and fate < self.loses_before):
            self._answer(request, _raising(request.lost("connection lost")))
            return
        try:
            result = await request.operation()
        except Exception as error:  # noqa: BLE001 - it is what the node gets
            answer = _raising(error)
        else:
            answer = _returning(result)
        if life != self._life or (request.writes and fate >= 1 - self.loses_after):
            answer = _raising(request.lost("connection lost"))
        self._answer(request, answer)

    def _answer(self, request: _Request, answer: Callable[[], Any]) -> None:
        def arrived() -> None:
            if not request.answer.done():
                request.answer.set_result(answer)

        self.post(request.sender, arrived, back=True)


class _Request:
    def __init__(
        self,
        node: Node | None,
        operation: Callable[[], Awaitable[Any]],
        errors: Errors,
        writes: bool,
        answer: asyncio.Future[Callable[[], Any]],
    ) -> None:
        self.sender = "world" if node is None else node.name
        self.operation, self.errors, self.writes, self.answer = operation, errors, writes, answer
        self.withdrawn = False

    def lost(self, why: str) -> Exception:
        return self.errors.unknown(why) if self.writes else self.errors.unavailable(why)


def _returning(result: Any) -> Callable[[], Any]:
    return lambda: result


def _raising(error: Exception) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail
