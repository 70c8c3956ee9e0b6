"""Looking a recipe up by name, and checking that the corpus is the one that it is for.

Who calls: the command line, ``trainers.py``, ``pipeline.py``, the ablation. Not here: the recipes.
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
        all on the test side, be it of voices or of faces.
    """
    name = PAPER_CORPORA.get(recipe)
    if name is None:
        return
    from emohead_training.corpora.people import PAPER_TEST_PEOPLE

    found = _people(root)
    others = sorted({corpus for corpus, _, _ in found} - {name})
    if others:
        raise InputError(
            f"{recipe} trains on {name} alone, {root} also holds {', '.join(others)}; prepare "
            f"{name} into a folder of its own (emohead-train prepare --corpus {name})"
        )
    people = {f"{name}-{p}" for p in PAPER_TEST_PEOPLE[name]}
    wrong = sorted({person for _, person, side in found if (person in people) != (side == "test")})
    if wrong:
        raise InputError(
            f"{recipe} tests on the people of the paper's Table 4, {root} has {', '.join(wrong)} "
            f"on the wrong side; prepare it with emohead-train prepare --corpus {name}"
        )


def _people(root: Path) -> set[tuple[str, str, str]]:
    """Corpus, person and side of all voices and, where there are films, of all faces."""
    from emohead_training.corpus import read_video_index, read_voice_index

    found = {(v.dataset, v.speaker, str(v.split)) for v in read_voice_index(root)}
    if (root / "video.csv").is_file():
        clips = read_video_index(root, may_be_empty=True)
        found |= {(c.source, c.identity, str(c.split)) for c in clips}
    return found
