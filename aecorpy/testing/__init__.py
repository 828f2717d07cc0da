"""The test kit: an entity's behaviour without journal, cluster or waiting.

>>> from aecorpy.testing import scenario
>>> scenario(Booking).given(placed).when(Booking.confirm, tickets).expect_events(confirmed)  # doctest: +SKIP

Everything that passes through it (arguments, events, replies, rejections, states) goes through the codec and back, so
what could not be stored or sent is found here. docs/testing.md has more.
"""

from aecorpy.testing.outcome import Outcome
from aecorpy.testing.round_trip import DoesNotSurvive
from aecorpy.testing.scenario import START, Scenario, scenario

__all__ = ["START", "DoesNotSurvive", "Outcome", "Scenario", "scenario"]
