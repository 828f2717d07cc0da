"""Shops that sell, the views over them in several versions, and nodes that run both."""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from aecorpy import (
    ClusterNode,
    Entity,
    EntityEvent,
    EntityRefs,
    Fold,
    Next,
    Retry,
    SqlView,
    Table,
    TableView,
    Tagging,
    Unavailable,
    command,
    event,
)
from journal.contract import Database, Transaction


@event("RebuiltSold")
@dataclass(frozen=True, slots=True)
class Sold:
    product: str
    pieces: int


class RebuiltShop(Entity[int, Sold]):
    fold = Fold[int, Sold](0, lambda pieces, sold: Next(pieces + sold.pieces))
    tagging = Tagging.partitioned(4)

    @command
    async def sell(self, product: str, pieces: int) -> int:
        self.append(Sold(product, pieces))
        return self.state

    @command
    async def sell_all(self, pieces: tuple[int, ...]) -> int:
        self.append(*[Sold(f"p{number % 7}", count) for number, count in enumerate(pieces)])
        return self.state


@dataclass(frozen=True, slots=True)
class Row:
    shop: str
    sales: int
    pieces: int


class Shops(TableView[Row, Sold]):
    """A row per shop; to handle an event twice would show."""

    entity = RebuiltShop
    on_failure = Retry(0.05, 0.2)
    table = Table(Row, "shops", indexes=("pieces",))

    def __init__(self, poison: str = "", by: tuple[int, ...] = (1, 2, 3)) -> None:
        self.poison = {poison}  # one set for all generations' copies
        self.by = by
        self.handled: Tally[int] = Tally()
        self.had: list[tuple[int, str, int]] = []

    def apply(self, row: Row | None, event: EntityEvent[Sold]) -> Row | None:
        if event.payload.product in self.poison and self.generation in self.by:
            raise ValueError(f"cannot handle {event.payload.product}")
        self.handled[self.generation] += 1
        before = row or Row(event.entity_key, 0, 0)
        return Row(before.shop, before.sales + 1, before.pieces + event.payload.pieces)

    async def effects(self, events: Sequence[EntityEvent[Sold]]) -> None:
        self.had += [(self.generation, one.entity_key, one.seq_nr) for one in events]


@dataclass(frozen=True, slots=True)
class Row2:
    shop: str
    sales: int
    largest: int
    pieces: int


class Shops2(TableView[Row2, Sold]):
    """The second version, with another column."""

    entity = RebuiltShop
    version = 2
    table = Table(Row2, "shops", indexes=("largest",))

    def apply(self, row: Row2 | None, event: EntityEvent[Sold]) -> Row2 | None:
        before = row or Row2(event.entity_key, 0, 0, 0)
        sold = event.payload.pieces
        return Row2(before.shop, before.sales + 1, max(before.largest, sold), before.pieces + sold)


class Products(SqlView[Sold]):
    """Sums over all shops, in SQL."""

    entity = RebuiltShop
    table_names: ClassVar[tuple[str, ...]] = ("products",)

    async def create(self, transaction: Transaction) -> None:
        await transaction.execute(
            f"CREATE TABLE IF NOT EXISTS {self.table('products')} (product TEXT PRIMARY KEY, pieces BIGINT NOT NULL)"
        )

    async def apply(self, transaction: Transaction, events: Sequence[EntityEvent[Sold]]) -> None:
        pieces: Tally[str] = Tally()
        for one in events:
            pieces[one.payload.product] += one.payload.pieces
        name = self.table("products")
        await transaction.execute_many(
            f"INSERT INTO {name} VALUES ($1, $2) "
            f"ON CONFLICT (product) DO UPDATE SET pieces = {name}.pieces + excluded.pieces",
            sorted(pieces.items()),
        )


class Load:
    """Sells in many shops until it is stopped, and remembers what was sold.

    Args:
        shops: the ways there.
        count: how many shops.
    """

    def __init__(self, shops: Sequence[EntityRefs[RebuiltShop]], count: int = 20) -> None:
        self.shops = shops
        self._count = count
        self.sales: Tally[str] = Tally()
        self.pieces: Tally[str] = Tally()
        self.products: Tally[str] = Tally()
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Load:
        self._tasks = [asyncio.ensure_future(self._sell(number)) for number in range(self._count)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def some(self, events: int) -> None:
        """Sell so much in each shop."""
        for number in range(self._count):
            pieces = tuple(1 + place % 5 for place in range(events))
            await self.shops[0](f"s{number}").sell_all(pieces)
            self.sales[f"s{number}"] += events
            self.pieces[f"s{number}"] += sum(pieces)
            for place, count in enumerate(pieces):
                self.products[f"p{place % 7}"] += count

    async def _sell(self, number: int) -> None:
        key = f"s{number}"
        while not self._stopping:
            shops = self.shops[self.sales[key] % len(self.shops)]
            product, pieces = f"p{self.sales[key] % 7}", 1 + self.sales[key] % 5
            await self.sell(shops, key, product, pieces)
            await asyncio.sleep(0.01)

    async def sell(self, shops: EntityRefs[RebuiltShop], key: str, product: str, pieces: int) -> None:
        """Sell once, and tell whether that was so."""
        try:
            await shops(key).sell(product, pieces)
        except Unavailable:
            return
        self.sales[key] += 1
        self.pieces[key] += pieces
        self.products[product] += pieces

    async def seen(self) -> None:
        """Return when the view has seen all that is in the journal."""
        for key in self.sales:
            await self.shops[0].wait_for_view("shops", key)

    @property
    def expected(self) -> dict[str, tuple[int, int]]:
        """Sales and pieces by shop."""
        return {key: (self.sales[key], self.pieces[key]) for key in self.sales}


async def rows(database: Database, table: Table[Any] = Shops.table) -> dict[str, tuple[int, int]]:
    """Sales and pieces by shop, as a view has them."""
    return {row.shop: (row.sales, row.pieces) async for row in table.rows(database)}


async def products(database: Database) -> dict[str, int]:
    """Pieces by product, as the view has them."""
    async with database.transaction() as transaction:
        found = await transaction.fetch("SELECT product, pieces FROM products")
    return {str(name): int(count) for name, count in found}


async def started(node: ClusterNode, *views: Any, **options: Any) -> EntityRefs[RebuiltShop]:
    """Deploy shops on a node, and distribute one view over it, called `shops`."""
    shops = await node.deploy(RebuiltShop)
    await node.distribute("shops", *views, **options)
    return shops
