"""Which keys an entity may have."""

from __future__ import annotations

from typing import Any

import pytest

from aecorpy import EntityRefs, InvalidName
from journal.contract import Database
from tests.aecorpy.conftest import StartNode
from tests.aecorpy.looking import numbers
from tests.aecorpy.samples import Counter

GOOD = ["a", " ", "Ünïcödé", "日本", "😀" * 128, "x" * 512, "a/b'c\"d;--", "%s", "\n", "null", "0", "\x7f", "\ufffe"]


async def test_any_text_may_be_a_key(start_node: StartNode, database: Database) -> None:
    node = await start_node(database)
    counters = await node.deploy(Counter)
    for number, key in enumerate(GOOD):
        assert await counters(key).add(number) == number
    await node.stop()
    counters = await (await start_node(database)).deploy(Counter)
    for number, key in enumerate(GOOD):
        assert await counters(key).get() == number
        assert await numbers(counters, database, key) == [number]


async def test_keys_that_look_alike_are_different(start_node: StartNode, database: Database) -> None:
    counters = await (await start_node(database)).deploy(Counter)
    alike = ["a", "A", "a ", "\u00e1", "a\u0301"]
    for number, key in enumerate(alike):
        await counters(key).add(number + 1)
    assert [await counters(key).get() for key in alike] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("key", [None, 1, 1.5, b"a", ("a",), ["a"], {"a"}, object(), True])
async def test_a_key_that_is_no_text_is_refused(counters: EntityRefs[Counter], key: Any) -> None:
    with pytest.raises(InvalidName, match="keys are strings"):
        counters(key)


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("", "not empty"),
        ("a\0b", "NUL"),
        ("\0", "NUL"),
        ("x" * 513, "513 bytes"),
        ("ü" * 257, "514 bytes"),
        ("\ud800", "not valid Unicode"),
        ("a\udfffb", "not valid Unicode"),
    ],
)
async def test_a_key_that_no_store_could_keep_is_refused(counters: EntityRefs[Counter], key: str, why: str) -> None:
    with pytest.raises(InvalidName, match=why) as caught:
        counters(key)
    str(caught.value).encode()  # the message itself can be logged
    assert isinstance(caught.value, ValueError)
