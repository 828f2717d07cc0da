"""The view by client, from a node in memory."""

from __future__ import annotations

from decimal import Decimal

from aecorpy import ClusterNode
from aecorpy.demo.booking import Booking, BookingRow, BookingsByClient, Seat, Ticket
from tests.waiting import eventually

A1, A2 = Seat("A", 1), Seat("A", 2)


async def test_a_client_sees_their_own_bookings() -> None:
    async with ClusterNode("tickets") as node:
        bookings = await node.deploy(Booking)
        await node.distribute("BookingsByClient", BookingsByClient())
        await bookings("b-1").place("alice", "x-1", (A1, A2))
        await bookings("b-2").place("bob", "x-1", (Seat("B", 1),))
        await bookings("b-3").place("alice", "x-2", (A1,))
        await bookings("b-1").confirm((Ticket(A1, Decimal("9.50")), Ticket(A2, Decimal("10.50"))))
        await bookings("b-1").receive_payment("p-1")
        await bookings("b-3").deny("sold out")

        async def rows(client: str) -> list[BookingRow]:
            return [row async for row in BookingsByClient.table.rows(node.database, client_id=client)]

        async def alice() -> bool:
            return [row.status for row in await rows("alice")] == ["settled", "denied"]

        await eventually(alice)
        assert await rows("alice") == [
            BookingRow("b-1", "alice", "x-1", 2, "settled", Decimal("20.00"), None, "p-1", 4),
            BookingRow("b-3", "alice", "x-2", 1, "denied", events=2),
        ]
        assert [row.booking_id for row in await rows("bob")] == ["b-2"]
        assert await rows("carol") == []
