"""A permit application: what has been done for it. Recording the same task again changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aecorpy import Entity, Fold, Folded, Impossible, Next, Rejection, Tagging, command, event


@event("ActivityDone")
@dataclass(frozen=True, slots=True)
class ActivityDone:
    """Somebody did something.

    Args:
        task_id: the log's own id of this, unique within the application.
        activity: what was done.
        resource, group: who did it; empty if the log does not say.
        done_at: when.
    """

    task_id: str
    activity: str
    resource: str
    group: str
    done_at: datetime


@dataclass(frozen=True, slots=True)
class PermitState:
    """The activities done so far, in the order in which they were recorded."""

    done: tuple[ActivityDone, ...] = ()

    def task(self, task_id: str) -> ActivityDone | None:
        """What was done under `task_id`, if anything."""
        return next((done for done in self.done if done.task_id == task_id), None)

    def after(self, done: ActivityDone) -> Folded[PermitState]:
        """The state after one more activity."""
        if self.task(done.task_id) is not None:
            return Impossible("a task is done once")
        return Next(PermitState((*self.done, done)))


@dataclass(eq=False)
class TaskDiffers(Rejection):
    """Something else was recorded under this task id before."""

    task_id: str


class PermitApplication(Entity[PermitState, ActivityDone]):
    """One application; its key is the case's id."""

    fold = Fold(PermitState(), PermitState.after)
    tagging = Tagging.partitioned(64)
    rejections = (TaskDiffers,)

    @command
    async def record(self, task_id: str, activity: str, resource: str, group: str, done_at: datetime) -> bool:
        """Record an activity; the arguments are those of `ActivityDone`.

        Returns:
            True; or False if it was recorded before.

        Raises:
            TaskDiffers: under this task id something else was recorded.
        """
        done = ActivityDone(task_id, activity, resource, group, done_at)
        known = self.state.task(task_id)
        if known is None:
            self.append(done)
        elif known != done:
            raise TaskDiffers(task_id)
        return known is None
