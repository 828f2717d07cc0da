"""The settings of a node's links, and which of them are refused because they would leave a node open."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass, field

from sharding.links.errors import UnsafeSetting

MOST_NAME_BYTES = 255
LEAST_SECRET_BYTES = 16


@dataclass(frozen=True)
class LinkSettings:
    """How a node talks to the others of its cluster. All nodes of a cluster need the same `cluster` and `secret`.

    Attributes:
        cluster: its name, at most 255 bytes of UTF-8.
        secret: what every node of the cluster knows and nobody else; at least 16 bytes, best 32 random ones. Never
            shown. Needed to listen on anything but loopback.
        server_tls, client_tls: contexts for accepting and for dialling; both or neither. TLS 1.2 or newer, certificates
            required and checked on both sides.
        max_frame: the largest frame sent or accepted, in bytes.
        handshake_frame: the same before the other side has proved that it knows the secret.
        handshake_seconds: how long a connection may take to prove that.
        connect_seconds: how long a connection may take to be made, TLS included.
        ping_seconds: how often a peer is asked whether it is there.
        silence_seconds: how long an unanswered ping, or silence of a dialler, is borne.
        max_queued_bytes: how much may wait for one peer.
        slow_reader_seconds: how long a peer may leave full what waits for it.
        max_connections: how many accepted connections there may be, proved or not; never more than half of the
            descriptors that the process may have (`ulimit -n`).
        first_pause, longest_pause: seconds between attempts to reach a peer, growing from one to the other.
        flush_seconds: how long `close` waits for what was sent to leave.

    Raises:
        UnsafeSetting: a setting would leave the node open, or contradicts another one.
    """

    cluster: str
    secret: bytes | None = field(default=None, repr=False)
    server_tls: ssl.SSLContext | None = field(default=None, repr=False)
    client_tls: ssl.SSLContext | None = field(default=None, repr=False)
    max_frame: int = 1 << 20
    handshake_frame: int = 4096
    handshake_seconds: float = 5.0
    connect_seconds: float = 2.0
    ping_seconds: float = 1.0
    silence_seconds: float = 4.0
    max_queued_bytes: int = 16 << 20
    slow_reader_seconds: float = 10.0
    max_connections: int = 1_000
    first_pause: float = 0.05
    longest_pause: float = 2.0
    flush_seconds: float = 1.0

    def __post_init__(self) -> None:
        if not _is_name(self.cluster):
            raise UnsafeSetting("cluster", f"a name of 1 to {MOST_NAME_BYTES} bytes of UTF-8 is needed")
        if self.secret is not None and not isinstance(self.secret, bytes):
            raise UnsafeSetting("secret", f"it must be bytes, not {type(self.secret).__name__}")
        if self.secret is not None and len(self.secret) < LEAST_SECRET_BYTES:
            raise UnsafeSetting("secret", f"it must have {LEAST_SECRET_BYTES} bytes or more, best 32 random ones")
        self._check_limits()
        if (self.server_tls is None) != (self.client_tls is None):
            missing = "server_tls" if self.server_tls is None else "client_tls"
            raise UnsafeSetting(missing, "TLS needs server_tls and client_tls, as every node accepts and dials")
        _check_tls("server_tls", self.server_tls)
        _check_tls("client_tls", self.client_tls)
        if self.client_tls is not None and not self.client_tls.check_hostname:
            raise UnsafeSetting("client_tls", "set check_hostname = True: else any certificate passes for any node")

    def _check_limits(self) -> None:
        if not 0 < self.max_frame < 1 << 32:
            raise UnsafeSetting("max_frame", "it must be between 1 and 2**32 - 1 bytes")
        if not 1024 <= self.handshake_frame <= 4096:
            raise UnsafeSetting("handshake_frame", "it must be between 1024 and 4096 bytes")
        if self.max_queued_bytes < self.max_frame + 4:
            raise UnsafeSetting("max_queued_bytes", "a largest frame, max_frame + 4 bytes, must fit")
        if self.max_connections < 1:
            raise UnsafeSetting("max_connections", "it must be 1 or more")
        if not 0 < self.first_pause <= self.longest_pause:
            raise UnsafeSetting("first_pause", "it must be above 0 and not above longest_pause")
        for name in ("handshake_seconds", "connect_seconds", "ping_seconds", "slow_reader_seconds", "flush_seconds"):
            if not getattr(self, name) > 0:
                raise UnsafeSetting(name, "it must be above 0")
        if self.silence_seconds < 2 * self.ping_seconds:
            raise UnsafeSetting("silence_seconds", "it must be at least 2 × ping_seconds, or one late ping ends a link")

    def check_address(self, host: str) -> None:
        """Whether a node with these settings may listen at `host`.

        Raises:
            UnsafeSetting: others could reach it there, and neither a secret nor certificates would keep them out.
        """
        if self.secret is None and self.server_tls is None and not is_loopback(host):
            raise UnsafeSetting(
                "secret",
                f"listening on {host!r}, which other machines may reach, needs a secret (or server_tls and client_tls "
                "with certificates for every node); without, listen on 127.0.0.1",
            )


def _is_name(name: str) -> bool:
    try:
        return isinstance(name, str) and 0 < len(name.encode()) <= MOST_NAME_BYTES
    except UnicodeEncodeError:
        return False


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`. Names other than `localhost` are taken for reachable."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_anywhere(host: str) -> bool:
    """Whether `host` stands for all addresses of a machine: one can listen there, but nobody can be reached there."""
    if host == "":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_unspecified


def check_advertised(host: str) -> None:
    """Whether other nodes can be told that this one is at `host`.

    Raises:
        UnsafeSetting: they would look for it on their own machines, and take it for dead.
    """
    if is_anywhere(host):
        raise UnsafeSetting(
            "advertise",
            f"other nodes would be told to reach this one at {host!r}, which is their own machine to them; give "
            "advertise=(HOST, PORT) with an address that they can reach, port 0 for the one that is listened at",
        )


def _check_tls(setting: str, context: ssl.SSLContext | None) -> None:
    if context is None:
        return
    if context.minimum_version not in {ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3}:
        raise UnsafeSetting(setting, "set minimum_version = ssl.TLSVersion.TLSv1_2 or newer")
    if context.verify_mode != ssl.CERT_REQUIRED:
        raise UnsafeSetting(
            setting, "set verify_mode = ssl.CERT_REQUIRED and load the CA that signs the nodes' certificates"
        )
