"""What ends a simulation, and what callers of a node that crashes get."""

from __future__ import annotations


class SimulationError(Exception):
    """Root of the errors of a simulation. Each names the seed, with which the run can be repeated."""


class Deadlock(SimulationError):
    """Nothing is ready, no timer is set, and yet something is waited for. The message says who waits where."""


class LimitReached(SimulationError):
    """The simulation went on for more steps, or more virtual seconds, than it may."""


class NodeCrashed(SimulationError):
    """What was called on a node was lost with it: whether it happened is not known."""
