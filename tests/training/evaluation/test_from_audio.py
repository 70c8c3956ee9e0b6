"""The product judged from sound: a perfect one, a still one, and a photo without a face."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from emohead.errors import InputError
from emohead.geometry import TEMPLATE, canonicalise
from emohead_training.evaluation import from_audio
from emohead_training.evaluation.frame_scores import Judges
from emohead_training.evaluation.from_audio import from_audio_report
from emohead_training.evaluation.protocol import PROTOCOL

COUNT = 80
LOWER = (56, 57, 58, 65, 66, 67)
OPENING = 0.1 + 0.1 * np.convolve(
    np.random.default_rng(0).uniform(-1, 1, COUNT + 4), np.ones(5) / 2, "valid"
)


def faces(opening: Any) -> Any:
    made = np.repeat(TEMPLATE[None], len(opening), 0)
    made[:, LOWER, 1] += np.asarray(opening)[:, None]
    return canonicalise(made)[0].astype(np.float32)


class Head:
    """Stands for ``TalkingHead``: moves as told and paints nothing."""

    def __init__(self, opening: Any) -> None:
        self.opening = opening
        self.asked: list[Any] = []

    def portrait(self, image: Any) -> Any:
        if image.max() == 255:
            raise InputError("no face")
        placed = (TEMPLATE * 90 + 128).astype(np.float32)
        return SimpleNamespace(image=image, canonical=faces([0.0])[0], landmarks=placed)

    def animate(self, portrait: Any, speech: Any, **options: Any) -> Any:
        self.asked.append((len(speech[0]), options))
        shapes = faces(self.opening[: PROTOCOL.speech_frames]) * 90 + 128

        class Made(list):  # type: ignore[type-arg]
            landmarks, points = shapes, shapes[..., :2]

        return Made([portrait.image] * len(shapes))


@pytest.fixture
def film(monkeypatch: pytest.MonkeyPatch) -> None:
    case = SimpleNamespace(
        clip=SimpleNamespace(identity="a", source="s", path=Path("c.mp4")),
        anchor=np.zeros((256, 256, 3), np.uint8),
    )
    faceless = SimpleNamespace(
        clip=SimpleNamespace(identity="b", source="s", path=Path("d.mp4")),
        anchor=np.full((256, 256, 3), 255, np.uint8),
    )
    silent = SimpleNamespace(
        clip=SimpleNamespace(identity="x", source="s", path=Path("silent.mp4")), anchor=None
    )
    loud = np.repeat(np.interp(OPENING, (OPENING.min(), OPENING.max()), (0.01, 0.5)), 16000 // 30)
    clips = [
        SimpleNamespace(
            name=f"s/{name}",
            identity="a",
            samples=np.pad(loud, (0, 4000)).astype(np.float32),
            landmarks=faces(OPENING),
            valid=np.ones(COUNT, bool),
        )
        for name in ("c.mp4", "d.mp4")
    ]
    monkeypatch.setattr(from_audio, "read_cases", lambda data: iter([case, faceless, silent]))
    monkeypatch.setattr(from_audio, "read_spoken_clips", lambda data, splits: clips)


def judged(opening: Any) -> tuple[dict[str, Any], Head]:
    head = Head(opening)
    report = from_audio_report(Path(), head, Judges(), lambda frames, near: np.asarray(near))  # type: ignore[arg-type]
    return report, head


def test_a_perfect_product_has_no_lip_distance_and_no_lag(film: None) -> None:
    found, head = judged(OPENING)
    assert found["lmd_from_audio"] == pytest.approx(0, abs=1e-3)
    assert found["lmd_from_audio_still"] > 1
    assert found["rendered_opening_correlation"] == pytest.approx(1, abs=1e-4)
    assert found["audio_lag_frames"] == found["audio_lag_frames_true"] == 0
    assert (found["num_clips"], found["missed"]) == (1, 1)
    ((samples, options),) = head.asked
    assert samples == PROTOCOL.speech_frames * 16000 // 30
    assert options == {"emotion": "neutral", "still": True}


def test_a_still_mouth_is_as_far_as_the_baseline(film: None) -> None:
    found, _ = judged(np.zeros(COUNT))
    assert found["lmd_from_audio"] == pytest.approx(found["lmd_from_audio_still"], rel=1e-3)
    assert found["rendered_opening_correlation"] == 0
    assert "audio_lag_frames" not in found


def test_a_late_mouth_is_seen_to_lag(film: None) -> None:
    found, _ = judged(np.concatenate((OPENING[:3], OPENING[:-3])))
    assert found["audio_lag_frames"] == 3
    assert found["audio_lag_frames_true"] == 0
