"""What can go wrong between a caller and the service.

ServiceError
├── RefusedError         the service says no: change what is asked for, or the key
├── BusyError            it has no room or patience now: try again in `retry_s`
├── RenderFailedError    it could not make the video, or stopped before
└── ConnectionLostError  it cannot be reached, or speaks of something else
"""

from __future__ import annotations

from emohead.errors import EmoheadError

__all__ = [
    "BusyError",
    "ConnectionLostError",
    "RefusedError",
    "RenderFailedError",
    "ServiceError",
]


class ServiceError(EmoheadError):
    """Root of what the client raises."""


class RefusedError(ServiceError):
    """The service refused a request.

    Parameters
    ----------
    message : str
    status : int
        HTTP status; 0 for a live stream.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class BusyError(ServiceError):
    """The service takes nothing more for now.

    Parameters
    ----------
    message : str
    retry_s : float
        When to try again, s.
    """

    def __init__(self, message: str, retry_s: float) -> None:
        super().__init__(message)
        self.retry_s = retry_s


class RenderFailedError(ServiceError):
    """A render ended without a video."""


class ConnectionLostError(ServiceError):
    """The service cannot be reached, or answers what it should not."""
