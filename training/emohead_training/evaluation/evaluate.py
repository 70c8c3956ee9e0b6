"""Judging a whole bundle on held-out people: every part's numbers in one report.

Runs the exported graphs, never the torch modules. Each part's measure belongs to the part's owner.
Called by ``emohead-train evaluate``. Not here: how a report is shown (``report.py``).
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from emohead.backends import Backend, choose_backend
from emohead.bundle import Bundle
from emohead.doctor import examine_machine
from emohead.errors import InputError
from emohead.lips import LipRunners
from emohead.runner import Runner
from emohead.stages import (
    CONTENT_ENCODER,
    EMOTION_ENCODER,
    EMOTION_LANDMARKS,
    FACE_DETECTOR,
    FACE_LANDMARKS,
    NEUTRAL_LANDMARKS,
    PORTRAIT_ENCODER,
    RENDERER,
    SPEAKER_ENCODER,
)

__all__ = ["PARTS", "EvaluationConfig", "Report", "evaluate_bundle"]

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
    parts: tuple[str, ...] = ()
    """Parts to measure; empty takes all."""
    sheets: Path | None = None
    """Folder for contact sheets."""
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

    numbers: dict[str, float]
    """Headline numbers by name."""
    details: dict[str, dict[str, Any]]
    """Everything measured, by part."""
    context: dict[str, Any]
    """Machine, bundle, judges, sizes, time."""

    def as_dict(self) -> dict[str, Any]:
        """Plain data: the headline numbers at the top, the rest below them."""
        return self.numbers | {"details": self.details} | self.context


@dataclass(frozen=True)
class _Subject:
    """A bundle being judged; opens each stage once."""

    config: EvaluationConfig
    bundle: Bundle
    backend: Backend
    judges: Any
    opened: dict[str, Runner] = field(default_factory=dict)

    def runner(self, stage: str) -> Runner:
        if stage not in self.opened:
            made = self.bundle.runner(stage, self.backend, threads=self.config.threads)
            self.opened[stage] = made
        return self.opened[stage]

    def runners(self, *stages: str) -> dict[str, Runner]:
        return {stage: self.runner(stage) for stage in stages}


def evaluate_bundle(
    config: EvaluationConfig, progress: Callable[[str], None] | None = None
) -> Report:
    """Judge a bundle.

    Parameters
    ----------
    config : EvaluationConfig
        What, on what, with what.
    progress : callable, optional
        Called with a line when a part begins and ends.

    Returns
    -------
    Report

    Raises
    ------
    BundleError
        When the bundle is unusable, or a part needs a stage that it lacks.
    InputError
        When the corpus or a judging network is missing.
    """
    say = progress or log.info
    subject = _subject(config)
    numbers: dict[str, float] = {}
    details: dict[str, dict[str, Any]] = {}
    seconds: dict[str, float] = {}
    for name in config.parts or PARTS:
        say(f"{name} ...")
        began = time.monotonic()
        found = PARTS[name](subject)
        seconds[name] = round(time.monotonic() - began, 1)
        details[name] = dict(found)
        headline = {k: float(found[k]) for k in _HEADLINES[name] if k in found}
        numbers |= headline
        shown = ", ".join(f"{k} {v:.4g}" for k, v in headline.items())
        say(f"{name}: {shown} ({seconds[name]:.0f} s)")
    return Report(numbers=numbers, details=details, context=_context(subject, seconds))


def _subject(config: EvaluationConfig) -> _Subject:
    from emohead_training.evaluation.critics import FaceIdentity, PerceptualDistance
    from emohead_training.evaluation.frame_scores import Judges

    if not (config.data / "video.csv").is_file():
        raise InputError(
            f"expected the corpus at {config.data}, found no video.csv; give its folder as --data"
        )
    bundle = Bundle.open(config.bundle, stages=())
    judges = Judges()
    teachers = config.teachers or config.data / "teachers"
    if config.teachers is not None or teachers.is_dir():
        judges = Judges(perceptual=PerceptualDistance(teachers), identity=FaceIdentity(teachers))
    return _Subject(config, bundle, choose_backend(config.backend), judges)


def _rendering(subject: _Subject) -> Mapping[str, Any]:
    from emohead_training.evaluation.rendering import bundle_synthesis, rendering_quality
    from emohead_training.evaluation.sheets import SheetWriter

    sheets = subject.config.sheets
    encoder, renderer = (subject.runner(s.name) for s in (PORTRAIT_ENCODER, RENDERER))
    return rendering_quality(
        subject.config.data,
        bundle_synthesis(encoder, renderer),
        subject.judges,
        on_case=SheetWriter(sheets) if sheets is not None else None,
    )


def _content(subject: _Subject) -> Mapping[str, Any]:
    from emohead_training.voice.content_codes import GraphCodeWriter
    from emohead_training.voice.probes import content_probes

    runners = subject.runner(SPEAKER_ENCODER.name), subject.runner(CONTENT_ENCODER.name)
    return content_probes(subject.config.data, GraphCodeWriter(*runners))


def _lips(subject: _Subject) -> Mapping[str, Any]:
    from emohead_training.voice.measure import mouth_landmark_ratio

    runners = LipRunners(
        **subject.runners(SPEAKER_ENCODER.name, CONTENT_ENCODER.name, NEUTRAL_LANDMARKS.name)
    )
    return mouth_landmark_ratio(subject.config.data, runners)


def _emotion(subject: _Subject) -> Mapping[str, Any]:
    from emohead_training.emotion.measure import emotion_accuracy

    return emotion_accuracy(subject.config.data, subject.runners(EMOTION_ENCODER.name))


def _landmarks(subject: _Subject) -> Mapping[str, Any]:
    from emohead_training.portrait.measure import landmarker_error

    runners = subject.runners(FACE_DETECTOR.name, FACE_LANDMARKS.name)
    return landmarker_error(subject.config.data, runners)


def _edges(subject: _Subject) -> Mapping[str, Any]:
    from emohead_training.stylisation.measure import edge_round_trip

    return edge_round_trip(subject.config.data)


def _stylisation(subject: _Subject) -> Mapping[str, Any]:
    from emohead_training.stylisation.measure import stylisation_report

    return stylisation_report(subject.config.data, subject.runners(EMOTION_LANDMARKS.name))


PARTS: Final[dict[str, Callable[[_Subject], Mapping[str, Any]]]] = {
    "geometry": _edges,
    "portrait": _landmarks,
    "voice": _emotion,
    "content_code": _content,
    "lips": _lips,
    "stylisation": _stylisation,
    "rendering": _rendering,
}
"""Measures by the name of their part."""

_RENDERED: Final = ("frame_error", "mouth_box_error", "mouth_lpips", "csim", "mouth_sharpness")
_HEADLINES: Final[dict[str, tuple[str, ...]]] = {
    "geometry": ("edge_round_trip",),
    "portrait": ("landmarker_error",),
    "voice": ("emotion_accuracy_ravdess", "emotion_accuracy_cremad"),
    "content_code": ("phoneme_from_content", "speaker_from_content", "speaker_from_embedding"),
    "lips": ("mouth_landmark_ratio", "mean_mouth_ratio", "opening_correlation"),
    "stylisation": ("neutral_change", "styled_accuracy", "unstyled_accuracy", "monotone_share"),
    "rendering": (
        *(f"{key}{suffix}" for key in _RENDERED for suffix in ("", "_warp", "_copy")),
        "mouth_lpips_ratio",
    ),
}


def _context(subject: _Subject, seconds: dict[str, float]) -> dict[str, Any]:
    machine = examine_machine()
    manifest = subject.bundle.manifest
    graphs = {stage: entry.sha256 for stage, entry in manifest.stages.items()}
    text = json.dumps(graphs, sort_keys=True).encode()
    return {
        "machine": f"{machine.cpu}, {machine.cores} cores",
        "backend": f"{subject.backend.name}, onnxruntime {subject.backend.version}",
        "bundle": {
            "name": manifest.name,
            "created": manifest.created,
            "sha256": hashlib.sha256(text).hexdigest(),
            "graphs": graphs,
        },
        "critics": subject.judges.names,
        "split": "test people of the corpus",
        "seconds": seconds,
        "measured": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
    }
