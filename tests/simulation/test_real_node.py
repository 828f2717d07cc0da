"""The real engine and a real node on the simulated loop."""

from __future__ import annotations

from typing import Any

import pytest
from thespian.actors import Actor

from sharding.actors import Engine
from tests.simulation.loop import SimLoop
from tests.simulation.ready import Order
from tests.simulation.runs import counting


class Greeter(Actor):
    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, str):
            self.send(sender, f"hello {message}")  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("order", list(Order), ids=lambda order: order.name)
def test_the_actor_engine_runs_on_the_loop(order: Order) -> None:
    async def main() -> None:
        engine = Engine()
        greeter = engine.create(Greeter)
        answers = [engine.ask(greeter, name) for name in ("ann", "bob")]
        assert [await answer for answer in answers] == ["hello ann", "hello bob"]
        assert (await engine.shutdown()).clean

    for seed in range(10):
        loop = SimLoop(seed, order=order)
        loop.boot("a")
        loop.run_until_complete(loop.call("a", main()))
        assert not loop.reported
        assert not loop.pending()
        loop.close()


@pytest.mark.parametrize("order", list(Order), ids=lambda order: order.name)
@pytest.mark.parametrize("seed", range(12))
def test_a_node_under_faults_loses_and_doubles_nothing(seed: int, order: Order) -> None:
    counted = counting(seed, order=order)
    assert counted.answers["ok"] > 50
    assert counted.total in counted.possible
    assert counted.pending == []
