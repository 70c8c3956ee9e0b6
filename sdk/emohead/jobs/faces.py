"""Prepared faces that several jobs show: the newest ones, as many as a bounded memory holds.

Called by ``rendering.py``. Not safe for two threads. Not here: finding a face (``inputs.py``).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from emohead.portrait import Portrait

__all__ = ["Faces"]

MOST_FACES: Final = 64
MOST_BYTES: Final = 256_000_000
"""Of all photos together: one of a telephone takes 36 MB once it is decoded."""


class Faces:
    """Remembers what was prepared, the face used last at least."""

    def __init__(self) -> None:
        self._faces: OrderedDict[Hashable, Portrait] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Portrait]) -> Portrait:
        """Give the face of a key, made now where it is not remembered."""
        face = self._faces.pop(key, None) or make()
        self._faces[key] = face
        while len(self._faces) > 1 and self._is_too_much():
            self._faces.popitem(last=False)
        return face

    def _is_too_much(self) -> bool:
        held = sum(face.photo.nbytes for face in self._faces.values())
        return len(self._faces) > MOST_FACES or held > MOST_BYTES
