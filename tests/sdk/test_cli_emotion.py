"""``emohead emotion``, and how ``emohead render`` is told about an emotion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from emohead.cli import app
from emohead.emotion.files import read_track
from emohead.samples import SAMPLE_FACE


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    time_s = np.arange(round(0.4 * 16_000)) / 16_000
    soundfile.write(tmp_path / "voice.wav", 0.3 * np.sin(2 * np.pi * 180 * time_s), 16_000)
    return tmp_path / "voice.wav"


@pytest.fixture
def longer(tmp_path: Path) -> Path:
    sound = 0.1 * np.random.default_rng(0).standard_normal(3 * 16_000)
    soundfile.write(tmp_path / "longer.wav", sound * np.linspace(0.01, 1, len(sound)), 16_000)
    return tmp_path / "longer.wav"


def _run(*given: object) -> Any:
    return CliRunner().invoke(app, [str(g) for g in given])


def _said(*given: object) -> dict[str, Any]:
    result = _run(*given, "--json")
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def test_a_track_is_read_written_and_rendered(
    tiny_bundle: Path, longer: Path, voice: Path, tmp_path: Path
) -> None:
    out = tmp_path / "track.json"
    said = _said("emotion", longer, "-o", out, "--bundle", tiny_bundle)
    track = read_track(out)
    assert said["path"] == str(out)
    assert said["duration_s"] == pytest.approx(3.0)
    assert said["segments"][0]["start_s"] == 0
    assert len(said["track"]["keyframes"]) == len(track) > 2
    given = ("render", SAMPLE_FACE, voice, "-o", tmp_path / "a.mp4", "--bundle", tiny_bundle)
    rendered = _said(*given, "--emotion-track", out)
    assert rendered["emotion_source"] == "voice"
    shown = list(rendered["emotion_weights"].values())
    assert shown == pytest.approx(track.mean(0.4).weights.tolist(), abs=1e-3)
    borrowed = _said(*given, "--emotion-from", longer)
    stretched = track.stretched(0.4 / 3.0).mean(0.4).weights
    assert list(borrowed["emotion_weights"].values()) == pytest.approx(stretched, abs=1e-3)
    held = _said(*given, "--emotion-from", longer, "--emotion-fit", "hold")
    assert list(held["emotion_weights"].values()) == pytest.approx(shown, abs=1e-3)


def test_per_clip_and_directing_reach_the_track(
    tiny_bundle: Path, longer: Path, tmp_path: Path
) -> None:
    given = ("emotion", longer, "--bundle", tiny_bundle)
    assert len(_said(*given, "--per-clip")["track"]["keyframes"]) == 1
    asked = ("--preferred-emotion", "joy", "--preferred-emotion-strength", "1")
    directed = _said(*given, *asked, "--emotion-strength", "0.5", "--max-emotions", "1")
    for keyframe in directed["track"]["keyframes"]:
        assert keyframe["emotions"] == {"neutral": 0.5, "happy": 0.5}
    lines = _run(*given).stdout.splitlines()
    assert lines[0].split()[:2] == ["0.00", "s"]


def test_valence_and_arousal_reach_the_clip(tiny_bundle: Path, voice: Path, tmp_path: Path) -> None:
    given = ("render", SAMPLE_FACE, voice, "-o", tmp_path / "a.mp4", "--bundle", tiny_bundle)
    weights = _said(*given, "--va", "0.6,-0.2")["emotion_weights"]
    assert weights["calm"] > weights["happy"] > 0
    loud = _said(*given, "--va", "0.9,0.9", "--strength", "1.5")
    assert any("outside the unit circle" in note for note in loud["notes"])
    assert any("beyond 1" in note for note in loud["notes"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--va", "0.6"), "--va 0.6,-0.2"),
        (("--va", "0.6,2"), "expected arousal in [-1, 1]"),
        (("--va", "0,0", "--emotion", "sad"), "--emotion, --va: choose one"),
        (("--emotion-track", "nowhere.json"), "does not exist"),
        (("--emotion-from", "nowhere.wav"), "nowhere.wav"),
        (("--emotion-fit", "loop"), "stretch or hold"),
    ],
)
def test_unusable_emotions_are_refused(
    options: tuple[str, ...], sentence: str, voice: Path, tmp_path: Path
) -> None:
    result = _run("render", SAMPLE_FACE, voice, "-o", tmp_path / "a.mp4", *options)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_bad_place_for_the_track_fails_before_anything_is_read(tmp_path: Path) -> None:
    result = _run("emotion", tmp_path / "none.wav", "-o", tmp_path / "none" / "a.json")
    assert result.exit_code == 2
    assert "create it first" in result.stderr
