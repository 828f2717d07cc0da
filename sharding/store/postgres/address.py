"""Where the server is, said without the password."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from sharding.store.errors import InvalidStoreUrl


class Address:
    """A database's URL, of which only what may be seen is shown.

    Args:
        url: `postgresql://user:password@host:port/database?…`, as asyncpg takes it.

    Raises:
        InvalidStoreUrl: it cannot be read. The message repeats nothing of it.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        try:
            parts = urlsplit(url)
            hosts = parts.netloc.rpartition("@")[2]
            for host in hosts.split(","):
                _check_port(host)
            self._query = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
            for port in self._query.get("port", "5432").split(","):
                _check_port(f":{port}")
            if "@" in parts.path + parts.query:  # what stands before it is the rest of a password
                raise ValueError
        except ValueError:
            parts = None
        if parts is None or not url.startswith(("postgresql://", "postgres://")) or parts.fragment:
            # A password with a bare '@', '/', '?' or '#' ends up in any part of it, so none may be quoted.
            raise InvalidStoreUrl(
                "PostgreSQL URL: use postgresql://user:password@host:port/database, "
                "with special characters in user and password percent-encoded"
            )
        self.where = f"PostgreSQL at {hosts or self._query.get('host', 'the default host')}{parts.path}"

    def secret_url(self) -> str:
        """The URL with the password. For the driver alone."""
        return self._url

    def names(self, parameter: str) -> bool:
        """True if the URL sets `parameter` behind its question mark."""
        return parameter in self._query

    def __repr__(self) -> str:
        return f"Address({self.where!r})"


def _check_port(host: str) -> None:
    port = host.rpartition("]")[2].rpartition(":")
    if port[1] and not (port[2].isascii() and port[2].isdigit() and len(port[2]) < 6 and int(port[2]) < 65_536):
        raise ValueError
