"""The test kit finds what cannot be stored or sent, and what no command may do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from aecorpy import Entity, Fold, Folded, Next, Rejection, Snapshotting, command, event, query, snapshot
from aecorpy.testing import DoesNotSurvive, scenario


@event("Noted")
@dataclass(frozen=True, slots=True)
class Noted:
    text: str


@event("Remembered")
@dataclass(eq=False)
class Remembered:
    """Compared by identity, so that what is read back is another."""

    text: str


@snapshot("Notes")
@dataclass(slots=True)
class Notes:
    texts: list[str] = field(default_factory=list)


class Full(Rejection):
    pass


class Undeclared(Rejection):
    pass


class Unsendable(Rejection):
    pass


def noted(notes: Notes, event: Noted | Remembered) -> Folded[Notes]:
    if event.text == "odd":
        return Next(Notes([1]))  # type: ignore[list-item]
    return Next(Notes([*notes.texts, event.text]))


class Notebook(Entity[Notes, Noted | Remembered]):
    fold = Fold(Notes(), noted)
    snapshotting = Snapshotting(2)
    rejections = (Full, Unsendable)

    @command
    async def note(self, text: str) -> str:
        self.append(Noted(text))
        return text

    @command
    async def remember(self, text: str) -> None:
        self.append(Remembered(text))

    @command
    async def note_anything(self) -> None:
        self.append(Noted(b"bytes"))  # type: ignore[arg-type]

    @command
    async def reply_anything(self) -> int:
        return "text"  # type: ignore[return-value]

    @command
    async def scribble(self, *, then_fail: bool = False, then_refuse: bool = False) -> None:
        self.state.texts.append("without an event")
        if then_fail:
            raise KeyError
        if then_refuse:
            raise Full()

    @command
    async def refuse(self, how: str) -> None:
        raise {"undeclared": Undeclared(), "unsendable": Unsendable(object())}[how]

    @query
    async def peek(self) -> None:
        self.append(Noted("seen"))


notebook = scenario(Notebook)


def test_what_survives_passes() -> None:
    notebook.given(Noted("a")).when(Notebook.note, "b").expect_state(Notes(["a", "b"])).expect_reply("b")


def test_a_given_event_that_cannot_be_stored() -> None:
    with pytest.raises(DoesNotSurvive, match=r"(?s)event Noted\(text=1\) cannot be stored: .*Noted.text"):
        notebook.given(Noted(1))  # type: ignore[arg-type]


def test_a_given_event_of_an_unknown_type() -> None:
    with pytest.raises(DoesNotSurvive, match="event 'text' cannot be stored"):
        notebook.given("text")  # type: ignore[arg-type]


def test_an_event_too_large() -> None:
    with pytest.raises(DoesNotSurvive, match="cannot be s"):
        notebook.when(Notebook.note, "x" * 20_000_000)


@pytest.mark.parametrize("text", [1, "\ud800"])
def test_an_argument_that_cannot_be_sent(text: Any) -> None:
    with pytest.raises(DoesNotSurvive, match=r"Notebook.note: its arguments cannot be sent: .*text"):
        notebook.when(Notebook.note, text)


def test_arguments_that_do_not_fit_the_command() -> None:
    with pytest.raises(DoesNotSurvive, match="without 'text'"):
        notebook.when(Notebook.note)  # type: ignore[call-arg]


def test_an_appended_event_that_cannot_be_stored() -> None:
    with pytest.raises(DoesNotSurvive, match=r"event Noted\(text=b'bytes'\) cannot be stored"):
        notebook.when(Notebook.note_anything)


def test_an_appended_event_that_comes_back_as_another() -> None:
    with pytest.raises(DoesNotSurvive, match=r"(?s)event .*Remembered.* comes back as .* not equal .*identity"):
        notebook.when(Notebook.remember, "me")


def test_a_reply_that_cannot_be_sent() -> None:
    with pytest.raises(DoesNotSurvive, match=r"Notebook.reply_anything: its reply 'text' cannot be encoded"):
        notebook.when(Notebook.reply_anything)


def test_a_state_that_cannot_be_stored() -> None:
    with pytest.raises(DoesNotSurvive, match=r"state Notes\(texts=\[1\]\) cannot be stored"):
        notebook.given(Noted("odd"))
    with pytest.raises(DoesNotSurvive, match=r"state Notes\(texts=\[1\]\) cannot be stored"):
        notebook.when(Notebook.note, "odd")


def test_a_rejection_that_is_not_declared() -> None:
    with pytest.raises(DoesNotSurvive, match=r"Undeclared\(\) is not declared: add Undeclared to Notebook.rejections"):
        notebook.when(Notebook.refuse, "undeclared")


def test_a_rejection_that_cannot_be_sent() -> None:
    with pytest.raises(DoesNotSurvive, match=r"its rejection Unsendable\(.*\) cannot be sent"):
        notebook.when(Notebook.refuse, "unsendable")


def test_a_query_that_appends() -> None:
    with pytest.raises(AssertionError, match=r"Notebook.peek is declared with @query, so it may not append"):
        notebook.when(Notebook.peek)


@pytest.mark.parametrize("how", [{}, {"then_fail": True}, {"then_refuse": True}])
def test_a_state_changed_other_than_by_events(how: dict[str, bool]) -> None:
    with pytest.raises(AssertionError, match=r"(?s)Notebook.scribble changed the state other than by append\(\)"):
        notebook.given(Noted("a")).when(Notebook.scribble, **how)
    with pytest.raises(AssertionError, match=r"(?s)Notebook.scribble changed the state other than by append\(\)"):
        notebook.when(Notebook.scribble, **how)
    assert Notebook.fold.initial == Notes()


class Tally(Entity[Notes, Noted]):
    """Its state is never stored as a snapshot, but still has to be a value."""

    fold = Fold[Notes, Noted](Notes(), lambda notes, event: Next(Notes([*notes.texts, event.text, 3])))  # type: ignore[list-item]

    @command
    async def note(self, text: str) -> None:
        self.append(Noted(text))


def test_a_state_without_snapshots_is_encoded_too() -> None:
    with pytest.raises(DoesNotSurvive, match=r"Tally: state .* cannot be encoded"):
        scenario(Tally).when(Tally.note, "a")
