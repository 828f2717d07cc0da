"""Creating and upgrading the tables, by numbered migrations under a lock."""

from __future__ import annotations

from typing import Any

import asyncpg

from sharding.store.errors import ClusterSchemaMismatch, StoreUnavailable
from sharding.store.postgres.lane import CHANGE, PACKAGE, READ, Lane
from sharding.store.scripts import check_current, migrations, missing_migrations, statements

LIMIT = 30.0  # seconds, waiting for other programs that do the same included


async def ensure(lane: Lane) -> None:
    """Bring the tables to this program's version. Nothing is written, and no right is needed, where they have it.

    Raises:
        ClusterSchemaMismatch: they are newer than this program; or are missing and the role may not create them.
        StoreUnavailable, StoreOutcomeUnknown: as any change.
    """
    if missing_migrations(PACKAGE, lane.where, await lane.transaction(READ, _version)):
        try:
            await lane.transaction(CHANGE, lambda connection: _upgrade(connection, lane.where), limit=LIMIT)
        except StoreUnavailable as error:
            if isinstance(error.__cause__, (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidSchemaNameError)):
                raise ClusterSchemaMismatch(
                    f"{lane.where}: the cluster's tables are missing or too old, and this role cannot change that "
                    f"({error.__cause__}): open the store once as a role that may create tables"
                ) from error
            raise


async def is_there(lane: Lane) -> bool:
    """Whether the tables are.

    Raises:
        ClusterSchemaMismatch: they are not this program's.
        StoreUnavailable: they cannot be read.
    """
    version = await lane.transaction(READ, _version)
    if version == 0:
        return False
    check_current(PACKAGE, lane.where, version)
    return True


async def _version(connection: Any) -> int:
    sql = statements(PACKAGE)
    if await connection.fetchval(sql["version_exists"]):
        return int(await connection.fetchval(sql["version"]))
    return 0


async def _upgrade(connection: Any, where: str) -> None:
    sql = statements(PACKAGE)
    await connection.execute(sql["migration_lock"])
    steps = missing_migrations(PACKAGE, where, await _version(connection))
    if steps:  # else another program did it while this one waited
        await connection.execute(sql["create_version"])
        for step in steps:
            await connection.execute(step)
        await connection.execute(sql["set_version"], len(migrations(PACKAGE)))
