"""Things that are closed when a ``with`` block ends.

Who calls: streams, executors, spools, logs, clients. Not here: what closing does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import TypeVar

__all__ = ["Closing"]

T = TypeVar("T", bound="Closing")


class Closing(ABC):
    """Context manager that closes itself, whatever ends the block."""

    @abstractmethod
    def close(self) -> None:
        """Give back what is held; a second time does nothing."""

    def __enter__(self: T) -> T:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
