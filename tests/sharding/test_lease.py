"""A node's own view of its lease."""

from __future__ import annotations

import pytest

from sharding.lease import Lease


def test_a_lease_counts_from_before_its_renewal_was_sent() -> None:
    lease = Lease(6.0)
    lease.renewed(100.0)
    assert lease.usable_until == pytest.approx(104.0), "two thirds; the rest is for clocks that differ"


def test_a_lease_that_was_never_granted_or_was_given_up_is_over() -> None:
    lease = Lease(6.0)
    assert lease.usable_until == float("-inf")
    lease.renewed(100.0)
    lease.given_up()
    assert lease.usable_until == float("-inf")
    lease.renewed(90.0)
    assert lease.usable_until == pytest.approx(94.0)


def test_answers_out_of_order_do_not_shorten_it() -> None:
    lease = Lease(6.0)
    lease.renewed(100.0)
    lease.renewed(98.0)
    assert lease.usable_until == pytest.approx(104.0)


@pytest.mark.parametrize("draw", [0.0, 0.5, 0.999_999])
@pytest.mark.parametrize("seconds", [0.5, 5.0, 60.0])
def test_two_renewals_and_a_retry_fit_into_what_is_usable(seconds: float, draw: float) -> None:
    lease = Lease(seconds)
    assert 0 < lease.pause(draw) <= seconds / 3
    assert 0 < lease.retry_pause(draw) <= seconds / 12
    lease.renewed(0.0)
    assert 2 * lease.pause(draw) <= lease.usable_until


def test_renewals_of_many_nodes_are_spread() -> None:
    lease = Lease(5.0)
    assert lease.pause(0.0) < lease.pause(0.5) < lease.pause(0.9)
    assert lease.retry_pause(0.0) < lease.retry_pause(0.9)
