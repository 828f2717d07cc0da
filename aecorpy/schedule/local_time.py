"""From times on the clocks of a place to instants."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def instant(local: datetime, zone: str | ZoneInfo) -> datetime:
    """The instant, in UTC, at which the clocks of `zone` show `local`.

    Where clocks are set forward, a time that they skip means what they would have shown without that: 02:30 on the
    morning on which 02:00 becomes 03:00 is 03:30. Where they are set back, a time that they show twice is the first,
    unless `local.fold` is 1, which is the second.

    Args:
        local: without zone.
        zone: such as "Europe/Berlin".

    Raises:
        ValueError: `local` has a zone already.
        zoneinfo.ZoneInfoNotFoundError: there is no such zone.
    """
    if local.tzinfo is not None:
        raise ValueError(f"{local} has a zone already, and so is an instant")
    return local.replace(tzinfo=ZoneInfo(zone) if isinstance(zone, str) else zone).astimezone(UTC)
