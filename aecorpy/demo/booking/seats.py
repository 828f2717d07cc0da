"""What is booked."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

MAX_SEATS = 10


@dataclass(frozen=True, slots=True)
class Seat:
    """A place in the hall."""

    row: str
    number: int


@dataclass(frozen=True, slots=True)
class Ticket:
    """The right to a seat, at a price.

    Raises:
        ValueError: the price is negative, or no amount of money.
    """

    seat: Seat
    price: Decimal

    def __post_init__(self) -> None:
        if not self.price.is_finite() or self.price < 0:
            raise ValueError(f"a ticket cannot cost {self.price}")
