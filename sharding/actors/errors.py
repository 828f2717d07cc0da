"""What can go wrong with actors, as types."""

from __future__ import annotations

from thespian.actors import ActorAddress, ActorSystemFailure

__all__ = [
    "ActorsError",
    "AskFailed",
    "BlockingCallOnLoop",
    "DiedUnanswered",
    "EngineStopped",
    "HandlerFailed",
    "MailboxFull",
    "NeverAnswered",
    "SourceLoadingUnsupported",
    "Undeliverable",
]


class ActorsError(Exception):
    """Root of every error the actor engine raises itself."""


class EngineStopped(ActorsError, ActorSystemFailure):
    """The engine was shut down: it creates no more actors and takes no more calls."""


class BlockingCallOnLoop(ActorsError):
    """A call that waits (`ask`, `listen`) was made on the actors' own thread, where it would wait for itself."""


class SourceLoadingUnsupported(ActorsError):
    """Actors are imported as Python modules; code that arrives at run time is not loaded."""


class AskFailed(ActorsError):
    """An ask that will not be answered.

    Attributes:
        address: the actor that had the message last, or None when it reached none.
    """

    def __init__(self, text: str, address: ActorAddress | None = None) -> None:
        super().__init__(text)
        self.address = address


class Undeliverable(AskFailed):
    """The message reached no actor: nothing happened."""


class MailboxFull(Undeliverable):
    """The actor already holds as many waiting messages as its `mailbox_limit` allows: nothing happened."""


class DiedUnanswered(AskFailed):
    """The actor that had the message exited before it answered: it may have acted on it."""


class NeverAnswered(AskFailed):
    """The actor handled the message, kept no way to answer it and did not answer."""


class HandlerFailed(AskFailed):
    """The handler raised, twice.

    Attributes:
        poison: the message it raised at.
        details: the traceback of the second time, as text; of an actor on another node its last line.
    """

    def __init__(self, poison: object, details: str | None, address: ActorAddress | None = None) -> None:
        last_line = details.strip().rpartition("\n")[2] if details else "no details"
        who = "the actor" if address is None else address
        super().__init__(f"{who} failed twice at {type(poison).__name__}: {last_line}", address)
        self.poison = poison
        self.details = details
