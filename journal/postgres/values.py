"""Which texts PostgreSQL can hold."""

from __future__ import annotations


def storable(text: str) -> bool:
    """False for what no text column can hold, and so no row can have: NUL, and halves of surrogate pairs."""
    if "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
