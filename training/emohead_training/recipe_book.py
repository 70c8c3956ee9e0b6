"""Looking a recipe up by name, and checking that the corpus is the one that it is for.

Who calls: the command line, ``trainers.py`` and every stage's ``train``. Not here: the recipes.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from emohead.errors import InputError

__all__ = ["PAPER_CORPORA", "RECIPES", "check_corpus", "config_of"]

PAPER_CORPORA: Final = MappingProxyType({"paper_ravdess": "ravdess", "paper_crema_d": "crema-d"})
"""The recipes with the paper's settings and the one corpus that each is for."""
RECIPES: Final = ("smoke", "default", *PAPER_CORPORA)
"""Names of all recipes: minutes on two cores, the shipped bundle, the paper's two."""


def config_of(recipe: str, stage: str) -> Any:
    """Make the configuration of a stage.

    Parameters
    ----------
    recipe : str
        One of ``RECIPES``, or a name for which ``recipes`` has a function ``<recipe>_<stage>``.
    stage : str
        Training stage.

    Returns
    -------
    dataclass
        The stage's own configuration class.

    Raises
    ------
    InputError
        When there is no such recipe.
    """
    from emohead_training import recipes

    if recipe in PAPER_CORPORA:
        from emohead_training.paper_recipes import PAPER_STAGES

        return PAPER_STAGES[stage]()
    make = getattr(recipes, f"{recipe}_{stage}", None)
    if make is None:
        raise InputError(
            f"expected a recipe among {', '.join(RECIPES)} for {stage}, got {recipe!r}"
        )
    return make()


def check_corpus(recipe: str, root: Path) -> None:
    """Refuse a corpus that is not what the recipe is for.

    Raises
    ------
    InputError
        When a paper recipe meets another data set, or the paper's test people (Table 4) are not
        all on the test side.
    """
    name = PAPER_CORPORA.get(recipe)
    if name is None:
        return
    from emohead_training.corpora.people import PAPER_TEST_PEOPLE
    from emohead_training.corpus import read_voice_index

    voices = read_voice_index(root)
    others = sorted({v.dataset for v in voices} - {name})
    if others:
        raise InputError(
            f"{recipe} trains on {name} alone, {root} also holds {', '.join(others)}; prepare "
            f"{name} into a folder of its own (emohead-train prepare --corpus {name})"
        )
    people = {f"{name}-{p}" for p in PAPER_TEST_PEOPLE[name]}
    wrong = sorted({v.speaker for v in voices if (v.speaker in people) != (v.split == "test")})
    if wrong:
        raise InputError(
            f"{recipe} tests on the people of the paper's Table 4, {root} has {', '.join(wrong)} "
            f"on the wrong side; prepare it with emohead-train prepare --corpus {name}"
        )
