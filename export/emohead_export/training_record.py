"""What a finished training run left beside its weights, for the manifest.

Who calls: ``packing.py``. Not here: writing the record (``emohead_training.loop``).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from emohead.errors import BundleError
from emohead.manifest import Training

__all__ = ["read_training"]


def read_training(folder: Path) -> Training | None:
    """Read how a stage was trained.

    Parameters
    ----------
    folder : pathlib.Path
        Results of one training stage.

    Returns
    -------
    Training or None
        None where the run left no ``run.json``.

    Raises
    ------
    BundleError
        When the files are there but not what ``emohead-train`` writes.
    """
    record, progress = folder / "run.json", folder / "progress.json"
    if not (record.is_file() and progress.is_file()):
        return None
    try:
        run: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
        done: dict[str, Any] = json.loads(progress.read_text(encoding="utf-8"))
        return Training(
            recipe=run["recipe"],
            steps=done["step"],
            hours=round(done["seconds"] / 3600, 2),
            device=run["device"],
            precision=run["run"]["precision"],
            seed=run["run"]["seed"],
            started_from=run["facts"].get("started_from") or run["run"].get("from_bundle") or "",
        )
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as err:
        raise BundleError(
            f"{record}: expected the record of a training run, got: {err}; "
            "train the stage again, or remove the file to export without a record"
        ) from err
