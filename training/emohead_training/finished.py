"""Which stages are finished, and whether what they were made of is what would be used now.

``finished.json`` beside a stage's weights holds its budget, recipe, data and the weights that it
built upon. Who calls: ``trainers.py`` writes it, ``pipeline.py`` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from emohead_training.loop import RunConfig, weights_path
from emohead_training.loop.checkpoints import PROGRESS_FILE, drop_all
from emohead_training.loop.record import config_json, data_hash, file_hash
from emohead_training.trainers import trainer_of
from emohead_training.whole_files import read_json, write_json

__all__ = ["differences", "forget", "has_new_foundations", "is_finished", "note_finished"]

_FILE: Final = "finished.json"


def note_finished(stage: str, run: RunConfig, config: Any) -> None:
    """Write down that a stage has used up its budget, and what it was made of."""
    folder = run.out / stage
    progress = read_json(folder / PROGRESS_FILE)
    if progress is not None:
        spent = {"steps": progress["step"], "seconds": progress["seconds"]}
        note = {
            "spent": spent,
            "made_of": _ingredients(stage, run, config),
            "made_upon": _foundations(stage, run),
        }
        write_json(folder / _FILE, note)


def is_finished(stage: str, run: RunConfig, config: Any) -> bool:
    """Whether the stage has weights and has used up the budget of `run`."""
    note = read_json(run.out / stage / _FILE)
    if note is None or not weights_path(run.out, stage).is_file():
        return False
    budget = run.budget(config.budget)
    return bool(budget.is_spent(note["spent"]["steps"], note["spent"]["seconds"]))


def differences(stage: str, run: RunConfig, config: Any) -> list[str]:
    """Say what a finished stage was made of that would be another now; nothing for others.

    Parameters
    ----------
    stage : str
    run : RunConfig
    config : dataclass
        The recipe's.

    Returns
    -------
    list of str
        One phrase for each difference, for a message.
    """
    note = read_json(run.out / stage / _FILE)
    if note is None:
        return []
    before, now = note["made_of"], json.loads(json.dumps(_ingredients(stage, run, config)))
    found = [
        f"{key} was {_short(before.get(key))}, is {_short(now.get(key))}"
        for key in now
        if key != "config" and before.get(key) != now[key]
    ]
    return found + _changed(before.get("config") or {}, now["config"])


def has_new_foundations(stage: str, run: RunConfig) -> bool:
    """Whether a finished stage was built upon weights that have been trained again since."""
    note = read_json(run.out / stage / _FILE)
    return note is not None and note["made_upon"] != _foundations(stage, run)


def forget(stage: str, run: RunConfig) -> None:
    """Drop a stage's checkpoints and its note, so that it is trained from the beginning."""
    folder = run.out / stage
    drop_all(folder)
    (folder / _FILE).unlink(missing_ok=True)


def _ingredients(stage: str, run: RunConfig, config: Any) -> dict[str, Any]:
    settings = config_json(config)
    settings.pop("budget", None)
    made_of = {"config": settings, "seed": run.seed, "data": data_hash(run.data)}
    if trainer_of(stage).takes_critics:
        given = {"perceptual": run.perceptual, "identity_net": run.identity_net}
        made_of |= {k: None if path is None else file_hash(path) for k, path in given.items()}
    return made_of


def _foundations(stage: str, run: RunConfig) -> dict[str, str | None]:
    """Hashes of the weights that the stage builds upon."""
    paths = {name: weights_path(run.out, name) for name in trainer_of(stage).needs}
    return {name: file_hash(p) if p.is_file() else None for name, p in paths.items()}


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    keys = [k for k in {**before, **now} if before.get(k) != now.get(k)]
    return [f"{k} was {_short(before.get(k))}, is {_short(now.get(k))}" for k in keys]


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 24 else f"{text[:12]}…"
