"""Judging a whole bundle on held-out people: every part's numbers in one report.

Runs the exported graphs, never the torch modules. Called by ``emohead-train evaluate``.
Not here: the parts (``parts.py``), and how a report is shown (``report.py``, ``html.py``).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from emohead.backends import choose_backend
from emohead.bundle import Bundle
from emohead.doctor import examine_machine
from emohead.errors import InputError
from emohead.stages import FACE_LANDMARKS
from emohead_training.evaluation.critics import FaceIdentity, PerceptualDistance
from emohead_training.evaluation.expressions import ExpressionNetwork
from emohead_training.evaluation.frame_scores import Judges
from emohead_training.evaluation.frechet import FEATURE_FILE, FeatureNetwork
from emohead_training.evaluation.lip_distance import landmark_finder
from emohead_training.evaluation.parts import PARTS, Subject
from emohead_training.evaluation.pixels import OnCase
from emohead_training.evaluation.protocol import PROTOCOL
from emohead_training.stored import is_pack

__all__ = ["EvaluationConfig", "Report", "evaluate_bundle", "is_count"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """What is judged, on what, with what."""

    data: Path
    """Corpus root."""
    bundle: Path | None = None
    """Bundle folder or zip; None takes the package's own."""
    teachers: Path | None = None
    """Folder of judging networks; None takes ``data/teachers`` where it exists."""
    fid_network: Path | None = None
    """ONNX file whose features the Fréchet distance is of; None takes the teachers' one."""
    actors: Path | None = None
    """Corpus of digital actors."""
    parts: tuple[str, ...] = ()
    """Parts to measure; empty takes all that the corpus allows."""
    backend: str = "auto"
    """Name for ``choose_backend``."""
    threads: int = 0
    """Threads per session; 0 takes all cores."""

    def __post_init__(self) -> None:
        unknown = [p for p in self.parts if p not in PARTS]
        if unknown:
            raise InputError(f"expected a part among {', '.join(PARTS)}, got {unknown[0]!r}")


@dataclass(frozen=True, kw_only=True)
class Report:
    """Numbers of an evaluation and where they come from."""

    numbers: dict[str, Any]
    """Headline numbers by name, each with its interval as ``<name>_ci`` where it has one."""
    details: dict[str, dict[str, Any]]
    """Everything measured, by part."""
    context: dict[str, Any]
    """Machine, bundle, protocol, judges, sizes, time, and why parts were left out; no path."""

    def as_dict(self) -> dict[str, Any]:
        """Plain data: the headline numbers at the top, the rest below them."""
        return self.numbers | {"details": self.details} | self.context


def evaluate_bundle(
    config: EvaluationConfig,
    progress: Callable[[str], None] | None = None,
    on_case: Sequence[OnCase] = (),
) -> Report:
    """Judge a bundle.

    Parameters
    ----------
    config : EvaluationConfig
        What, on what, with what.
    progress : callable, optional
        Called with a line when a part begins and ends.
    on_case : sequence of callable
        Each is called with every case of the rendering and the frames made for it.

    Returns
    -------
    Report
        A part that the corpus does not allow is left out, with the reason, unless it was asked for.

    Raises
    ------
    BundleError
        When the bundle is unusable, or a part needs a stage that it lacks.
    InputError
        When the corpus or a judging network is missing, a part that was asked for cannot be
        measured, or none can.
    """
    say = progress or log.info
    subject = _subject(config, on_case)
    details: dict[str, dict[str, Any]] = {}
    seconds: dict[str, float] = {}
    skipped: dict[str, str] = {}
    for name in config.parts or PARTS:
        say(f"{name} ...")
        began = time.monotonic()
        try:
            details[name] = dict(PARTS[name](subject))
        except InputError as err:
            if config.parts:
                raise
            skipped[name] = str(err).replace(str(config.data), "DATA")
            say(f"{name}: left out: {err}")
            continue
        seconds[name] = round(time.monotonic() - began, 1)
        say(f"{name}: {len(_headlines(details[name]))} numbers ({seconds[name]:.0f} s)")
    if not details:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped.items())
        raise InputError(f"expected a corpus on which a part can be measured, got none: {reasons}")
    numbers = {k: v for part in details.values() for k, v in _headlines(part).items()}
    context = _context(subject, seconds) | {"skipped": skipped}
    return Report(numbers=numbers, details=details, context=context)


def _headlines(part: Mapping[str, Any]) -> dict[str, Any]:
    """Plain numbers and their intervals; not counts, lists and tables."""
    numbers = {
        key: float(value)
        for key, value in part.items()
        if isinstance(value, (int, float)) and not is_count(key)
    }
    intervals = {f"{key}_ci": part[f"{key}_ci"] for key in numbers if f"{key}_ci" in part}
    return numbers | intervals


def is_count(key: str) -> bool:
    """Tell whether a number says how much was measured, rather than how good it is."""
    return key.startswith(("num_", "emotion_clips_", "actors_num_")) or key in {
        "edge_round_trip_faces",
        "frames",
        "independent_judge_clips",
        "missed",
        "ms_per_frame",
        "people",
        "real_clips",
        "real_people",
        "self_labelled_clips",
        "style_people",
        "styled_people",
    }


def _subject(config: EvaluationConfig, on_case: Sequence[OnCase]) -> Subject:
    if not (config.data / "video.csv").is_file():
        raise InputError(
            f"expected the corpus at {config.data}, found no video.csv; give its folder as --data"
        )
    if is_pack(config.data):
        raise InputError(
            f"expected a corpus with sound, {config.data} is a data pack for training; evaluate on "
            "the corpus that it was made of"
        )
    bundle = Bundle.open(config.bundle, stages=())
    own = config.data / "teachers"
    teachers = config.teachers or (own if own.is_dir() else None)
    return Subject(
        bundle=bundle,
        backend=choose_backend(config.backend),
        data=config.data,
        actors=config.actors,
        teachers=teachers,
        judges=_judges(config, teachers, bundle),
        threads=config.threads,
        on_case=tuple(on_case),
    )


def _judges(config: EvaluationConfig, teachers: Path | None, bundle: Bundle) -> Judges:
    """Judging networks that there are; the landmarker is the bundle's own."""
    features = config.fid_network or (teachers / FEATURE_FILE if teachers is not None else None)
    landmarker = None
    if FACE_LANDMARKS.name in bundle.manifest.stages:
        backend = choose_backend(config.backend)
        landmarker = bundle.runner(FACE_LANDMARKS.name, backend, threads=config.threads)
    return Judges(
        perceptual=PerceptualDistance(teachers) if teachers is not None else None,
        identity=FaceIdentity(teachers) if teachers is not None else None,
        features=FeatureNetwork(features) if features is not None else None,
        landmarks=landmark_finder(landmarker) if landmarker is not None else None,
    )


def _context(subject: Subject, seconds: dict[str, float]) -> dict[str, Any]:
    machine = examine_machine()
    manifest = subject.bundle.manifest
    graphs = {stage: entry.sha256 for stage, entry in manifest.stages.items()}
    expression = [ExpressionNetwork.name] if "expression" in seconds else []
    return {
        "protocol": asdict(PROTOCOL),
        "machine": f"{machine.cpu}, {machine.cores} cores",
        "backend": f"{subject.backend.name}, onnxruntime {subject.backend.version}",
        "bundle": {
            "name": manifest.name,
            "created": manifest.created,
            "sha256": manifest.graphs_sha256,
            "graphs": graphs,
        },
        "critics": [*subject.judges.names, *expression],
        "split": "test people of the corpus",
        "seconds": seconds,
        "measured": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
    }
