"""`aecorpy node`: one node, from its factory to the end that a signal asks for."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import socket

from aecorpy.cli.factory import new_node
from aecorpy.cli.failures import Failure, described, exit_code_of
from aecorpy.cli.lifeline import hold
from aecorpy.cli.wishes import EndWish, end_wish
from aecorpy.heap import settle_heap
from aecorpy.node import ClusterNode

STOP_WITHIN = 25.0  # seconds: below the 30 after which container platforms kill

_log = logging.getLogger(__name__)


def serve(options: argparse.Namespace) -> int:
    """Run a node until SIGTERM or Ctrl-C; 0 when it has stopped in order.

    Raises:
        Failure: it cannot be made or started, or did not stop in time.
    """
    if options.lifeline is not None:
        hold(options.lifeline, options.stop_within)
    node = new_node(options.factory, options.name or f"{socket.gethostname()}-{os.getpid()}")
    asyncio.run(_serve(node, options.stop_within))
    return 0


async def _serve(node: ClusterNode, stop_within: float) -> None:
    with end_wish() as wish:
        if not await _started(node, wish):
            return
        settle_heap()
        _tell(node)
        await wish.wait()
        await _stop(node, stop_within)


async def _started(node: ClusterNode, wish: EndWish) -> bool:
    """Start the node; whether it is up. It is not when somebody asked to end meanwhile."""
    starting = asyncio.ensure_future(node.start())
    asked = asyncio.ensure_future(wish.wait())
    try:
        await asyncio.wait([starting, asked], return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
        await starting
    except asyncio.CancelledError:
        if not wish.is_set:
            raise
        return False
    except Exception as error:
        what = f"node {node.node!r} of cluster {node.name!r}: {described(error)}"
        raise Failure(what, exit_code_of(error), error) from error
    finally:
        asked.cancel()
    return True


def _tell(node: ClusterNode) -> None:
    cluster = node.cluster
    me = cluster.members.get(cluster.me)
    where = "" if me is None else f" at {me.host}:{me.port}"
    entities = ", ".join(entity.__name__ for entity in node.entities) or "nothing deployed yet"
    _log.info(
        "node %r of cluster %r is up%s: incarnation %d, process %d, %s",
        node.node,
        node.name,
        where,
        cluster.me,
        os.getpid(),
        entities,
    )


async def _stop(node: ClusterNode, within: float) -> None:
    _log.info("node %r stops: its shards are handed off (a second signal ends it at once)", node.node)
    stopping = asyncio.ensure_future(node.stop())
    await asyncio.wait([stopping], timeout=within)
    if not stopping.done():
        _log.error("node %r did not stop within %g s: it ends as it is", node.node, within)
        logging.shutdown()
        os._exit(1)  # what is stuck may be a thread, which would keep the process
    try:
        stopping.result()
    except Exception as error:
        raise Failure(f"node {node.node!r} did not stop in order: {described(error)}", 1, error) from error
    _log.info("node %r has stopped", node.node)
