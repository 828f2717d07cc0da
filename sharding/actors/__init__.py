"""Thespian's actors on an asyncio event loop.

On the loop, the engine itself is the API; everything is called on the loop's thread::

    engine = Engine()                              # on the running loop, or Engine(loop)
    shard = engine.create(lambda: Shard(3, log))   # a class, its dotted name, or a factory of the instance
    engine.tell(shard, message)                    # sender=… when somebody wants the answer
    reply = await engine.ask(shard, message)       # a future; fails with an AskFailed, never waits for the dead
    engine.stop(shard)                             # an ActorExitRequest
    report = await engine.shutdown(timeout=10)     # all actors exit, their tasks are cancelled and awaited

Inside an actor, Thespian's own methods work as documented there, and `createActor` takes a factory too. `AsyncActor`
adds `pipe_to_self(awaitable, wrap)`, which runs a coroutine as the actor's task and sends its `Outcome` back as a
message, `running_tasks`, `create_child`, `forward` (the receiver answers the original sender), and `mailbox_limit`.

Other threads, and Thespian's `ActorSystem`, come in through `AsyncioSystemBase`::

    system = ActorSystem(AsyncioSystemBase.in_thread(), transientUnique=True)   # a thread with a loop of its own
    system = ActorSystem(AsyncioSystemBase(engine), transientUnique=True)       # an engine that runs already
"""

from sharding.actors.address import Address
from sharding.actors.async_actor import AsyncActor
from sharding.actors.creation import ActorSource
from sharding.actors.engine import Engine
from sharding.actors.errors import (
    ActorsError,
    AskFailed,
    BlockingCallOnLoop,
    DiedUnanswered,
    EngineStopped,
    HandlerFailed,
    MailboxFull,
    NeverAnswered,
    SourceLoadingUnsupported,
    Undeliverable,
)
from sharding.actors.outcome import Outcome
from sharding.actors.run_queue import Budget
from sharding.actors.system_base import AsyncioSystemBase
from sharding.actors.termination import ShutdownReport

__all__ = [
    "ActorSource",
    "ActorsError",
    "Address",
    "AskFailed",
    "AsyncActor",
    "AsyncioSystemBase",
    "BlockingCallOnLoop",
    "Budget",
    "DiedUnanswered",
    "Engine",
    "EngineStopped",
    "HandlerFailed",
    "MailboxFull",
    "NeverAnswered",
    "Outcome",
    "ShutdownReport",
    "SourceLoadingUnsupported",
    "Undeliverable",
]
