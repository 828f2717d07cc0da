"""Times on the clocks of a place, over the days on which these are set forward or back."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from aecorpy.behaviour import Behaviour
from aecorpy.schedule import Timer, instant
from tests.aecorpy.schedule.reminders import Reminder, Reminders


@pytest.mark.parametrize(
    ("local", "fold", "expected"),
    [
        ("2026-03-29 01:59", 0, "2026-03-29 00:59"),
        ("2026-03-29 02:30", 0, "2026-03-29 01:30"),  # clocks show 03:30 then: they skipped 02:00 to 03:00
        ("2026-03-29 03:30", 0, "2026-03-29 01:30"),
        ("2026-10-25 01:30", 0, "2026-10-24 23:30"),
        ("2026-10-25 02:30", 0, "2026-10-25 00:30"),  # the first of two
        ("2026-10-25 02:30", 1, "2026-10-25 01:30"),  # the second
        ("2026-10-25 03:00", 0, "2026-10-25 02:00"),
    ],
)
async def test_an_instant_on_days_when_clocks_change(local: str, fold: int, expected: str) -> None:
    read = datetime.fromisoformat(local).replace(fold=fold)
    due = datetime.fromisoformat(expected).replace(tzinfo=UTC)
    assert instant(read, "Europe/Berlin") == instant(read, ZoneInfo("Europe/Berlin")) == due
    assert instant(read, "Europe/Berlin").utcoffset() == UTC.utcoffset(None)
    timer = Behaviour.of(Reminders).blank("t")
    await timer.at(read.replace(tzinfo=ZoneInfo("Europe/Berlin")), Reminder(""))  # which means the same
    assert timer.state == Timer(due, Reminder(""))


def test_the_same_time_every_morning_is_another_instant_from_the_change_on() -> None:
    mornings = [instant(datetime(2026, 3, day, 9), "Europe/Berlin").hour for day in (27, 28, 29, 30)]
    assert mornings == [8, 8, 7, 7]


def test_an_instant_has_its_zone_already() -> None:
    with pytest.raises(ValueError, match="has a zone already"):
        instant(datetime(2026, 1, 1, tzinfo=UTC), "Europe/Berlin")
    with pytest.raises(KeyError):
        instant(datetime(2026, 1, 1), "Nowhere/Atlantis")
