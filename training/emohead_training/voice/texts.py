"""Sentences for synthesised voices: random, grammatical, phonetically rich English.

Drawn from a small grammar with words chosen to cover every English phoneme in many contexts, mixed
with numbers and spelled letters. Not here: speaking them (``synthesis.py``).
"""

from __future__ import annotations

import random
import string
from typing import Final

__all__ = ["random_sentence"]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


_ADJECTIVES: Final = _words(
    "amber azure broken bumpy calm cheap clever cosy damp eager fuzzy gentle giant golden happy "
    "heavy humble jolly juicy lazy loyal lucky mighty muddy narrow noisy odd orange patient pink "
    "plump proud purple quiet rough rusty savage shallow shiny smooth southern spicy strange "
    "thick thin thirsty tiny unusual vague velvet wealthy whole wide worthy yellow young zealous"
)
_NOUNS: Final = _words(
    "acrobat airport apple baker bathtub bishop blanket bridge bubble butcher camel cathedral "
    "cheese choir cowboy doctor earth engine father feather fish forest garage goat hammer harbour "
    "honey judge jungle kitchen lamp leather lemon loaf machine measure mirror moth mountain mouth "
    "mushroom napkin nephew ocean oyster paper pepper picture pigeon pirate pond quilt rabbit "
    "river robot school shadow sheep ship singer snow spoon station storm table teacher thumb toy "
    "treasure umbrella uncle valley village violin voyage watch wave whale window wolf wool yacht "
    "zebra zoo"
)
_VERBS: Final = _words(
    "admires amuses believes borrows brings bumps buys catches chases chooses covers describes "
    "draws enjoys explores fears feeds fixes follows forgets gathers grabs hears helps hides "
    "ignores imagines joins judges keeps kicks knows launches leaves likes loves measures moves "
    "needs notices observes opens paints pulls pushes questions reaches remembers saves shakes "
    "shows smells teaches thanks throws touches trusts understands visits wants warms washes"
)
_ADVERBS: Final = _phrases(
    "above,always,bravely,each month,every Thursday,far away,gladly,hourly,joyfully,maybe,never,"
    "often,quickly,rather slowly,this evening,smoothly,softly,sometimes,soon,through the fog,today,"
    "together,tomorrow,usually,very well,with both thumbs,without pleasure"
)
_PLACES: Final = _phrases(
    "above the clouds,at the beach,before breakfast,behind our house,below the bridge,by the pool,"
    "for five pounds,from Vienna to Geneva,in a few hours,in the shade,near the church,on a boat,"
    "over there,under the ground,with much hope,within a mile"
)
_STARTS: Final = _phrases(
    "I think,maybe,of course,oh boy,perhaps,please wait,she thought that,they say,well,"
    "we both know,why not,you could say"
)
_DETERMINERS: Final = ("a", "the", "my", "your", "this", "every", "another", "one", "their", "our")
_LETTERS: Final = tuple(string.ascii_lowercase)
_NUMBERS: Final = _words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fifteen twenty "
    "thirty forty fifty hundred thousand million"
)


def _noun_phrase(rng: random.Random) -> str:
    words = [rng.choice(_DETERMINERS)]
    if rng.random() < 0.6:
        words.append(rng.choice(_ADJECTIVES))
    return " ".join([*words, rng.choice(_NOUNS)])


def _clause(rng: random.Random) -> str:
    parts = [_noun_phrase(rng), rng.choice(_VERBS), _noun_phrase(rng)]
    if rng.random() < 0.4:
        parts.append(rng.choice(_PLACES))
    elif rng.random() < 0.5:
        parts.append(rng.choice(_ADVERBS))
    return " ".join(parts)


def _list(rng: random.Random) -> str:
    pool = rng.choice((_NUMBERS, _LETTERS, _NOUNS, _ADJECTIVES + _VERBS))
    return ", ".join(" ".join(rng.choices(pool, k=rng.randint(2, 4))) for _ in range(3))


def random_sentence(rng: random.Random) -> str:
    """Compose one utterance of about two to six seconds.

    Parameters
    ----------
    rng : random.Random
        Source of chance; equal states give equal sentences.

    Returns
    -------
    str
        English text with punctuation.
    """
    kind = rng.random()
    if kind < 0.2:
        return _list(rng) + "."
    start = rng.choice(_STARTS) + ", " if kind > 0.75 else ""
    joint = rng.choice((" and ", ", but ", ", because ", "; "))
    tail = joint + _clause(rng) if rng.random() < 0.4 else ""
    return start + _clause(rng) + tail + rng.choice("..?!")
