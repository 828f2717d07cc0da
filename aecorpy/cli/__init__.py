"""The command `aecorpy`: run nodes of a cluster, and look at one."""

from aecorpy.cli.command_line import main

__all__ = ["main"]
