"""Durable timers: at this time, this event with this id; once, whichever nodes die."""

from aecorpy.schedule.local_time import instant
from aecorpy.schedule.missed import Drop, Late, Missed
from aecorpy.schedule.timers import (
    AlreadyScheduled,
    Cancelled,
    Dropped,
    Fired,
    NaiveTime,
    NotScheduled,
    Schedule,
    Scheduled,
    Timer,
    TimerCancelled,
    TimerEvent,
)
from aecorpy.schedule.view import Pending, name_of, pending

__all__ = [
    "AlreadyScheduled",
    "Cancelled",
    "Drop",
    "Dropped",
    "Fired",
    "Late",
    "Missed",
    "NaiveTime",
    "NotScheduled",
    "Pending",
    "Schedule",
    "Scheduled",
    "Timer",
    "TimerCancelled",
    "TimerEvent",
    "instant",
    "name_of",
    "pending",
]
