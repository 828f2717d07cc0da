"""What can go wrong with frames, as types."""

from __future__ import annotations


class WireError(Exception):
    """Root of the errors of frames and messages."""


class BadFrame(WireError):
    """Bytes that are no frame of ours. The text says what is wrong with them and holds none of them."""


class UnencodableMessage(WireError):
    """The message cannot be sent: not registered, a field of another type than declared, or too large."""


class UnfitMessageType(WireError, TypeError):
    """A class cannot be a message, or its number cannot be used. Raised when the registry is made."""
