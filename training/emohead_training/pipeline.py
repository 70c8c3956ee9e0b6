"""All stages in order: those that are finished are skipped, the others trained or continued.

Who calls: ``emohead-train all`` and the GPU script. Not here: exporting, which is
``emohead-export``'s work.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from emohead.errors import EmoheadError, InputError
from emohead_training.finished import differences, forget, has_new_foundations, is_finished
from emohead_training.loop import RunConfig
from emohead_training.recipe_book import config_of
from emohead_training.trainers import TRAINERS, train_stage

__all__ = ["StageError", "train_all"]

log = logging.getLogger(__name__)


class StageError(EmoheadError):
    """A stage of a longer run that failed; what was finished before it is kept."""


def train_all(
    run: RunConfig,
    say: Callable[[str], None],
    *,
    stages: Iterable[str] = tuple(TRAINERS),
    train: Callable[[str, RunConfig], None] = train_stage,
) -> None:
    """Train stages one after the other.

    Parameters
    ----------
    run : RunConfig
        For every stage; its overrides of the budget are each stage's own.
    say : callable
        Told in a few words what happens to each stage.
    stages : iterable of str
        Which, in order; all by default.
    train : callable
        Trains one stage.

    Raises
    ------
    StageError
        When a stage fails; started again, the run continues there.
    InputError
        When a finished stage was made of something else than it would be now.
    """
    for stage in stages:
        config = config_of(run.recipe, stage)
        changed = differences(stage, run, config) if run.resume else []
        if changed:
            raise InputError(
                f"{stage} in {run.out} is finished, but not as it would be now: "
                f"{'; '.join(changed)}; give another --out, or delete {run.out / stage}"
            )
        if run.resume and has_new_foundations(stage, run):
            say(f"{stage}: what it builds upon was trained again, so is it")
            forget(stage, run)
        if run.resume and is_finished(stage, run, config):
            say(f"{stage}: finished before, skipped")
            continue
        say(f"{stage}: training")
        try:
            train(stage, run)
        except Exception as error:
            log.debug("%s failed", stage, exc_info=True)
            raise StageError(_sentence(stage, error)) from error


def _sentence(stage: str, error: Exception) -> str:
    what = str(error).strip() or type(error).__name__
    if not isinstance(error, EmoheadError):
        what = f"{type(error).__name__}: {what.splitlines()[0]}"
    return f"the stage {stage} failed: {what}; start the same command again to continue there"
