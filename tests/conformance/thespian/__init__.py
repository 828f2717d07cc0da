"""Thespian's own test suite, on our system base."""
