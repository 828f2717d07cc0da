"""What came of a command in a test, and what the test expects of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from aecorpy.errors import ImpossibleEvent, Rejection
from aecorpy.testing.differences import difference, listed
from aecorpy.testing.trial import Trial

if TYPE_CHECKING:
    from aecorpy.testing.scenario import Scenario

S = TypeVar("S")
E = TypeVar("E")
R = TypeVar("R")


class Outcome(Generic[S, E, R]):
    """What a command did. Every `expect_…` returns the outcome, so that several can be written in a row.

    A command that was rejected or failed although nobody expects it fails the next `expect_…`, and `then`.

    Args:
        scenario: where the command started.
        trial: how it ended.
    """

    def __init__(self, scenario: Scenario[S, E], trial: Trial) -> None:
        self._scenario = scenario
        self._trial = trial
        self._error_expected = False

    def __repr__(self) -> str:
        trial = self._trial
        ended = f"replied {trial.reply!r}" if trial.error is None else _said(trial.error)
        return f"<{trial.title} {ended}; events {trial.events!r}>"

    @property
    def events(self) -> tuple[E, ...]:
        """The events it appended; none if it was rejected or failed."""
        return self._trial.events

    @property
    def state(self) -> S:
        """The entity's state after it."""
        return self._trial.state  # type: ignore[no-any-return]  # the fold's state is S

    @property
    def error(self) -> BaseException | None:
        """The rejection or the failure that ended it, or None."""
        return self._trial.error

    @property
    def reply(self) -> R:
        """What its caller gets.

        Raises:
            AssertionError: it was rejected, or failed.
        """
        self._must_have_succeeded("a reply")
        return self._trial.reply  # type: ignore[no-any-return]  # the command's annotation says R

    def expect_events(self, *events: E) -> Self:
        """It appended exactly `events`, in this order; without any, it appended nothing and was not rejected.

        Raises:
            AssertionError: it did something else; the message has the difference.
        """
        __tracebackhide__ = True
        self._must_have_succeeded(f"events\n{listed(events)}")
        return self._expect("events", events, self._trial.events)

    def expect_reply(self, reply: R) -> Self:
        """Its caller gets `reply`.

        Raises:
            AssertionError: the caller gets something else.
        """
        __tracebackhide__ = True
        self._must_have_succeeded(f"the reply {reply!r}")
        return self._expect("the reply", reply, self._trial.reply)

    def expect_state(self, state: S) -> Self:
        """The entity's state after it is `state`; after a rejection that is the state before.

        Raises:
            AssertionError: it is another.
        """
        __tracebackhide__ = True
        if not self._error_expected:
            self._must_have_succeeded(f"the state {state!r}")
        return self._expect("the state after it", state, self._trial.state)

    def expect_rejection(self, rejection: Rejection | type[Rejection]) -> Self:
        """It is rejected with a rejection equal to `rejection`, or, if that is a class, with one of exactly that class.

        Raises:
            AssertionError: it is not rejected, or otherwise.
        """
        __tracebackhide__ = True
        error = self._trial.error
        if not isinstance(error, Rejection):
            wanted = rejection.__name__ if isinstance(rejection, type) else repr(rejection)
            raise AssertionError(f"{self._trial.title}: expected the rejection {wanted}, but {self._what_it_did()}")
        self._error_expected = True
        if isinstance(rejection, type):
            return self._expect("the class of its rejection", rejection, type(error))
        return self._expect("its rejection", rejection, error)

    def expect_failure(self, kind: type[BaseException], match: str = "") -> Self:
        """It raises something other than a rejection, which its callers get as `CommandFailed` and nothing is kept.

        Args:
            kind: the class of what it raises, or one that it derives from.
            match: a regular expression to be found in its text.

        Raises:
            AssertionError: it does not raise that.
        """
        __tracebackhide__ = True
        error = self._trial.error
        if isinstance(error, Rejection) or not isinstance(error, kind) or not re.search(match, str(error)):
            like = f" like {match!r}" if match else ""
            message = f"{self._trial.title}: expected the failure {kind.__name__}{like}, but {self._what_it_did()}"
            raise AssertionError(message) from error
        self._error_expected = True
        return self

    def expect_impossible(self, match: str = "") -> Self:
        """It appends an event that the fold says cannot follow: a bug in the command.

        Args:
            match: a regular expression to be found in the error's text, which has event, state and the fold's reason.

        Raises:
            AssertionError: it does not.
        """
        __tracebackhide__ = True
        return self.expect_failure(ImpossibleEvent, match)

    def then(self) -> Scenario[S, E]:
        """The scenario that goes on from here, with the events of this command added to those given.

        Raises:
            AssertionError: the command was rejected or failed, and that was not expected.
        """
        __tracebackhide__ = True
        if not self._error_expected:
            self._must_have_succeeded("it to succeed")
        return self._scenario.after(self._trial.events)

    def _expect(self, what: str, expected: Any, found: Any) -> Self:
        __tracebackhide__ = True
        if found != expected:
            raise AssertionError(difference(f"{self._trial.title}: {what}", expected, found))
        return self

    def _must_have_succeeded(self, expected: str) -> None:
        __tracebackhide__ = True
        error = self._trial.error
        if error is not None:
            raise AssertionError(f"{self._trial.title} {_said(error)}; expected {expected}") from error

    def _what_it_did(self) -> str:
        if self._trial.error is not None:
            return f"it {_said(self._trial.error)}"
        return f"it replied {self._trial.reply!r} with events\n{listed(self._trial.events)}"


def _said(error: BaseException) -> str:
    if isinstance(error, Rejection):
        return f"was rejected: {error!r}"
    return f"failed: {type(error).__name__}: {error}"
