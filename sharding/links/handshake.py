"""Both sides of the handshake, as values without a connection. docs/links.md draws it.

    dialler                                            acceptor
       | hello: version, cluster, who I am, whom I want,   |
       |        nonce                                      |
       |-------------------------------------------------->|
       |            challenge: nonce, proof of the acceptor|   or refusal: reason, proof
       |<--------------------------------------------------|
       | proof of the dialler; frames follow               |   or refusal: reason, proof
       |-------------------------------------------------->|

A proof is HMAC-SHA256, under the cluster's secret, of a label for who proves what, the whole hello and both nonces. So
it is worth nothing on another connection (the nonces differ) and nothing in the other direction (the label differs).
A refusal's proof has the hello's nonce in it: that another process now lives at an address is believed only from one
that knows the secret.
"""

from __future__ import annotations

import enum
import hmac
from struct import Struct
from typing import NamedTuple

MAGIC = b"AECORPY\x00"
VERSION = 1
NONCE_BYTES = 32
_PROOF_BYTES = 32

_HEAD = Struct(">8sHQQ32sBBB")
_CHALLENGE, _PROOF, _REFUSAL = b"\x01", b"\x02", b"\x03"
_ACCEPTOR, _DIALLER, _NO = b"aecorpy link acceptor\x00", b"aecorpy link dialler\x00", b"aecorpy link refusal\x00"


class Refusal(enum.IntEnum):
    """Why a connection got no further than its handshake."""

    GARBAGE = 1
    OTHER_VERSION = 2
    OTHER_CLUSTER = 3
    OTHER_INCARNATION = 4
    WRONG_SECRET = 5
    NOT_INTRODUCED = 6
    GONE = 7
    TOO_SLOW = 8
    TOO_MANY = 9

    @property
    def text(self) -> str:
        """The reason in words."""
        return _TEXTS[self]


_TEXTS = {
    Refusal.GARBAGE: "it does not speak the protocol of links",
    Refusal.OTHER_VERSION: f"another protocol version than {VERSION}",
    Refusal.OTHER_CLUSTER: "another cluster's name: one store's nodes must all name the same",
    Refusal.OTHER_INCARNATION: "another incarnation than the wanted one is at this address",
    Refusal.WRONG_SECRET: "no proof of this cluster's secret: give all nodes the same one",
    Refusal.NOT_INTRODUCED: "the node is starting and has no incarnation yet",
    Refusal.GONE: "an incarnation that is no member any more",
    Refusal.TOO_SLOW: "no proof in time",
    Refusal.TOO_MANY: "too many connections",
}


class Refused(Exception):
    """The handshake failed.

    Attributes:
        reason: why.
        answer: the body to send before closing, or empty.
        proved: whether a peer that knows the secret said so, freshly.
    """

    def __init__(self, reason: Refusal, answer: bytes = b"", *, proved: bool = False) -> None:
        super().__init__(reason.text)
        self.reason, self.answer, self.proved = reason, answer, proved


class Identity(NamedTuple):
    """Who is at one end: a node's name and its incarnation."""

    node: str
    incarnation: int


class Keys:
    """What a cluster's nodes share: its name and its secret. Neither is shown."""

    def __init__(self, cluster: str, secret: bytes | None) -> None:
        self.cluster = cluster.encode()
        self._key = secret or b""

    def proof(self, label: bytes, *parts: bytes) -> bytes:
        """The proof that who said `label` and `parts` knows the secret. All parts but the last have fixed lengths."""
        return hmac.digest(self._key, label + b"".join(parts), "sha256")

    def refusal(self, reason: Refusal, hello: bytes) -> bytes:
        """The body of a refusal of `hello`."""
        said = bytes([reason])
        return _REFUSAL + said + self.proof(_NO, said, hello)


class DiallerHandshake:
    """The dialler's side.

    Args:
        keys: the cluster's.
        me: who dials.
        wanted: whom it wants.
        nonce: 32 fresh random bytes.
    """

    def __init__(self, keys: Keys, me: Identity, wanted: Identity, nonce: bytes) -> None:
        names = (keys.cluster, me.node.encode(), wanted.node.encode())
        head = _HEAD.pack(
            MAGIC, VERSION, me.incarnation, wanted.incarnation, _checked(nonce), *(len(name) for name in names)
        )
        self._keys = keys
        self.hello = head + b"".join(names)

    def prove(self, answer: bytes) -> bytes:
        """Check the acceptor's proof; the body with our own.

        Raises:
            Refused: it refused, or could not prove that it knows the secret.
        """
        if answer[:1] == _REFUSAL:
            raise _refusal_in(self._keys, answer, self.hello)
        if answer[:1] != _CHALLENGE or len(answer) != 1 + NONCE_BYTES + _PROOF_BYTES:
            raise Refused(Refusal.GARBAGE)
        nonce, proof = answer[1 : 1 + NONCE_BYTES], answer[1 + NONCE_BYTES :]
        if not hmac.compare_digest(proof, self._keys.proof(_ACCEPTOR, nonce, self.hello)):
            raise Refused(Refusal.WRONG_SECRET, self._keys.refusal(Refusal.WRONG_SECRET, self.hello))
        return _PROOF + self._keys.proof(_DIALLER, nonce, self.hello)


class AcceptorHandshake:
    """The acceptor's side.

    Args:
        keys: the cluster's.
        me: who accepts, or None while it has no incarnation yet.
        nonce: 32 fresh random bytes.
    """

    def __init__(self, keys: Keys, me: Identity | None, nonce: bytes) -> None:
        self._keys, self._me, self._nonce = keys, me, _checked(nonce)
        self._hello = b""

    def challenge(self, hello: bytes) -> tuple[Identity, bytes]:
        """Who says to be there, and the body to answer with.

        Raises:
            Refused: it does not fit; with an answer, if the dialler speaks our protocol.
        """
        dialler, wanted, cluster = self._parse(hello)
        if not hmac.compare_digest(cluster, self._keys.cluster):
            raise self._no(Refusal.OTHER_CLUSTER, hello)
        if self._me is None:
            raise self._no(Refusal.NOT_INTRODUCED, hello)
        if wanted.node == self._me.node and wanted.incarnation > self._me.incarnation:
            # We are joining anew: the store has answered, and that is on its way. Who wants us may know before we do.
            raise self._no(Refusal.NOT_INTRODUCED, hello)
        if wanted != self._me:
            raise self._no(Refusal.OTHER_INCARNATION, hello)
        self._hello = hello
        return dialler, _CHALLENGE + self._nonce + self._keys.proof(_ACCEPTOR, self._nonce, hello)

    def check(self, answer: bytes) -> None:
        """Check the dialler's proof.

        Raises:
            Refused: it is none, or the dialler does not accept ours.
        """
        if answer[:1] == _REFUSAL:
            raise Refused(_refusal_in(self._keys, answer, self._hello).reason)
        if len(answer) != 1 + _PROOF_BYTES or answer[:1] != _PROOF:
            raise Refused(Refusal.GARBAGE)
        if not hmac.compare_digest(answer[1:], self._keys.proof(_DIALLER, self._nonce, self._hello)):
            raise Refused(Refusal.WRONG_SECRET)

    def refuse(self, reason: Refusal, hello: bytes) -> Refused:
        """A refusal of a hello that was in order otherwise."""
        return self._no(reason, hello)

    def _parse(self, hello: bytes) -> tuple[Identity, Identity, bytes]:
        if len(hello) < 10 or hello[:8] != MAGIC:
            raise Refused(Refusal.GARBAGE)
        if int.from_bytes(hello[8:10], "big") != VERSION:
            raise self._no(Refusal.OTHER_VERSION, hello)
        if len(hello) < _HEAD.size:
            raise Refused(Refusal.GARBAGE)
        _, _, mine, wanted, _, *lengths = _HEAD.unpack_from(hello)
        if len(hello) != _HEAD.size + sum(lengths):
            raise Refused(Refusal.GARBAGE)
        first, second = _HEAD.size + lengths[0], _HEAD.size + lengths[0] + lengths[1]
        try:
            dialler, wanted_node = hello[first:second].decode(), hello[second:].decode()
        except UnicodeDecodeError:
            raise Refused(Refusal.GARBAGE) from None
        return Identity(dialler, mine), Identity(wanted_node, wanted), hello[_HEAD.size : first]

    def _no(self, reason: Refusal, hello: bytes) -> Refused:
        return Refused(reason, self._keys.refusal(reason, hello))


def _refusal_in(keys: Keys, answer: bytes, hello: bytes) -> Refused:
    try:
        reason = Refusal(answer[1])
    except (IndexError, ValueError):
        return Refused(Refusal.GARBAGE)
    return Refused(reason, proved=hmac.compare_digest(answer[2:], keys.proof(_NO, answer[1:2], hello)))


def _checked(nonce: bytes) -> bytes:
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce has {NONCE_BYTES} bytes, not {len(nonce)}")
    return nonce
