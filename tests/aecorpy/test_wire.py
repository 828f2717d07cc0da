"""Commands, answers and errors between nodes: what is told here is told there, and hostile bytes harm nobody."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thespian.actors import Actor

from aecorpy import InvalidDefinition, Rejection, errors
from aecorpy.behaviour import Behaviour
from aecorpy.errors import (
    AecorError,
    CommandFailed,
    Fenced,
    ImpossibleEvent,
    OutcomeUnknown,
    Overloaded,
    ShardMoved,
    Unavailable,
)
from aecorpy.hosts import PlainHost
from aecorpy.messages import Answer, Command, Refused
from aecorpy.wire import CommandWire, MessageWire
from journal.errors import BadPayload, JournalError
from journal.metadata import MAX_METADATA_BYTES, Cause, Metadata
from tests.aecorpy.samples import Counter, Negative, TooMuch

BEHAVIOUR: Behaviour[Any] = Behaviour.of(Counter)
METADATA = Metadata("c-1").encode()


class Clock:
    """A loop's time."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Undeclared(Rejection):
    """No class of `Counter.rejections`."""


@dataclass(frozen=True)
class Order:
    """A message of a plain actor."""

    number: int
    items: tuple[str, ...] = ()


def wire(now: float = 100.0) -> CommandWire:
    clock = Clock()
    clock.now = now
    return CommandWire(BEHAVIOUR, clock)


def command(name: str, *args: Any, **kwargs: Any) -> Command:
    return Command(BEHAVIOUR.commands[name], args, kwargs, METADATA, 103.5)


def through(reply: Any, asked: Command | None = None) -> Any:
    asked = asked or command("add", 1)
    return wire().unpack_reply(asked, wire().pack_reply("key-1", asked, reply))


# --- commands


def test_a_command_arrives_as_it_was_sent_with_what_is_left_of_its_deadline() -> None:
    arrived = wire(now=7_000.0).unpack(wire().pack(command("add_noted", 3, note="why")))
    assert arrived.spec is BEHAVIOUR.commands["add_noted"]
    assert BEHAVIOUR.arguments["add_noted"].decode(wire_arguments(arrived)) == {"n": 3, "note": "why"}
    assert arrived.metadata == METADATA
    assert arrived.expires_at == pytest.approx(7_003.5), "nodes do not share a clock"


def wire_arguments(arrived: Command) -> bytes:
    return BEHAVIOUR.arguments[arrived.spec.name].encode(*arrived.args, **arrived.kwargs)


def test_values_keep_their_types() -> None:
    arrived = wire().unpack(wire().pack(command("add_all", (1, 2, 3))))
    assert arrived.kwargs == {"ns": (1, 2, 3)}


def test_a_cause_goes_along_and_a_command_without_one_is_as_it_always_was() -> None:
    sent = command("add", 1)
    assert len(msgpack.unpackb(wire().pack(sent))) == 4
    assert wire().unpack(wire().pack(sent)).cause is None
    sent.cause = Cause("Payments", "counter-3", 7, 2)
    assert wire().unpack(wire().pack(sent)).cause == sent.cause


@pytest.mark.parametrize(
    "cause", [None, 1, [], ["a", "b", 1], ["a", "b", 1, True], ["a", 2, 3, 4], [b"a", "b", 1, 1], {"a": 1}]
)
def test_what_is_no_cause_is_refused(cause: Any) -> None:
    parts = [*msgpack.unpackb(wire().pack(command("add", 1))), cause]
    with pytest.raises(BadPayload):
        wire().unpack(msgpack.packb(parts))
    with pytest.raises(BadPayload):
        wire().unpack(msgpack.packb([*parts[:4], ["a", "b", 1, 1], None]))


@pytest.mark.parametrize("args", [("one",), (), (1, 2), (None,)])
def test_arguments_that_do_not_fit_are_refused_where_they_are_sent(args: tuple[Any, ...]) -> None:
    with pytest.raises(BadPayload):
        wire().pack(command("add", *args))


def test_a_command_that_this_node_does_not_have_is_refused() -> None:
    payload = msgpack.packb(("subtract", 1.0, b"", b""))
    with pytest.raises(BadPayload, match="counter has no command 'subtract' on this node"):
        wire().unpack(payload)


@pytest.mark.parametrize("name", ["__init__", "_state", "receiveMessage", "append", "__class__"])
def test_a_message_names_commands_only(name: str) -> None:
    with pytest.raises(BadPayload, match="has no command"):
        wire().unpack(msgpack.packb((name, 1.0, b"", b"")))


# --- answers


def test_an_answer_arrives() -> None:
    reply = through(Answer(42))
    assert (type(reply), reply.value) == (Answer, 42)


def test_an_answer_that_does_not_fit_its_annotation_is_no_no_where_events_may_have_been_kept() -> None:
    reply = through(Answer("forty-two"))
    assert isinstance(reply.error, OutcomeUnknown)
    assert "Counter 'key-1': 'add' was done, and what it appended is kept, but" in str(reply.error)


def test_an_answer_that_does_not_fit_its_annotation_is_a_failure_where_nothing_can_have_been_appended() -> None:
    error = through(Answer("forty-two"), command("get")).error
    assert isinstance(error, CommandFailed)
    assert (error.entity, error.key, error.command) == ("Counter", "key-1", "get")
    assert str(error).startswith("Counter 'key-1': command 'get' failed: cannot store reply of Counter.get")
    caused = command("add", 1)
    caused.cause = Cause("Payments", "counter-3", 7, 1)
    assert isinstance(through(Answer("forty-two"), caused).error, CommandFailed)


def test_what_is_no_answer_is_refused() -> None:
    with pytest.raises(BadPayload, match="answered 'add' with 'something'"):
        wire().pack_reply("k", command("add", 1), "something")


@pytest.mark.parametrize("rejection", [Negative(), TooMuch(5, 3)])
def test_a_rejection_arrives_equal(rejection: Rejection) -> None:
    error = through(Refused(rejection)).error
    assert (type(error), error) == (type(rejection), rejection)


def test_a_rejection_that_was_not_declared_is_a_failure_that_says_what_to_do() -> None:
    error = through(Refused(Undeclared())).error
    assert type(error) is CommandFailed
    assert str(error).startswith("Counter 'key-1': command 'add' failed: it was rejected with Undeclared()")
    assert "declare it in `rejections`" in str(error)


MADE: dict[str, Exception] = {
    "CommandFailed": CommandFailed("counter", "k", "add", "Oops('a bug')"),
    "DeadlinePassed": errors.DeadlinePassed("counter", "k", "add", 1.5),
    "Fenced": Fenced("shard 3", 4, 5),
    "ImpossibleEvent": errors.ImpossibleEvent("event", 3, "because"),
    "Overloaded": Overloaded("counter", 20),
    "RecoveryFailed": errors.RecoveryFailed("counter", "k", 7, "because"),
}


def kinds() -> list[type[Exception]]:
    named = [getattr(errors, name) for name in errors.__all__ if isinstance(getattr(errors, name), type)]
    return [kind for kind in named if issubclass(kind, AecorError | JournalError)]


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_every_error_of_ours_arrives_with_type_text_and_fields(kind: type[Exception]) -> None:
    error = MADE.get(kind.__name__) or kind.__new__(kind)
    if kind.__name__ not in MADE:
        error.args = ("what happened",)
    arrived = through(Refused(error)).error
    assert type(arrived) is kind
    assert str(arrived) == str(error)
    assert vars(arrived) == {
        field: value if isinstance(value, str | int | float | None) else repr(value)
        for field, value in vars(error).items()
    }


def test_not_now_and_unknown_can_still_be_told_apart() -> None:
    assert isinstance(through(Refused(ShardMoved("moves"))).error, Unavailable)
    assert isinstance(through(Refused(errors.NodeStopping("leaves"))).error, Unavailable)
    unknown = through(Refused(errors.DeadlinePassed("e", "k", "c", 1.0))).error
    assert isinstance(unknown, OutcomeUnknown)
    assert not isinstance(unknown, Unavailable)


def test_a_kind_of_ours_that_is_not_ours_arrives_as_the_nearest_that_is() -> None:
    class StoreOnFire(Unavailable):
        pass

    assert type(through(Refused(StoreOnFire("hot"))).error) is Unavailable


def test_a_stranger_arrives_as_an_error_of_ours_with_its_text() -> None:
    error = through(Refused(ZeroDivisionError("by zero"))).error
    assert (type(error), str(error)) == (AecorError, "by zero")


class Speechless(Unavailable):
    """A kind of ours, with a bug in its text."""

    def __str__(self) -> str:
        raise ValueError("a bug")


class Shapeless:
    """A state with a bug in its repr."""

    def __repr__(self) -> str:
        raise ValueError("a bug")


HARD_TO_TELL: list[tuple[BaseException, type[Exception], str]] = [
    (ImpossibleEvent("e", ("x" * 1_000,) * 3_000, "because"), ImpossibleEvent, "xxx…: because"),
    (ImpossibleEvent("e", Shapeless(), "because"), ImpossibleEvent, "cannot follow state <Shapeless>: because"),
    (CommandFailed("Counter", "k", "add", "x" * 3_000_000), CommandFailed, "xxx…"),
    (CommandFailed("Counter", "k", "add", "no text: \ud800"), CommandFailed, "no text: \\ud800"),
    (Fenced("shard 3", 2**70, None), Fenced, str(2**70)),
    (TooMuch("x" * 3_000_000, 1), CommandFailed, "declare it in `rejections`"),  # type: ignore[arg-type]
    (Speechless("away"), Unavailable, "Speechless"),
]


@pytest.mark.parametrize(("error", "kind", "text"), HARD_TO_TELL)
def test_an_error_that_is_hard_to_tell_is_told_as_well_as_it_can_be(
    error: BaseException, kind: type[Exception], text: str
) -> None:
    asked = command("add", 1)
    packed = wire().pack_reply("k", asked, Refused(error))
    assert len(packed) < 100_000, "it must fit into a frame"
    arrived = wire().unpack_reply(asked, packed)
    assert isinstance(arrived, Refused)
    assert type(arrived.error) is kind
    assert text in str(arrived.error)


# --- plain actors


@pytest.mark.parametrize("message", ["text", 7, -1.5, True, None, b"bytes", [1, ["a"]], {"a": 1, 2: [None]}])
def test_plain_messages_arrive(message: Any) -> None:
    plain = MessageWire("Greeter", ())
    assert plain.unpack(plain.pack(message)) == message
    assert plain.unpack_reply(None, plain.pack_reply("k", None, message)) == message


def test_messages_of_declared_classes_arrive_equal() -> None:
    plain = MessageWire("Shop", (Order,))
    order = Order(7, ("tea", "milk"))
    assert plain.unpack(plain.pack(order)) == order


@pytest.mark.parametrize("message", [Order(1), object(), {1, 2}, [Order(1)], 2**70, "\ud800", {"a": object()}])
def test_what_cannot_be_sent_is_refused_where_it_is_sent(message: Any) -> None:
    with pytest.raises(BadPayload):
        MessageWire("Greeter", ()).pack(message)


def test_a_class_that_was_not_declared_says_what_to_do() -> None:
    with pytest.raises(BadPayload, match=r"Order cannot be sent to another node.*in Greeter\.messages"):
        MessageWire("Greeter", ()).pack(Order(1))


def test_a_refusal_by_a_plain_actor_s_shard_arrives() -> None:
    plain = MessageWire("Greeter", ())
    reply = plain.unpack_reply(None, plain.pack_reply("k", None, Refused(Overloaded("shard 1", 5))))
    assert isinstance(reply.error, Overloaded)
    assert reply.error.limit == 5


def test_messages_that_cannot_be_declared_are_found_at_deployment() -> None:
    class Bad(Actor):
        messages = (object,)

    with pytest.raises(InvalidDefinition, match=r"Bad\.messages"):
        PlainHost(Bad, idle_seconds=1.0, max_live=1)


# --- hostile bytes

Values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.binary(max_size=9) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3) | st.integers(0, 9), inner),
    max_leaves=12,
)
Names = st.sampled_from([*BEHAVIOUR.commands, "Fenced", "AecorError", "Rejection", "object", "os.system", "Negative"])
Parts = st.tuples(st.integers(-1, 4) | Names | Values, Names | Values, Values, Values).map(list) | st.lists(
    st.integers(0, 3) | Names | Values, max_size=5
)
Payloads = st.binary(max_size=60) | Values.map(msgpack.packb) | Parts.map(msgpack.packb)


@settings(max_examples=100, deadline=None)
@given(Payloads)
def test_hostile_bytes_are_bad_payload_or_a_message_of_ours(payload: bytes) -> None:
    commands, plain = wire(), MessageWire("Shop", (Order,))
    asked = command("add", 1)
    for read in (commands.unpack, lambda one: commands.unpack_reply(asked, one)):
        try:
            found = read(payload)
        except BadPayload:
            continue
        assert type(found) in (Command, Answer, Refused)
        if type(found) is Refused:
            assert isinstance(found.error, AecorError | JournalError | Rejection)
    try:
        found = plain.unpack(payload)
    except BadPayload:
        return
    assert isinstance(found, str | int | float | bytes | list | dict | Order | Refused | None)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=9), st.integers(0, 200), st.integers(0, 255))
def test_a_changed_byte_or_a_cut_is_bad_payload_or_another_message(payload: bytes, at: int, byte: int) -> None:
    sent = bytearray(wire().pack(command("add_noted", 3, note="why")))
    sent[at % len(sent)] = byte
    for damaged in (bytes(sent), bytes(sent[: at % len(sent)]), bytes(sent) + payload):
        try:
            found = wire().unpack(damaged)
        except BadPayload:
            continue
        assert found.spec.name in BEHAVIOUR.commands


def test_deep_nesting_is_bad_payload() -> None:
    for payload in (b"\x91" * 100_000 + b"\xc0", b"\x81\xa1k" * 50_000 + b"\xc0"):
        for read in (wire().unpack, MessageWire("Greeter", ()).unpack):
            with pytest.raises(BadPayload):
                read(payload)


def test_errors_of_the_wire_name_no_class_of_another_s_choice() -> None:
    for name in ("SystemExit", "Exception", "JournalError.__class__", "subprocess.Popen", ""):
        payload = msgpack.packb((2, name, "text", {}))
        with pytest.raises(BadPayload):
            wire().unpack_reply(command("add", 1), payload)


@pytest.mark.parametrize(
    "metadata",
    [b"metadata", b"\x81\xa1c\x01", b"\x81\xa1x\x81\xa1a\x01", b"\x90", b"\x81\xa1x" + bytes(MAX_METADATA_BYTES)],
)
def test_a_command_whose_metadata_the_journal_could_not_read_again_is_refused(metadata: bytes) -> None:
    sent = msgpack.packb(("add", 3.5, metadata, BEHAVIOUR.arguments["add"].encode(1)))
    with pytest.raises(BadPayload, match="metadata"):
        wire().unpack(sent)


def test_a_command_whose_deadline_is_no_number_is_refused() -> None:
    sent = msgpack.packb(("add", math.nan, b"", BEHAVIOUR.arguments["add"].encode(1)))
    with pytest.raises(BadPayload, match=r"add: its deadline is no number"):
        wire().unpack(sent)


@pytest.mark.parametrize("hostile", [msgpack.ExtType(5, b"x"), msgpack.Timestamp(1, 2)])
def test_msgpack_s_extensions_are_no_plain_values(hostile: Any) -> None:
    for value in (hostile, [hostile], {"a": [hostile]}):
        with pytest.raises(BadPayload, match="cannot be read"):
            MessageWire("Shop", ()).unpack(msgpack.packb((0, value)))


def test_an_error_repeats_nothing_long_of_what_came() -> None:
    long = "x" * 100_000
    hostile = [msgpack.packb([long, 1.0, b"", b""]), msgpack.packb([1, long, 1, b""]), msgpack.packb([long]) + b"\xc0"]
    for payload in hostile:
        for read in (wire().unpack, lambda one: wire().unpack_reply(command("add", 1), one)):
            with pytest.raises(BadPayload) as bad:
                read(payload)
            assert len(str(bad.value)) < 500
