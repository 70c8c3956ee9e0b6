"""One piece of a longer training, for GPU machines with torch, lightning, numpy and OpenCV alone.

``python -m emohead_training.piece --pack PACK --out RUNS --minutes 9`` trains a recipe's stages in
order, leaves off in time, and goes on when called again. ``script/gpu/train_default.sh`` calls it.
Not here: the stages (``trainers.py``), making packs (``packing/``).
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import sys
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from emohead.errors import EmoheadError, InputError
from emohead_training.finished import is_finished
from emohead_training.loop import Progress, RunConfig
from emohead_training.loop.checkpoints import PROGRESS_FILE
from emohead_training.loop.config import PRECISIONS
from emohead_training.loop.record import file_hash
from emohead_training.pipeline import train_all
from emohead_training.recipe_book import RECIPES, config_of
from emohead_training.stored import is_pack
from emohead_training.trainers import TRAINERS, trainer_of
from emohead_training.whole_files import read_json, write_json

__all__ = ["bring", "main", "train_piece", "unpacked"]

log = logging.getLogger(__name__)

STATE_FILE: Final = "piece.json"
"""In the folder of all stages: what is finished and which stage is next."""
MAX_BROUGHT_BYTES: Final = 16 << 20
_CORPUS_FOLDER: Final = "corpus"
_HASH_FILE: Final = "pack.sha256"
_REPORT_SECONDS: Final = 20.0


def unpacked(pack: Path, out: Path) -> Path:
    """Corpus folder of a data pack, unpacking an archive once.

    Parameters
    ----------
    pack : Path
        Archive of ``emohead-train pack``, or a folder.
    out : Path
        Folder of all stages; the corpus goes below it.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        Neither an archive nor a corpus.
    """
    if pack.is_dir():
        return pack
    if not pack.is_file() or not tarfile.is_tarfile(pack):
        raise InputError(
            f"expected a data pack at {pack}, found none; make one with emohead-train pack"
        )
    root, digest = out / _CORPUS_FOLDER, file_hash(pack)
    note = root / _HASH_FILE
    if note.is_file() and note.read_text() == digest:
        return root
    shutil.rmtree(root, ignore_errors=True)
    with tarfile.open(pack) as archive:
        archive.extractall(root, filter="data")
    if not is_pack(root):
        raise InputError(f"expected a data pack in {pack}; make one with emohead-train pack")
    note.write_text(digest)
    return root


def train_piece(run: RunConfig, stages: Sequence[str] = tuple(TRAINERS)) -> dict[str, Any]:
    """Train stages in order until they are finished or the run's time is over.

    Parameters
    ----------
    run : RunConfig
        With ``stop_at_s``.
    stages : sequence of str
        Which, in order.

    Returns
    -------
    dict
        ``finished`` stages, the ``next`` one or None, and ``steps`` by stage.
    """
    finished: list[str] = []
    following: str | None = None
    for stage in stages:
        if run.must_stop() and not is_finished(stage, run, config_of(run.recipe, stage)):
            following = stage
            break
        train_all(run, log.info, stages=(stage,))
        if not is_finished(stage, run, config_of(run.recipe, stage)):
            following = stage
            break
        finished.append(stage)
    steps = {s: p["step"] for s in stages if (p := read_json(run.out / s / PROGRESS_FILE))}
    state = {"finished": finished, "next": following, "steps": steps}
    write_json(run.out / STATE_FILE, state)
    return state


def bring(out: Path, to: Path, unfinished: str | None) -> list[Path]:
    """Copy what export and another machine need: weights, notes, the unfinished checkpoint.

    Parameters
    ----------
    out : Path
        Folder of all stages.
    to : Path
        Folder to copy into; laid over an `out` elsewhere, training goes on there.
    unfinished : str, optional
        Stage whose checkpoint comes along, in files below 16 MiB.

    Returns
    -------
    list of Path
        The copies.
    """
    wanted = [out / STATE_FILE, out / "training.log"]
    for stage in TRAINERS:
        wanted += [*(out / stage).glob("[!.]*.json"), *(out / stage).glob("weights.safetensors")]
    if unfinished is not None:
        wanted += (out / unfinished).glob("checkpoint-*/*")
    copies = []
    for path in sorted(p for p in wanted if p.is_file()):
        if path.stat().st_size > MAX_BROUGHT_BYTES:
            log.warning("%s is larger than 16 MiB: it stays", path)
            continue
        copy = to / path.relative_to(out)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copies.append(Path(shutil.copyfile(path, copy)))
    return copies


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; exit status 1 for one clear sentence."""
    options = _parser().parse_args(arguments)
    began = time.monotonic()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    try:
        for stage in options.stages:
            trainer_of(stage)
        run = RunConfig(
            data=unpacked(options.pack, options.out),
            out=options.out,
            recipe=options.recipe,
            device=options.device,
            precision=options.precision,
            seed=options.seed,
            steps=options.steps,
            stop_at_s=began + 60 * options.minutes,
            progress=_Teller(),
        )
        state = train_piece(run, options.stages or tuple(TRAINERS))
        if options.bring is not None:
            bring(options.out, options.bring, state["next"])
    except EmoheadError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(json.dumps(state) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m emohead_training.piece",
        description="Train a recipe's stages in order for some minutes; call again to go on.",
    )
    parser.add_argument("stages", nargs="*", help=f"which; all by default: {', '.join(TRAINERS)}")
    parser.add_argument("--pack", type=Path, required=True, help="of emohead-train pack, or folder")
    parser.add_argument("--out", type=Path, required=True, help="folder of all stages' results")
    parser.add_argument("--minutes", type=float, default=9.0, help="leave off after so many")
    parser.add_argument("--bring", type=Path, help="copy weights and the open checkpoint here")
    parser.add_argument("--recipe", choices=RECIPES, default="default")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--precision", choices=PRECISIONS, default="32-true")
    parser.add_argument("--steps", type=int, help="of each stage, instead of the recipe's")
    parser.add_argument("--seed", type=int, default=0)
    return parser


class _Teller:
    """Logs how far a stage is, now and then."""

    def __init__(self) -> None:
        self._told = 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._told > _REPORT_SECONDS:
            self._told = now
            figures = {k: round(v, 4) for k, v in list(progress.figures.items())[:5]}
            log.info("%s %d/%d %s", progress.stage, progress.step, progress.budget.steps, figures)


if __name__ == "__main__":
    sys.exit(main())
