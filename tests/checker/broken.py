"""All broken histories."""

from __future__ import annotations

from typing import Final

from tests.checker.breaking import Broken
from tests.checker.broken_cluster import CLUSTER
from tests.checker.broken_commands import COMMANDS

BROKEN: Final[tuple[Broken, ...]] = (*COMMANDS, *CLUSTER)
