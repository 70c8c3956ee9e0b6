"""The whole ablation: train each row, judge each row, skip what is done, gather the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from emohead.doctor import examine_machine
from emohead.errors import InputError
from emohead_training.ablation.judging import (
    judge,
    row_synthesis,
    standard_judges,
    warp_synthesis,
)
from emohead_training.ablation.table import WARP_ROW
from emohead_training.ablation.training_rows import (
    AblationConfig,
    row_folder,
    settings_of,
    train_row,
    trained,
)
from emohead_training.ablation.variants import VARIANTS, variants_named
from emohead_training.evaluation.frame_scores import Judges
from emohead_training.evaluation.pixels import Synthesis
from emohead_training.evaluation.protocol import PROTOCOL
from emohead_training.loop.checkpoints import RECORD_FILE
from emohead_training.loop.record import data_hash
from emohead_training.whole_files import read_json, write_json

__all__ = ["ablate"]

SCORES_FILE: Final = "scores.json"
Say = Callable[[str], None]


def ablate(
    config: AblationConfig,
    *,
    rows: Sequence[str] = (),
    teachers: Path | None = None,
    warm_frames: int = PROTOCOL.ablation_warm_frames,
    say: Say,
) -> dict[str, Any]:
    """Train and judge.

    Parameters
    ----------
    config : AblationConfig
    rows : sequence of str
        Names of the rows to work on; all for none.
    teachers : Path, optional
        Folder of judging networks; by default the corpus' own where it exists.
    warm_frames : int
        Frames fed before each measured one.
    say : callable
        Called with a line when a row begins or ends.

    Returns
    -------
    dict
        ``rows`` (numbers by row, those of earlier calls in the same folder too), ``training``,
        ``settings``, ``context``.

    Raises
    ------
    InputError
        Unknown rows, other settings than the folder was begun with, or no corpus.
    """
    chosen = variants_named(rows)
    if not (config.data / "video.csv").is_file():
        raise InputError(
            f"expected the corpus at {config.data}, found no video.csv; give its folder as --data"
        )
    for variant in chosen:
        say(f"{variant.title}: training")
        phases = train_row(config, variant)
        spent = ", ".join(f"{p} {d['steps']} steps" for p, d in phases.items())
        say(f"{variant.title}: trained, {spent}")
    judges = standard_judges(teachers or config.data / "teachers")
    for variant in chosen:
        path = row_folder(config, variant) / SCORES_FILE
        say(f"{variant.title}: judging")
        _judge_once(config, path, lambda v=variant: row_synthesis(config, v), judges, warm_frames)
    say("the photo warped: judging")
    path = config.out / WARP_ROW / SCORES_FILE
    _judge_once(config, path, warp_synthesis, judges, warm_frames)
    return _gathered(config, judges)


def _judge_once(
    config: AblationConfig,
    path: Path,
    synthesis: Callable[[], Synthesis],
    judges: Judges,
    warm_frames: int,
) -> None:
    """Judge unless the same judging is there already."""
    protocol = {
        "version": PROTOCOL.version,
        "data_sha256": data_hash(config.data),
        "warm_frames": warm_frames,
        "judges": judges.names,
    }
    judged = read_json(path)
    if judged is not None and judged["protocol"] == protocol:
        return
    numbers = judge(config.data, synthesis(), judges, warm_frames=warm_frames)
    write_json(path, {"protocol": protocol, "numbers": numbers})


def _gathered(config: AblationConfig, judges: Judges) -> dict[str, Any]:
    """Everything that lies in the folder, in the table's order."""
    scores, training = {}, {}
    for name in (*(v.name for v in VARIANTS), WARP_ROW):
        judged = read_json(config.out / name / SCORES_FILE)
        if judged is not None:
            scores[name] = judged
    for variant in VARIANTS:
        done = trained(config, variant)
        if done is not None:
            training[variant.name] = done
    machine = examine_machine()
    last = scores[WARP_ROW]
    return {
        "rows": {name: found["numbers"] for name, found in scores.items()},
        "training": training,
        "settings": settings_of(config),
        "context": {
            "measured": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
            "machine": f"{machine.cpu}, {machine.cores} cores",
            "device": _device_of(config),
            "judges": judges.names,
            "num_frames": last["numbers"]["num_frames"],
            "num_people": last["numbers"]["num_people"],
            "warm_frames": last["protocol"]["warm_frames"],
        },
    }


def _device_of(config: AblationConfig) -> str:
    """Devices that the rows' runs wrote down."""
    records = [read_json(p) for p in config.out.glob(f"*/renderer_*/{RECORD_FILE}")]
    found = {record["device"] for record in records if record is not None}
    return " and ".join(sorted(found)) or "an unknown device"
