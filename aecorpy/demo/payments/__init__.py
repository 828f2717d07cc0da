"""Payments come from outside, as lines of a file, and are brought to their bookings by a process."""

from aecorpy.demo.payments.file import Line, Payment, PaymentsFile, lines_from
from aecorpy.demo.payments.process import PAYMENTS, SET_ASIDE, SetAsideLine, command_of, payments, read_up_to, set_aside

__all__ = [
    "PAYMENTS",
    "SET_ASIDE",
    "Line",
    "Payment",
    "PaymentsFile",
    "SetAsideLine",
    "command_of",
    "lines_from",
    "payments",
    "read_up_to",
    "set_aside",
]
