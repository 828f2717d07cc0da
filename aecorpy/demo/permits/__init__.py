"""A real log of permit applications, replayed as commands: `python -m aecorpy.demo.permits FILE.csv`.

Each case of the log is an entity, each row a command that may come twice, because it carries the log's own task id.
"""

from aecorpy.demo.permits.application import ActivityDone, PermitApplication, PermitState, TaskDiffers
from aecorpy.demo.permits.views import ActivityCounts, CaseRow, PermitCases

__all__ = [
    "ActivityCounts",
    "ActivityDone",
    "CaseRow",
    "PermitApplication",
    "PermitCases",
    "PermitState",
    "TaskDiffers",
]
