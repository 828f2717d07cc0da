"""Whatever version was ever stored is read as the version of today, or refused with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgpack
import pytest

from journal.codec import (
    BadUpcasters,
    MisfitPayload,
    MissingUpcaster,
    NewerVersion,
    PayloadCodec,
    UnknownType,
    UnreadablePayload,
    Upcaster,
    UpcastFailed,
    event,
    upcast,
)

Raw = dict[str, Any]


def pack(plain: Any) -> bytes:
    packed: bytes = msgpack.packb(plain)
    return packed


@event("BookingPlaced", version=4)
@dataclass(frozen=True)
class Placed:
    client: str
    seats: tuple[str, ...]
    currency: str


@event("BookingRefused")
@dataclass(frozen=True)
class Refused:
    reason: str


@upcast("SeatBooked", 1, to="BookingPlaced")
def renamed(raw: Raw) -> Raw:
    return raw


@upcast("BookingPlaced", 2)
def seats_instead_of_one(raw: Raw) -> Raw:
    raw["seats"] = [raw.pop("seat")]
    return raw


@upcast("BookingPlaced", 3)
def in_euro(raw: Raw) -> Raw:
    return {**raw, "currency": "EUR"}


CHAIN = [in_euro, renamed, seats_instead_of_one]


def test_a_chain_leads_from_every_old_version_to_the_one_of_today() -> None:
    codec = PayloadCodec(Placed, CHAIN)
    today = Placed("c", ("A1",), "EUR")
    assert codec.decode("SeatBooked", 1, pack({"client": "c", "seat": "A1"})) == today
    assert codec.decode("BookingPlaced", 2, pack({"client": "c", "seat": "A1"})) == today
    assert codec.decode("BookingPlaced", 3, pack({"client": "c", "seats": ["A1"]})) == today
    assert codec.decode(*codec.encode(today)) == today
    assert codec.encode(today)[:2] == ("BookingPlaced", 4)
    assert codec.names == ("BookingPlaced",)


def test_an_upcaster_may_choose_the_name_by_the_payload() -> None:
    @upcast("BookingEnded", 1)
    def split(raw: Raw) -> tuple[str, Raw]:
        return ("BookingDenied" if raw["denied"] else "BookingGone"), {"reason": raw["why"]}

    @upcast("BookingDenied", 2, to="BookingRefused", to_version=1)
    def denied(raw: Raw) -> Raw:
        return raw

    codec: PayloadCodec[Any] = PayloadCodec([Placed, Refused], [*CHAIN, split, denied])
    assert codec.decode("BookingEnded", 1, pack({"denied": True, "why": "full"})) == Refused("full")
    with pytest.raises(UnknownType, match="type 'BookingGone'"):
        codec.decode("BookingEnded", 1, pack({"denied": False, "why": "full"}))


def test_stored_bytes_are_never_changed() -> None:
    data = pack({"client": "c", "seat": "A1"})
    codec = PayloadCodec(Placed, CHAIN)
    assert codec.decode("BookingPlaced", 2, data) == codec.decode("BookingPlaced", 2, data)
    assert data == pack({"client": "c", "seat": "A1"})


def test_a_missing_link_is_found_when_the_codec_is_built() -> None:
    with pytest.raises(BadUpcasters, match=r"end at version 3 of 'BookingPlaced': no upcaster from version 3"):
        PayloadCodec(Placed, [seats_instead_of_one])


def test_a_version_without_upcaster_is_named() -> None:
    codec = PayloadCodec(Placed, CHAIN)
    with pytest.raises(MissingUpcaster, match=r"no upcaster from version 1 of 'BookingPlaced': add one with @upcast"):
        codec.decode("BookingPlaced", 1, pack({}))


def test_a_cycle_is_found_when_the_codec_is_built() -> None:
    steps = [Upcaster("A", 1, dict, "B", 1), Upcaster("B", 1, dict, "A", 1)]
    with pytest.raises(BadUpcasters, match=r"lead in a circle: 'A' 1 → 'B' 1 → 'A' 1"):
        PayloadCodec(Placed, steps)


def test_a_cycle_by_names_that_depend_on_the_payload_ends() -> None:
    steps = [
        Upcaster("A", 1, lambda raw: ("B", raw), "BookingRefused", 1),
        Upcaster("B", 1, lambda raw: ("A", raw), "BookingRefused", 1),
    ]
    codec = PayloadCodec(Refused, steps)
    with pytest.raises(UpcastFailed, match="lead in a circle"):
        codec.decode("A", 1, pack({}))


def test_an_upcaster_from_the_version_of_today_would_never_run() -> None:
    step = Upcaster("BookingPlaced", 4, dict, "BookingPlaced", 5)
    with pytest.raises(BadUpcasters, match="from version 4 of 'BookingPlaced', but its class is in version 4: raise"):
        PayloadCodec(Placed, [*CHAIN, step])


def test_two_upcasters_from_one_version() -> None:
    with pytest.raises(BadUpcasters, match="two upcasters start from version 3 of 'BookingPlaced'"):
        PayloadCodec(Placed, [*CHAIN, in_euro])


def test_upcasters_of_other_codecs_do_no_harm() -> None:
    foreign = Upcaster("BookingState", 1, dict, "BookingState", 2)
    codec = PayloadCodec(Refused, [*CHAIN, foreign])
    assert codec.decode(*codec.encode(Refused("x"))) == Refused("x")


def test_an_older_program_on_newer_data() -> None:
    codec = PayloadCodec(Placed, CHAIN)
    with pytest.raises(
        NewerVersion, match="'BookingPlaced' was stored in version 5, this program knows versions up to 4"
    ):
        codec.decode("BookingPlaced", 5, pack({}))


def test_an_upcaster_that_raises_is_named() -> None:
    codec = PayloadCodec(Placed, CHAIN)
    with pytest.raises(UpcastFailed, match="from version 2 of 'BookingPlaced' failed: KeyError: 'seat'") as caught:
        codec.decode("BookingPlaced", 2, pack({"client": "c"}))
    assert isinstance(caught.value.__cause__, KeyError)


def test_an_upcaster_that_forgets_to_return_is_named() -> None:
    codec = PayloadCodec(Refused, [Upcaster("Old", 1, lambda raw: None, "BookingRefused", 1)])
    with pytest.raises(
        UpcastFailed, match="from version 1 of 'Old' failed: it returned NoneType: return the new payload"
    ):
        codec.decode("Old", 1, pack({"reason": "x"}))


@pytest.mark.parametrize("returned", [1, "x", [], (1, {}), object(), {"reason": object()}, {"reason": ("a",)}])
def test_what_an_upcaster_returns_is_checked_like_any_payload(returned: Any) -> None:
    codec = PayloadCodec(Refused, [Upcaster("Old", 1, lambda raw: returned, "BookingRefused", 1)])
    with pytest.raises((MisfitPayload, UpcastFailed)):
        codec.decode("Old", 1, pack({"reason": "x"}))


def test_the_message_tells_of_the_upcast() -> None:
    codec = PayloadCodec(Placed, CHAIN)
    with pytest.raises(
        MisfitPayload, match=r"cannot read BookingPlaced.seats\[0\], upcast from 'BookingPlaced' \(version 2\): an int"
    ):
        codec.decode("BookingPlaced", 2, pack({"client": "c", "seat": 1}))
    with pytest.raises(UnreadablePayload, match=r"cannot read 'BookingPlaced' \(version 2\)"):
        codec.decode("BookingPlaced", 2, b"\xc1")
