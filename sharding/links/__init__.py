"""Connections between nodes: one per pair and direction, msgpack frames of registered types, a secret proved first."""

from sharding.links.contract import Link, LinkDown, LinkError, LinkFull, LinkListener, MessageTooLarge, Peer
from sharding.links.errors import UnsafeSetting
from sharding.links.links import Links
from sharding.links.network import Listening, LoopNetwork, Network
from sharding.links.settings import LinkSettings
from sharding.links.traffic import LinksStatus, LinkStatus, Traffic

__all__ = [
    "Link",
    "LinkDown",
    "LinkError",
    "LinkFull",
    "LinkListener",
    "LinkSettings",
    "LinkStatus",
    "Links",
    "LinksStatus",
    "Listening",
    "LoopNetwork",
    "MessageTooLarge",
    "Network",
    "Peer",
    "Traffic",
    "UnsafeSetting",
]
