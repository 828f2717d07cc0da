"""Whether what happened kept the promises, for simulations and real runs alike: `check(records)`."""

from tests.checker.checks import CHECKS, Check, check
from tests.checker.history import INVARIANTS, PROMISES, Violation

__all__ = ["CHECKS", "INVARIANTS", "PROMISES", "Check", "Violation", "check"]
