"""What a successful rendering writes and says, with a bundle of toy networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from PIL import Image
from typer.testing import CliRunner

from emohead.cli import app
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    """A little over half a second of sound at an unusual rate: 17 frames at 30 a second."""
    time_s = np.arange(round(0.55 * 22_050)) / 22_050
    tone = 0.3 * np.sin(2 * np.pi * 180 * time_s) * (np.sin(2 * np.pi * 4 * time_s) > 0)
    soundfile.write(tmp_path / "voice.wav", tone, 22_050)
    return tmp_path / "voice.wav"


def _render(bundle: Path, voice: Path, out: Path, *options: str) -> dict[str, Any]:
    given = ["render", str(SAMPLE_FACE), str(voice), "-o", str(out), "--bundle", str(bundle)]
    result = CliRunner().invoke(app, [*given, "--json", *options])
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def _video(path: Path) -> tuple[int, int, int]:
    """Number of frames, height and width."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return len(frames), frames[0].height, frames[0].width


def test_summary_tells_what_was_written(tiny_bundle: Path, voice: Path, tmp_path: Path) -> None:
    summary = _render(tiny_bundle, voice, tmp_path / "a.mp4")
    assert _video(tmp_path / "a.mp4") == (17, 256, 256)
    assert summary["frames"] == 17
    assert summary["frame_rate"] == 30
    assert summary["path"] == str(tmp_path / "a.mp4")
    assert summary["backend"] in ("cpu", "cuda")
    assert summary["emotion_source"] == "voice"
    assert summary["emotion"] == max(summary["emotion_weights"], key=summary["emotion_weights"].get)
    duration_s = 17 / 30
    assert summary["real_time_factor"] * duration_s == pytest.approx(
        summary["timings"]["render_s"], abs=0.01
    )
    assert summary["fps"] == pytest.approx(17 / summary["timings"]["render_s"], rel=0.02)


def test_options_reach_the_clip(tiny_bundle: Path, voice: Path, tmp_path: Path) -> None:
    options = ("--emotion", "sad=0.6", "--strength", "0.5", "--fps", "25")
    summary = _render(tiny_bundle, voice, tmp_path / "a.mp4", *options)
    assert summary["emotion_source"] == "user"
    assert summary["emotion_weights"]["sad"] == pytest.approx(0.3)
    assert (summary["frames"], summary["frame_rate"]) == (14, 25)
    assert _video(tmp_path / "a.mp4")[0] == 14


def test_full_frame_has_the_size_of_the_photo(
    tiny_bundle: Path, voice: Path, tmp_path: Path
) -> None:
    _render(tiny_bundle, voice, tmp_path / "a.mp4", "--full-frame")
    with Image.open(SAMPLE_FACE) as photo:
        assert _video(tmp_path / "a.mp4")[1:] == (photo.height, photo.width)


def test_landmarks_are_saved_for_every_frame(
    tiny_bundle: Path, voice: Path, tmp_path: Path
) -> None:
    saved = tmp_path / "landmarks.npz"
    _render(tiny_bundle, voice, tmp_path / "a.mp4", "--save-landmarks", str(saved))
    with np.load(saved) as content:
        assert content["landmarks"].shape == (17, 68, 3)
        assert content["landmarks"].dtype == np.float32
        assert content["fps"] == 30


def test_landmarks_are_written_without_rendering_and_rendered_later(
    tiny_bundle: Path, voice: Path, tmp_path: Path
) -> None:
    written = tmp_path / "a.json"
    given = ["landmarks", str(SAMPLE_FACE), str(voice), "-o", str(written), "--seed", "3"]
    result = CliRunner().invoke(app, [*given, "--bundle", str(tiny_bundle), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["frames"] == 17
    extra = ("--save-landmarks", str(tmp_path / "b.json"))
    _render(tiny_bundle, voice, tmp_path / "a.mp4", *extra, "--landmarks-from", str(written))
    assert (tmp_path / "b.json").read_bytes() == written.read_bytes()
    extra = ("--save-landmarks", str(tmp_path / "c.json"), "--seed", "3")
    _render(tiny_bundle, voice, tmp_path / "b.mp4", *extra)
    assert (tmp_path / "c.json").read_bytes() == written.read_bytes()
    fitted = ("--landmarks-from", str(written), "--fit-landmarks")
    _render(tiny_bundle, voice, tmp_path / "c.mp4", *fitted)
    assert _video(tmp_path / "c.mp4") == (17, 256, 256)


def test_equal_seeds_give_equal_landmarks(tiny_bundle: Path, voice: Path, tmp_path: Path) -> None:
    saved = []
    for name in ("a", "b"):
        place = tmp_path / f"{name}.npz"
        extra = ("--save-landmarks", str(place), "--seed", "3")
        _render(tiny_bundle, voice, tmp_path / f"{name}.mp4", *extra)
        with np.load(place) as content:
            saved.append(content["landmarks"])
    np.testing.assert_array_equal(saved[0], saved[1])


def test_blinks_and_glances_follow_their_options(
    tiny_bundle: Path, voice: Path, tmp_path: Path
) -> None:
    saved = {}
    for name, eyes in {
        "rest": ("--blink-rate", "0", "--gaze", "0"),
        "life": ("--blink-rate", "40", "--gaze", "0"),
    }.items():
        place = tmp_path / f"{name}.npz"
        extra = ("--save-landmarks", str(place), "--seed", "4", "--emotion", "neutral", *eyes)
        _render(tiny_bundle, voice, tmp_path / f"{name}.mp4", *extra)
        with np.load(place) as content:
            saved[name] = content["landmarks"][:, 36:48]
    assert np.abs(saved["life"] - saved["rest"]).max() > 1
    given = ["render", str(SAMPLE_FACE), str(voice), "-o", str(tmp_path / "b.mp4"), "--gaze", "2"]
    result = CliRunner().invoke(app, [*given, "--bundle", str(tiny_bundle)])
    assert result.exit_code == 2
    assert "gaze" in result.stderr


def test_people_get_lines_instead_of_json(tiny_bundle: Path, voice: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "a.mp4")
    given = ["render", str(SAMPLE_FACE), str(voice), "-o", out, "--bundle", str(tiny_bundle)]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 0
    told = dict(
        line.split(maxsplit=1) for line in result.stdout.splitlines() if "factor" not in line
    )
    assert told["path"] == out
    assert told["frames"] == "17 at 30 a second"
    assert told["emotion"].endswith("(from the voice)")


def test_an_older_video_survives_a_failure(tiny_bundle: Path, voice: Path, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"older")
    given = ["render", "none.jpg", str(voice), "-o", str(tmp_path / "a.mp4")]
    result = CliRunner().invoke(app, [*given, "--bundle", str(tiny_bundle)])
    assert result.exit_code == 2
    assert (tmp_path / "a.mp4").read_bytes() == b"older"


def test_a_precision_that_the_bundle_lacks_is_refused_with_those_that_it_has(
    tiny_bundle: Path, tmp_path: Path
):
    out = tmp_path / "a.mp4"
    command = ["render", str(SAMPLE_FACE), str(SAMPLE_SPEECH), "-o", str(out)]
    result = CliRunner().invoke(
        app, [*command, "--bundle", str(tiny_bundle), "--precision", "fp16"]
    )
    assert result.exit_code != 0
    assert "expected graphs in fp16, the bundle has fp32; make them with" in result.stderr
    result = CliRunner().invoke(app, [*command, "--precision", "half"])
    assert "expected a precision among auto, fp32, fp16, int8, got 'half'" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not out.exists()
