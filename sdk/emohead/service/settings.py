"""What an operator chooses; checked before anything starts.

Called by ``emohead serve``, the tests and whoever embeds the service.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from emohead.errors import InputError

__all__ = ["LOOPBACK_NAMES", "ServiceSettings"]

LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1")
_MIN_KEY: Final = 16
"""Characters of a key that nobody guesses."""


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """Settings of one service.

    Raises
    ------
    InputError
        If one makes no sense, or the service would be open to others without a key.
    """

    data_dir: Path
    """Folder of renders and their records; made where it is missing."""
    host: str = "127.0.0.1"
    """Address to listen at."""
    port: int = 8000
    """TCP port; 0 for a free one."""
    api_key: str | None = field(default=None, repr=False)
    """What callers must present; None lets everybody in who reaches the loopback address."""
    max_upload_mb: int = 64
    """Largest request, MB."""
    rate: int = 600
    """Requests a minute from one address; 0 for no limit."""
    tracks: int = 2
    """Videos rendered at once."""
    queue: int = 64
    """Renders that may wait; more are refused for a while."""
    keep: int = 1000
    """Ended renders that stay; older ones are removed."""
    max_live: int = 4
    """Live streams at once; 0 for none."""
    live_minutes: float = 60.0
    """Longest live stream."""
    grace_s: float = 30.0
    """How long renders in hand may take to finish once the service stops, s."""
    allowed_hosts: tuple[str, ...] = ()
    """Names that callers may use for this service besides the loopback's, without a key."""

    def __post_init__(self) -> None:
        if self.api_key is not None:
            _check_key(self.api_key)
        elif not _is_loopback(self.host):
            raise InputError(
                f"{self.host} can be reached by others: give an API key (--api-key or "
                "EMOHEAD_API_KEY), or listen at 127.0.0.1"
            )
        bounds = {
            "port": (self.port, 0, 65_535),
            "upload limit, MB,": (self.max_upload_mb, 1, 4096),
            "rate": (self.rate, 0, 1_000_000),
            "number of tracks": (self.tracks, 1, 64),
            "queue": (self.queue, 1, 100_000),
            "number of renders to keep": (self.keep, 1, 1_000_000),
            "number of live streams": (self.max_live, 0, 256),
            "length of live streams, min,": (self.live_minutes, 0.01, 1440),
            "grace, s,": (self.grace_s, 0, 3600),
        }
        for what, (given, low, high) in bounds.items():
            if not low <= given <= high:
                raise InputError(f"expected a {what} from {low} to {high}, got {given}")

    @property
    def max_upload_bytes(self) -> int:
        """Largest request, bytes."""
        return self.max_upload_mb * 1_000_000


def _check_key(key: str) -> None:
    """Refuse keys that can be guessed, or that no header can hold; the message does not show it."""
    advice = "take a random one, for example from `openssl rand -hex 24`"
    if len(key) < _MIN_KEY:
        raise InputError(
            f"the API key has {len(key)} characters, expected at least {_MIN_KEY}: {advice}"
        )
    if not all("!" <= character <= "~" for character in key):
        raise InputError(f"expected an API key of printable ASCII without spaces: {advice}")


def _is_loopback(host: str) -> bool:
    if host in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
