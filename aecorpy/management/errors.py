"""Why management does not do what it was asked to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aecorpy.errors import AecorError, Unavailable


class ManagementRefused(AecorError):
    """Root of what management refuses; nothing was changed."""


class NoSuchDeployment(ManagementRefused):
    """No program ever started a deployment of that name on this database."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        there = f"there are {', '.join(known)}" if known else "no program has started any"
        super().__init__(f"nothing is called {name!r} here: {there}")
        self.name, self.known = name, tuple(known)


class NoSuchProcess(ManagementRefused):
    """A deployment has no process of that number."""

    def __init__(self, name: str, number: int, count: int) -> None:
        super().__init__(f"{name!r} has no process {number}: its processes are 0 to {count - 1}")
        self.name, self.number, self.count = name, number, count


class NotAProjection(ManagementRefused):
    """A deployment handles no events, so it has no tags, offsets or dead letters."""

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(f"{name!r} is a {kind} and follows no journal: it can only be paused and resumed")
        self.name, self.kind = name, kind


class NoSuchTag(ManagementRefused):
    """A projection does not follow that tag."""

    def __init__(self, name: str, tag: str, journal: str, shards: int) -> None:
        super().__init__(f"{name!r} has no tag {tag!r}: its tags are {journal}-0 to {journal}-{shards - 1}")
        self.name, self.tag = name, tag


class NotNext(ManagementRefused):
    """An event to be skipped is not the one that comes next, or none comes: it has handled all up to `head`."""

    def __init__(self, name: str, tag: str, offset: int, at: int, head: int) -> None:
        if at < head:
            why = f"so {at + 1} is the only event that can be skipped there, not {offset}"
        else:
            why = f"which is the last event there: it has handled {offset}, or left it out, and nothing can be skipped"
        super().__init__(f"{name!r} is at {at} on {tag}, {why}")
        self.name, self.tag, self.offset, self.at = name, tag, offset, at


class BeyondHead(ManagementRefused):
    """There is no event with that offset yet."""

    def __init__(self, tag: str, offset: int, head: int) -> None:
        super().__init__(f"there is no event {offset} on {tag}: its last is {head}")
        self.tag, self.offset, self.head = tag, offset, head


class NotThatFar(ManagementRefused):
    """A replay goes back; it was to begin behind what the projection has handled."""

    def __init__(self, name: str, tag: str, offset: int, at: int) -> None:
        super().__init__(
            f"{name!r} is at {at} on {tag}, so it cannot handle {offset} and the following again: "
            "to leave events out, skip them one by one"
        )
        self.name, self.tag, self.offset, self.at = name, tag, offset, at


class InvalidPlace(ManagementRefused, ValueError):
    """What is meant is no place in a journal, whatever is in it."""


class NoSuchLetter(ManagementRefused):
    """A projection has no dead letter of that event."""

    def __init__(self, name: str, tag: str, offset: int) -> None:
        super().__init__(f"{name!r} has no dead letter of {tag} offset {offset}")
        self.name, self.tag, self.offset = name, tag, offset


class NotIdempotent(ManagementRefused):
    """A replay would count events twice, or do again what a process manager does besides its commands."""

    def __init__(self, name: str, kind: str = "projection") -> None:
        if kind == "process manager":
            why = (
                "is a process manager: what its commands append or reject stays as it is, but queries and what else it "
                "does would be done again; insist (`--force`) if that does no harm"
            )
        else:
            why = (
                "is not idempotent: events that it handles again would count twice in what it has made; "
                "build it anew beside (`aecorpy projections rebuild`), or insist (`--force`) if that does no harm"
            )
        super().__init__(f"{name!r} {why}")
        self.name = name


class StillRunning(Unavailable):
    """Processes that are to pause have not said that they do. The wish holds all the same."""

    def __init__(self, name: str, states: Iterable[str], seconds: float) -> None:
        super().__init__(f"{name!r} is to pause, but {seconds:g} s later has not: {', '.join(states)}")
        self.name = name
