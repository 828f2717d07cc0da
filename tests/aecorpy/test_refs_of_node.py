"""The way to what was deployed at the start."""

from __future__ import annotations

import pytest

from aecorpy import ClusterNode, InvalidDefinition
from tests.aecorpy.samples import Counter


async def test_classes_named_at_the_start_are_reached_from_the_node() -> None:
    async with ClusterNode("test", entities=[Counter]) as node:
        assert await node.refs(Counter)("c").add(2) == 2


async def test_a_class_that_is_not_deployed_has_no_refs() -> None:
    async with ClusterNode("test") as node:
        with pytest.raises(InvalidDefinition, match="not deployed"):
            node.refs(Counter)
