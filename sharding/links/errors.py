"""What can be wrong with the settings of links, as a type."""

from __future__ import annotations

from sharding.links.contract import LinkError


class UnsafeSetting(LinkError, ValueError):
    """With this setting a node would be open to others, or without bounds. The text says what to do instead.

    Attributes:
        setting: its name in `LinkSettings`, or `host`.
    """

    def __init__(self, setting: str, text: str) -> None:
        super().__init__(f"{setting}: {text}")
        self.setting = setting
