"""`aecorpy status`: a cluster as its store has it."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterable, Sequence

from aecorpy.cli.failures import Failure, described
from aecorpy.cli.looking import ClusterSeen, NodeSeen, TypeSeen, look
from aecorpy.cli.showing import as_json, not_now, table, watch, write
from sharding.store import (
    ClusterStore,
    ClusterStoreError,
    InvalidClusterName,
    InvalidStoreUrl,
    StoreUnavailable,
    open_cluster_store,
)

MOST_NUMBERS = 12
NODE_HEAD = ("NODE", "INCARNATION", "ADDRESS", "STATE", "LEASE LEFT", "WEIGHT", "SHARDS", "ROLES")
TYPE_HEAD = ("TYPE", "KIND", "SHARDS", "PER NODE", "HIGHEST EPOCH", "WITHOUT OWNER", "MOVING")


def status(options: argparse.Namespace) -> int:
    """Show the cluster once, or again and again.

    Raises:
        Failure: there is none, or its store cannot be read.
    """
    try:
        return asyncio.run(_watch(options) if options.watch else _once(options))
    except (InvalidStoreUrl, InvalidClusterName) as error:
        raise Failure(described(error), 2, error) from error
    except ClusterStoreError as error:
        raise Failure(described(error), 1, error) from error
    except BrokenPipeError:  # whoever reads has had enough
        sys.stdout = None
        return 0


async def _once(options: argparse.Namespace) -> int:
    store = await open_cluster_store(options.store, options.cluster, create=False)
    try:
        write(_text(await look(store), in_json=options.json))
    finally:
        await store.close()
    return 0


async def _watch(options: argparse.Namespace) -> int:
    store = await open_cluster_store(options.store, options.cluster, create=False)
    try:
        await watch(lambda: _text_or_trouble(store, in_json=options.json), clears=not options.json)
    finally:
        await store.close()
    return 0


async def _text_or_trouble(store: ClusterStore, *, in_json: bool) -> str:
    try:
        return _text(await look(store), in_json=in_json)
    except StoreUnavailable as error:
        return not_now(error, in_json=in_json)


def _text(seen: ClusterSeen, *, in_json: bool) -> str:
    if in_json:
        return as_json(seen.document())
    return "\n".join(lines(seen))


def lines(seen: ClusterSeen) -> Iterable[str]:
    """The cluster as plain text."""
    holder = seen.coordinator or "nobody"
    yield f"cluster {seen.cluster}: {holder} coordinates, term {seen.term}"
    yield ""
    yield from table(NODE_HEAD, [_node_row(node, seen.types) for node in seen.nodes])
    if seen.types:
        yield ""
        yield from table(TYPE_HEAD, [_type_row(one) for one in seen.types])


def _node_row(node: NodeSeen, types: Sequence[TypeSeen]) -> tuple[str, ...]:
    lease = f"{node.lease_left:.1f} s" if node.lease_left > 0 else "over"
    name = f"{node.node} *" if node.coordinates else node.node
    shards = 0 if node.state == "down" else sum(one.per_node.get(node.node, 0) for one in types)
    return (
        name,
        str(node.incarnation),
        node.address,
        node.state,
        lease,
        f"{node.weight:g}",
        str(shards),
        ",".join(node.roles) or "-",
    )


def _type_row(one: TypeSeen) -> tuple[str, ...]:
    per_node = " ".join(f"{node}={count}" for node, count in one.per_node.items())
    return (
        one.name,
        one.kind,
        str(one.shards),
        per_node or "-",
        str(one.highest_epoch),
        _numbers(one.without_owner),
        _numbers(one.moving),
    )


def _numbers(shards: Sequence[int]) -> str:
    if not shards:
        return "-"
    some = ",".join(map(str, shards[:MOST_NUMBERS]))
    return some if len(shards) <= MOST_NUMBERS else f"{some},… ({len(shards)})"
