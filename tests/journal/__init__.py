"""Tests of journal/."""
