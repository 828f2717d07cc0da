"""The test kit: what passes, what fails, and what it says then."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from aecorpy import (
    Entity,
    Fold,
    Folded,
    Impossible,
    ImpossibleEvent,
    InvalidDefinition,
    InvalidName,
    Next,
    Rejection,
    command,
    event,
    query,
)
from aecorpy.testing import START, scenario


@event("Deposited")
@dataclass(frozen=True, slots=True)
class Deposited:
    cents: int
    at: datetime | None = None


@event("Withdrawn")
@dataclass(frozen=True, slots=True)
class Withdrawn:
    cents: int


class TooLittleMoney(Rejection):
    pass


@dataclass(eq=False)
class TooMuch(Rejection):
    asked: int
    limit: int


def moved(cents: int, event: Deposited | Withdrawn) -> Folded[int]:
    match event:
        case Deposited(amount):
            return Next(cents + amount)
        case Withdrawn(amount) if amount <= cents:
            return Next(cents - amount)
    return Impossible("an account is never overdrawn")


class Account(Entity[int, Deposited | Withdrawn]):
    fold = Fold(0, moved)
    rejections = (TooLittleMoney, TooMuch)

    @command
    async def deposit(self, cents: int, *, limit: int = 100) -> int:
        self.append(Deposited(cents, self.now()))
        if cents > limit:
            raise TooMuch(asked=cents, limit=limit)
        return self.state

    @command
    async def withdraw(self, cents: int) -> int:
        if cents > self.state:
            raise TooLittleMoney()
        self.append(Withdrawn(cents))
        return self.state

    @command
    async def withdraw_twice(self, cents: int) -> str:
        self.append(Withdrawn(cents))
        await asyncio.sleep(0)
        self.append(Withdrawn(cents))
        return f"{self.key} version {self.version}"

    @command
    async def fail(self) -> None:
        self.append(Deposited(1))
        raise ZeroDivisionError("no way")

    @query
    async def balance(self) -> int:
        return self.state

    async def no_command(self) -> None: ...


rich = scenario(Account).given(Deposited(500))


def test_events_reply_and_state_of_a_command() -> None:
    outcome = rich.when(Account.withdraw, 200)
    outcome.expect_events(Withdrawn(200)).expect_reply(300).expect_state(300)
    assert (outcome.events, outcome.reply, outcome.state, outcome.error) == ((Withdrawn(200),), 300, 300, None)


def test_a_query_has_a_reply_and_no_events() -> None:
    rich.when(Account.balance).expect_reply(500).expect_events()


def test_a_rejection_by_value_or_class_leaves_the_state() -> None:
    rich.when(Account.withdraw, 501).expect_rejection(TooLittleMoney()).expect_state(500)
    outcome = rich.when(Account.deposit, 7, limit=5).expect_rejection(TooMuch(7, limit=5)).expect_rejection(TooMuch)
    assert outcome.events == ()
    assert outcome.state == 500


def test_a_failure_keeps_nothing() -> None:
    outcome = rich.when(Account.fail).expect_failure(ZeroDivisionError, "no way").expect_state(500)
    assert outcome.events == ()


def test_an_impossible_event_in_a_command() -> None:
    rich.when(Account.withdraw_twice, 300).expect_impossible("never overdrawn").expect_state(500)


def test_a_scenario_goes_on_from_an_outcome() -> None:
    after = rich.when(Account.withdraw, 100).then().when(Account.withdraw, 999).expect_rejection(TooLittleMoney).then()
    assert after.events == (Deposited(500), Withdrawn(100))
    after.expect_state(400).when(Account.balance).expect_reply(400)


def test_given_more_than_once_and_nothing_changes_a_scenario() -> None:
    assert scenario(Account).given(Deposited(1)).given(Deposited(2), Deposited(3)).state == 6
    assert rich.given(Withdrawn(500)).state == 0
    assert rich.state == 500


def test_the_clock_is_set_by_the_scenario() -> None:
    summer = datetime(2026, 7, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    rich.when(Account.deposit, 1).expect_events(Deposited(1, START))
    outcome = rich.at(summer).when(Account.deposit, 1)
    outcome.expect_events(Deposited(1, datetime(2026, 7, 1, 12, tzinfo=UTC)))
    outcome.then().when(Account.deposit, 2).expect_events(Deposited(2, summer))
    with pytest.raises(ValueError, match="no zone"):
        rich.at(datetime(2026, 7, 1))


def test_the_key_is_the_scenarios() -> None:
    scenario(Account, "alice").given(Deposited(9)).when(Account.withdraw_twice, 2).expect_reply("alice version 3")
    with pytest.raises(InvalidName):
        scenario(Account, "")


def test_what_cannot_follow() -> None:
    scenario(Account).expect_impossible(Withdrawn(1), Withdrawn(2))
    with pytest.raises(ImpossibleEvent, match="never overdrawn"):
        scenario(Account).given(Withdrawn(1)).when(Account.balance)
    with pytest.raises(AssertionError, match=r"Withdrawn\(cents=2\) should be impossible after 500"):
        rich.expect_impossible(Withdrawn(501), Withdrawn(2))


def test_a_command_that_awaits_needs_no_loop() -> None:
    rich.when(Account.withdraw_twice, 2).expect_events(Withdrawn(2), Withdrawn(2))


async def test_a_command_that_awaits_runs_in_a_running_loop_when_awaited() -> None:
    outcome = await rich.when_async(Account.withdraw_twice, 2)
    outcome.expect_events(Withdrawn(2), Withdrawn(2)).expect_state(496)
    (await rich.when_async(Account.withdraw, 600)).expect_rejection(TooLittleMoney())
    (await rich.when_async(Account.fail)).expect_failure(ZeroDivisionError)


async def test_a_command_that_awaits_says_what_to_do_where_a_loop_runs() -> None:
    rich.when(Account.balance).expect_reply(500)
    with pytest.raises(RuntimeError, match="when_async"):
        rich.when(Account.withdraw_twice, 2)


def test_a_method_that_is_no_command() -> None:
    with pytest.raises(InvalidDefinition, match="'no_command' is no command of Account"):
        rich.when(Account.no_command)


class OtherAccount(Account):
    @command
    async def withdraw(self, cents: int) -> int:
        return -cents


def test_a_command_of_a_subclass() -> None:
    scenario(OtherAccount).when(OtherAccount.withdraw, 3).expect_reply(-3).expect_events()
    scenario(OtherAccount).when(OtherAccount.deposit, 3).expect_reply(3)
    with pytest.raises(InvalidDefinition):
        scenario(Account).when(OtherAccount.withdraw, 3)


@pytest.mark.parametrize("again", ["then", "expect_events", "reply"])
def test_a_rejection_that_nobody_expects_is_not_passed_over(again: str) -> None:
    outcome = rich.when(Account.withdraw, 501)
    with pytest.raises(AssertionError, match=r"Account.withdraw was rejected: TooLittleMoney\(\)") as caught:
        _use(outcome, again)
    assert isinstance(caught.value.__cause__, TooLittleMoney)


def _use(outcome: object, name: str) -> None:
    attribute = getattr(outcome, name)
    if callable(attribute):
        attribute()


def test_a_failure_that_nobody_expects_is_shown_with_its_cause() -> None:
    with pytest.raises(AssertionError, match=r"Account.fail failed: ZeroDivisionError: no way") as caught:
        rich.when(Account.fail).expect_state(500)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_other_events_are_shown_as_a_difference() -> None:
    with pytest.raises(AssertionError) as caught:
        rich.when(Account.withdraw, 1).expect_events(Withdrawn(2), Withdrawn(1))
    assert str(caught.value).splitlines() == [
        "Account.withdraw: events (- expected, + found):",
        "- Withdrawn(cents=2)",
        "  Withdrawn(cents=1)",
    ]


def test_values_that_look_alike_are_shown_with_their_types() -> None:
    class Alike:
        def __repr__(self) -> str:
            return "499"

    with pytest.raises(AssertionError) as caught:
        rich.when(Account.withdraw, 1).expect_reply(Alike())  # type: ignore[arg-type]
    assert "+ 499 of type int" in str(caught.value)


def test_other_replies_states_and_rejections_are_shown() -> None:
    with pytest.raises(AssertionError, match=r"(?s)the reply.*- 1\n\+ 499"):
        rich.when(Account.withdraw, 1).expect_reply(1)
    with pytest.raises(AssertionError, match=r"(?s)the state after it.*- 1\n\+ 499"):
        rich.when(Account.withdraw, 1).expect_state(1)
    with pytest.raises(AssertionError, match=r"(?s)Account: the state.*- 1\n\+ 500"):
        rich.expect_state(1)
    with pytest.raises(AssertionError, match=r"(?s)- TooMuch\(asked=1, limit=2\)\n\+ TooMuch\(asked=7, limit=5\)"):
        rich.when(Account.deposit, 7, limit=5).expect_rejection(TooMuch(1, 2))
    with pytest.raises(AssertionError, match="the class of its rejection"):
        rich.when(Account.withdraw, 501).expect_rejection(TooMuch)


def test_a_rejection_or_failure_that_does_not_come() -> None:
    with pytest.raises(AssertionError, match=r"expected the rejection TooLittleMoney\(\), but it replied 499"):
        rich.when(Account.withdraw, 1).expect_rejection(TooLittleMoney())
    with pytest.raises(AssertionError, match="expected the failure KeyError like 'x', but it failed: ZeroDivision"):
        rich.when(Account.fail).expect_failure(KeyError, "x")
    with pytest.raises(AssertionError, match="expected the failure Exception, but it was rejected"):
        rich.when(Account.withdraw, 501).expect_failure(Exception)
    with pytest.raises(AssertionError, match="expected the failure ImpossibleEvent, but it replied"):
        rich.when(Account.withdraw, 1).expect_impossible()


def test_an_outcome_says_what_it_is() -> None:
    assert repr(rich.when(Account.withdraw, 1)) == "<Account.withdraw replied 499; events (Withdrawn(cents=1),)>"
    assert repr(rich.when(Account.withdraw, 501)) == "<Account.withdraw was rejected: TooLittleMoney(); events ()>"


@pytest.mark.parametrize("wrong", [int, 5, None, "Account", Account()])
def test_what_is_no_entity_class_has_no_scenario(wrong: Any) -> None:
    with pytest.raises(InvalidDefinition, match="is no Entity class"):
        scenario(wrong)
