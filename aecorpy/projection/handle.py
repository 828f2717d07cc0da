"""A projection that runs over the cluster, as the node sees it that started it."""

from __future__ import annotations

from aecorpy.errors import AecorError
from aecorpy.management.look import DeploymentSeen, look
from aecorpy.processing.deployment import KillSwitch
from aecorpy.projection.progress import ViewProgress
from journal.contract import Database, JournalStore


class DistributedProjection:
    """What `ClusterNode.distribute` returns. All of it is about the whole cluster, but for `shutdown`.

    Args:
        switch: ends it on this node.
        database, store: where its offsets are, and the journal it follows.
        progress: tells how far it is.
    """

    def __init__(self, switch: KillSwitch, database: Database, store: JournalStore, progress: ViewProgress) -> None:
        self.name = switch.name
        self._switch = switch
        self._database = database
        self._store = store
        self._progress = progress

    async def status(self) -> DeploymentSeen:
        """Where its processes run, and how far each tag is.

        Raises:
            Unavailable: the store is away.
        """
        seen = await look(self._database, self.name)
        if seen is None:
            raise AecorError(f"projection {self.name!r} was removed from the database")
        return seen

    async def caught_up(self, within: float = 10.0) -> None:
        """Return when it has handled everything that is in the journal now.

        Args:
            within: seconds.

        Raises:
            ViewBehind: it has not, in time.
            Unavailable: the store is away.
        """
        await self._progress.caught_up(self.name, self._store, within)

    async def shutdown(self) -> None:
        """Run none of it on this node any more; see `KillSwitch.shutdown`."""
        await self._switch.shutdown()
