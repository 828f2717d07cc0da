"""Which tests share a process when several run at a time, and in which order they are handed out."""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

ALONE = "real processes"  # they wait in real time: two at once would take it from each other
REAL_PROCESSES = (
    "tests/cluster/",
    "tests/cli/test_cluster_page",
    "tests/cli/test_run_command",
    "tests/demo/test_demo_main",
    "tests/demo/test_permits",
)
LONG = ("tests/simulation/",)


def part(nodeid: str) -> str:
    """A test's part: its file, or the one that all tests with real processes make up."""
    return ALONE if nodeid.startswith(REAL_PROCESSES) else nodeid.partition("::")[0]


def rank(nodeid: str) -> int:
    """When a test's part is handed out: the lower, the earlier. Equal ones stay in random order."""
    return 0 if nodeid.startswith(REAL_PROCESSES) else 1 if nodeid.startswith(LONG) else 2


class Parts(LoadScopeScheduling):
    """Hands out whole parts, in the order of the tests."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        config.option.loadscopereorder = False  # would hand out first what has the most tests
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return part(nodeid)
