"""How a task of an actor ended, as a message."""

from __future__ import annotations

from typing import Generic, TypeVar, cast

__all__ = ["Outcome"]

T = TypeVar("T")


class Outcome(Generic[T]):
    """The result or the error of a coroutine that an actor piped to itself.

    Attributes:
        error: what the coroutine raised (`asyncio.CancelledError` when its task was cancelled), or None.
    """

    __slots__ = ("_value", "error")

    def __init__(self, value: T | None = None, error: BaseException | None = None) -> None:
        self._value = value
        self.error = error

    @property
    def value(self) -> T:
        """The result.

        Raises:
            BaseException: what the coroutine raised.
        """
        if self.error is not None:
            raise self.error
        return cast(T, self._value)

    def __repr__(self) -> str:
        return f"Outcome({self._value!r})" if self.error is None else f"Outcome(error={self.error!r})"
