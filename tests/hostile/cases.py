"""What a hostile file is: a name, the boundary that it is brought to, how to write it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

Make = Callable[[Path], Path]
"""Writes into an empty folder; returns the path that is handed to the boundary."""


@dataclass(frozen=True)
class Case:
    """One bad file."""

    name: str
    boundary: str
    """Key of ``boundaries.BOUNDARIES``."""
    make: Make
    may_pass: bool = False
    """Whether a reader may find something usable in it, as in a picture with one wrong pixel."""


def file(name: str, content: bytes | str) -> Make:
    """Make a file of this content."""

    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return make


def damaged(
    boundary: str, name: str, good: Callable[[], bytes], *, plays_from: int = 50
) -> Iterator[Case]:
    """Yield a good file cut off, emptied, zeroed, shuffled and with bits flipped.

    From a share of `plays_from` per cent on, a file that is cut may still be good for something.
    """
    suffix = "." + name.rpartition(".")[2]
    whole = good()
    rng = Random(name)
    for share in (0, 2, 10, 50, 90):
        cut = whole[: len(whole) * share // 100]
        yield Case(
            f"{name} cut to {share} %", boundary, file("a" + suffix, cut), share >= plays_from
        )
    yield Case(f"{name} zeroed", boundary, file("a" + suffix, bytes(len(whole))))
    words = (b"these are words\n" * 999)[: len(whole)]
    yield Case(f"{name} as words", boundary, file("a" + suffix, words))
    noise = whole[:4] + rng.randbytes(len(whole))
    yield Case(f"{name} noise after its magic", boundary, file("a" + suffix, noise), True)
    for number in range(4):
        flipped = bytearray(whole)
        for _ in range(1 + 8 * number):
            # Mostly where the structure is: the beginning and the end.
            span = min(len(flipped), 256)
            at = rng.choice([rng.randrange(span), len(flipped) - 1 - rng.randrange(span)])
            flipped[at] ^= 1 << rng.randrange(8)
        yield Case(
            f"{name} with flipped bits {number}", boundary, file("a" + suffix, bytes(flipped)), True
        )
