"""The parts of an evaluation by name, and the bundle that they judge.

Each part's measure lives with its owner; here they are only put together. Called by
``evaluate.py``, which decides what to do with a part that cannot be measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from emohead.backends import Backend
from emohead.bundle import Bundle
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
    STAGES,
)

if TYPE_CHECKING:
    from emohead_training.evaluation.frame_scores import Judges
    from emohead_training.evaluation.pixels import OnCase

__all__ = ["PARTS", "Subject"]

_PERSON: Final = (
    FACE_DETECTOR,
    FACE_LANDMARKS,
    SPEAKER_ENCODER,
    CONTENT_ENCODER,
    NEUTRAL_LANDMARKS,
    EMOTION_ENCODER,
)
"""Stages that a person's style is measured with."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A bundle being judged; opens each stage once."""

    bundle: Bundle
    """The bundle."""
    backend: Backend
    """Where it runs."""
    data: Path
    """Corpus root."""
    actors: Path | None
    """Corpus of digital actors, where there is one."""
    teachers: Path | None
    """Folder of judging networks, where there is one."""
    judges: Judges
    """Judging networks of the pixels."""
    threads: int = 0
    """Threads per session; 0 takes all cores."""
    on_case: tuple[OnCase, ...] = ()
    """Each is called with every case of the rendering and the frames made for it."""
    opened: dict[str, Runner] = field(default_factory=dict)
    """Runners so far."""

    def runner(self, stage: str) -> Runner:
        """Runner of a stage."""
        if stage not in self.opened:
            made = self.bundle.runner(stage, self.backend, threads=self.threads)
            self.opened[stage] = made
        return self.opened[stage]

    def runners(self, *stages: str) -> dict[str, Runner]:
        """Runners of some stages by their names."""
        return {stage: self.runner(stage) for stage in stages}

    @property
    def lips(self) -> LipRunners:
        """Runners between voice and lips."""
        return LipRunners(
            **self.runners(SPEAKER_ENCODER.name, CONTENT_ENCODER.name, NEUTRAL_LANDMARKS.name)
        )


def _geometry(subject: Subject) -> Mapping[str, Any]:
    from emohead_training.stylisation.measure import edge_round_trip

    return edge_round_trip(subject.data)


def _portrait(subject: Subject) -> Mapping[str, Any]:
    from emohead_training.portrait.measure import landmarker_error

    return landmarker_error(subject.data, subject.runners(FACE_DETECTOR.name, FACE_LANDMARKS.name))


def _voice(subject: Subject) -> Mapping[str, Any]:
    from emohead_training.emotion.measure import emotion_accuracy

    return emotion_accuracy(subject.data, subject.runners(EMOTION_ENCODER.name))


def _following(subject: Subject) -> Mapping[str, Any]:
    from emohead_training.evaluation.following import follow_report, joined_voices

    return follow_report(subject.runner(EMOTION_ENCODER.name), joined_voices(subject.data, "test"))


def _content_code(subject: Subject) -> Mapping[str, Any]:
    from emohead_training.voice.content_codes import GraphCodeWriter
    from emohead_training.voice.probes import content_probes

    runners = subject.runner(SPEAKER_ENCODER.name), subject.runner(CONTENT_ENCODER.name)
    return content_probes(subject.data, GraphCodeWriter(*runners))


def _lips(subject: Subject) -> Mapping[str, Any]:
    from emohead_training.evaluation.lips import lip_report

    return lip_report(subject.data, subject.lips)


def _actors(subject: Subject) -> Mapping[str, Any]:
    from emohead_training.evaluation.lips import actor_lips

    if subject.actors is None:
        raise InputError(
            "expected a corpus of digital actors, got none; make one with emohead-train prepare "
            "--corpus digital-actors and give it as --actors"
        )
    return actor_lips(subject.actors, subject.lips)


def _from_audio(subject: Subject) -> Mapping[str, Any]:
    from emohead.head import TalkingHead
    from emohead_training.evaluation.from_audio import from_audio_report
    from emohead_training.evaluation.lip_distance import landmark_finder

    head = TalkingHead(subject.runners(*STAGES), subject.backend)
    find = landmark_finder(subject.runner(FACE_LANDMARKS.name))
    return from_audio_report(subject.data, head, subject.judges, find)


def _style(subject: Subject) -> Mapping[str, Any]:
    from emohead_training.evaluation.styles import style_report

    return style_report(subject.data, subject.runners(*(s.name for s in _PERSON)))


def _stylisation(subject: Subject) -> Mapping[str, Any]:
    from emohead_training.stylisation.measure import stylisation_report

    return stylisation_report(subject.data, subject.runners(EMOTION_LANDMARKS.name))


def _expression(subject: Subject) -> Mapping[str, Any]:
    from emohead.portrait import make_portrait
    from emohead.stylise import Stylist
    from emohead_training.evaluation.expressions import (
        ExpressionNetwork,
        bundle_expression,
        expression_report,
    )

    if subject.teachers is None:
        raise InputError("expected a folder of judging networks, got none; give one as --teachers")
    finders = subject.runners(FACE_DETECTOR.name, FACE_LANDMARKS.name)
    express = bundle_expression(
        Stylist(subject.runner(EMOTION_LANDMARKS.name)),
        *(subject.runner(s.name) for s in (PORTRAIT_ENCODER, RENDERER)),
    )
    judge = ExpressionNetwork(subject.teachers)
    return expression_report(subject.data, judge, lambda p: make_portrait(p, finders), express)


def _rendering(subject: Subject) -> Mapping[str, Any]:
    from emohead_training.evaluation.rendering import bundle_synthesis, rendering_quality

    encoder, renderer = (subject.runner(s.name) for s in (PORTRAIT_ENCODER, RENDERER))
    synthesis = bundle_synthesis(encoder, renderer)
    return rendering_quality(subject.data, synthesis, subject.judges, on_case=subject.on_case)


PARTS: Final[dict[str, Callable[[Subject], Mapping[str, Any]]]] = {
    "geometry": _geometry,
    "portrait": _portrait,
    "voice": _voice,
    "following": _following,
    "content_code": _content_code,
    "lips": _lips,
    "actors": _actors,
    "from_audio": _from_audio,
    "own_style": _style,
    "stylisation": _stylisation,
    "expression": _expression,
    "rendering": _rendering,
}
"""Measures by the name of their part."""
