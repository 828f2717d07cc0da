"""What goes to an entity and comes back."""

from __future__ import annotations

from typing import Any

from aecorpy.command import CommandSpec


class Command:
    """From a caller to an entity: run this method. `expires_at` is in the loop's time: later it is not started."""

    __slots__ = ("args", "expires_at", "kwargs", "metadata", "spec")

    def __init__(
        self, spec: CommandSpec, args: tuple[Any, ...], kwargs: dict[str, Any], metadata: bytes, expires_at: float
    ) -> None:
        self.spec = spec
        self.args = args
        self.kwargs = kwargs
        self.metadata = metadata
        self.expires_at = expires_at


class Answer:
    """From an entity to the caller: the command returned `value`, and what it appended is committed."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Refused:
    """From an entity or a shard to the caller: raise `error`."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error
