"""How an actor looks: tones of skin, lips, hair, eyes, and what sort of hair and clothes.

Numbers only, drawn once per person. Not here: painting them (``painting.py``, ``hair.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from emohead_training.actors.people import Person

__all__ = ["Hair", "Look", "draw_look", "linear"]

Colour = NDArray[np.float32]
"""(3,) linear RGB, [0, 1]."""

_SKIN: Final = (
    (242, 208, 189),
    (231, 188, 162),
    (215, 167, 136),
    (191, 141, 108),
    (157, 108, 78),
    (118, 78, 56),
    (84, 56, 42),
)
"""Tones from pale to dark, sRGB."""
_TONE: Final = {"african": (0.78, 0.12), "asian": (0.32, 0.13), "caucasian": (0.14, 0.12)}
"""Place among the tones, mean and spread."""
_HAIR: Final = (
    (24, 19, 17),
    (44, 31, 24),
    (78, 52, 36),
    (122, 84, 54),
    (176, 136, 88),
    (112, 52, 30),
)
_GREY: Final = (150, 148, 146)
_IRIS: Final = (
    (62, 38, 22),
    (88, 56, 30),
    (104, 88, 50),
    (84, 104, 84),
    (92, 118, 142),
    (110, 122, 132),
)


class Hair(Enum):
    """Sort of hair."""

    BALD = "bald"
    BUZZ = "buzz"
    SHORT = "short"
    FULL = "full"
    LONG = "long"
    TIED = "tied"


_HAIR_OF_WOMEN: Final = {
    Hair.BUZZ: 0.03,
    Hair.SHORT: 0.1,
    Hair.FULL: 0.17,
    Hair.LONG: 0.52,
    Hair.TIED: 0.18,
}
_HAIR_OF_MEN: Final = {
    Hair.BALD: 0.1,
    Hair.BUZZ: 0.2,
    Hair.SHORT: 0.45,
    Hair.FULL: 0.19,
    Hair.LONG: 0.06,
}


@dataclass(frozen=True, kw_only=True)
class Look:
    """An actor's colours and hair."""

    skin: Colour
    """Of the cheeks' base."""
    darkness: float
    """0 is the palest skin, 1 the darkest."""
    redness: float
    """Of cheeks, nose and ears, [0, 1]."""
    unevenness: float
    """Blotches and pores, [0, 1]."""
    freckles: int
    """Number of freckles."""
    age: float
    """0 is twenty, 1 is seventy."""
    beard: float
    """0 is shaved smooth, 0.4 a shadow, 1 a full beard."""
    lips: Colour
    """Of the lips."""
    lip_gloss: float
    """[0, 1]."""
    hair: Hair
    """Sort of hair."""
    hair_colour: Colour
    """Of scalp hair and, darker, brows."""
    hair_mm: float
    """Thickness of the hair."""
    brow_mm: float
    """Height of the brows."""
    iris: Colour
    """Of the iris."""
    pupil: float
    """Radius relative to the iris, [0.3, 0.6]."""
    teeth: Colour
    """Of the teeth."""
    cloth: Colour
    """Of the clothes."""
    neckline_mm: float
    """Height of the collar on the average body, y down."""
    seed: int
    """Of pores, freckles and strands."""


def linear(srgb: tuple[float, ...] | NDArray[np.floating]) -> Colour:
    """Turn sRGB of 0 to 255 into linear light of 0 to 1."""
    share = np.clip(np.asarray(srgb, np.float32) / 255, 0, 1)
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4).astype(
        np.float32
    )


def _between(palette: tuple[tuple[int, int, int], ...], place: float) -> NDArray[np.float32]:
    table = np.asarray(palette, np.float32)
    at = np.clip(place, 0, 1) * (len(table) - 1)
    return np.stack([np.interp(at, np.arange(len(table)), c) for c in table.T]).astype(np.float32)


def draw_look(person: Person, rng: Generator) -> Look:
    """Draw colours and hair that go with a person's shape.

    Parameters
    ----------
    person : Person
    rng : numpy.random.Generator

    Returns
    -------
    Look
    """
    darkness = sum(person.phenotypes[n] * rng.normal(*t) for n, t in _TONE.items())
    darkness = float(np.clip(darkness, 0, 1))
    skin = _between(_SKIN, darkness) + rng.normal(0, 4, 3) + rng.normal(0, 5)
    age = float(np.clip((person.phenotypes["age"] - 0.58) / 0.36, 0, 1))
    female = person.is_female
    kinds = _HAIR_OF_WOMEN if female else _HAIR_OF_MEN
    hair = list(kinds)[int(rng.choice(len(kinds), p=np.array(list(kinds.values()))))]
    return Look(
        skin=linear(skin),
        darkness=darkness,
        redness=float(rng.uniform(0.2, 1.0) * (1 - 0.6 * darkness)),
        unevenness=float(rng.uniform(0.3, 1.0)),
        freckles=int(rng.integers(40, 220)) if rng.random() < 0.3 * (1 - darkness) else 0,
        age=age,
        beard=0.0 if female else float(rng.choice((0.05, 0.3, 0.5, 1.0), p=(0.35, 0.3, 0.15, 0.2))),
        lips=linear(_lip_tone(skin, female, rng)),
        lip_gloss=float(rng.uniform(0.3, 1.0) if female else rng.uniform(0.15, 0.5)),
        hair=hair,
        hair_colour=linear(_hair_tone(person, age, rng)),
        hair_mm=float(rng.uniform(7, 12) if hair is Hair.SHORT else rng.uniform(13, 24)),
        brow_mm=float(rng.uniform(4.5, 7.0) if female else rng.uniform(6.5, 9.5)),
        iris=linear(_iris_tone(person, rng)),
        pupil=float(rng.uniform(0.34, 0.5)),
        teeth=linear(np.array((236, 228, 208)) + rng.normal(0, 6) - (0, 4 * age, 22 * age)),
        cloth=linear(_cloth_tone(rng)),
        neckline_mm=float(rng.uniform(-640, -575)),
        seed=int(rng.integers(1 << 31)),
    )


def _cloth_tone(rng: Generator) -> NDArray[np.floating]:
    colour = rng.uniform(20, 230, 3)
    return colour.mean() + (colour - colour.mean()) * rng.uniform(0.0, 0.6)


def _lip_tone(skin: NDArray[np.floating], female: bool, rng: Generator) -> NDArray[np.floating]:
    natural = skin * (0.82, 0.66, 0.66) + (4, 0, 4)
    if female and rng.random() < 0.45:
        paint = np.array(
            ((168, 44, 58), (186, 84, 92), (148, 58, 84), (196, 108, 98))[rng.integers(4)]
        )
        return natural + (paint - natural) * rng.uniform(0.4, 0.9)
    return natural + rng.normal(0, 5, 3)


def _hair_tone(person: Person, age: float, rng: Generator) -> NDArray[np.floating]:
    fair = person.phenotypes["caucasian"]
    place = rng.uniform(0, 1) if rng.random() < fair else rng.uniform(0, 0.25)
    tone = _between(_HAIR, place)
    grey = float(np.clip(rng.normal(age - 0.35, 0.25), 0, 0.9)) if age > 0.3 else 0.0
    return tone + (np.array(_GREY) - tone) * grey


def _iris_tone(person: Person, rng: Generator) -> NDArray[np.floating]:
    fair = person.phenotypes["caucasian"]
    place = rng.uniform(0.2, 1) if rng.random() < fair * 0.8 else rng.uniform(0, 0.2)
    return _between(_IRIS, place) + rng.normal(0, 5, 3)
