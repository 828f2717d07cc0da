"""Names, addresses and URLs, as they come from a configuration, a command line or another node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from journal.errors import InvalidName, InvalidUrl
from journal.names import unreserved_name
from journal.postgres.address import Address as JournalAddress
from journal.records import checked_key
from journal.sqlite.database import file_path
from journal.tagging import EventTag, stable_hash
from sharding.links import LinkSettings, UnsafeSetting
from sharding.links.settings import is_loopback
from sharding.store.errors import InvalidStoreUrl
from sharding.store.opening import file_path as cluster_file_path
from sharding.store.postgres.address import Address as StoreAddress

NAMES = (b"booking-7", b"booking", b"b_2-100", "Größe-1".encode(), b"key-\xf0\x9f\x8e\xab", b"a" * 40 + b"-99")
URLS = (
    b"sqlite:///relative/path.db",
    b"sqlite:////absolute/path%3F.db",
    b"postgresql://ann:hidden@db.example:5432/tickets?sslmode=require",
    b"postgres://ann@[::1]:5432,other:5433/tickets",
    b"postgresql:///tickets?host=/run/postgresql",
    b"memory:",
)
ADDRESSES = (b"127.0.0.1", b"::1", b"localhost", b"0.0.0.0", b"::ffff:127.0.0.1", b"fe80::1%eth0", b"db.example", b"")


def names(data: bytes) -> bool:
    """A tag, a journal's name, an entity's key; True if at least one of them."""
    text = _text(data)
    accepted = [_or(InvalidName, EventTag.parse, text), _or(InvalidName, unreserved_name, text)]
    tag, _ = accepted
    if tag is not None:
        assert EventTag.parse(str(tag)) == tag
    key = _or(InvalidName, checked_key, text)
    if key is not None:
        assert 0 <= stable_hash(key) < 1 << 64
    return any(one is not None for one in (*accepted, key))


def urls(data: bytes) -> bool:
    """A database's URL."""
    text = _text(data)
    accepted = [
        _or(InvalidUrl, file_path, text),
        _or(InvalidUrl, JournalAddress, text),
        _or(InvalidStoreUrl, cluster_file_path, text),
        _or(InvalidStoreUrl, StoreAddress, text),
    ]
    return any(one is not None for one in accepted)


def addresses(data: bytes) -> bool:
    """A host to listen at, and the name of a cluster."""
    text = _text(data)
    is_loopback(text)
    settings: Any = _or(UnsafeSetting, LinkSettings, text)
    if settings is None:
        return False
    return _or(UnsafeSetting, lambda host: settings.check_address(host) or True, text) is not None


def _or(refused: type[Exception], read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(text)
    except refused as error:
        _check_text(error)
        return None


def _check_text(error: Exception) -> None:
    assert not isinstance(error, InvalidUrl | InvalidStoreUrl) or "hidden" not in str(error), "it shows a password"


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
