"""A person's own style: what it changes and what it must not, files, and measuring it on film."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from typer.testing import CliRunner

from emohead import InputError, Style, TalkingHead, read_audio
from emohead.audio import Audio
from emohead.cli import app
from emohead.geometry.landmarks import BROWS, LIP_PAIRS
from emohead.images import read_image
from emohead.life import BLINK_RATE, MAX_BLINK_RATE
from emohead.liveliness import MAX_HEAD_MOTION, Life
from emohead.samples import SAMPLE_FACE, SAMPLE_SPEECH
from emohead.style import BOUNDS, CLOSED_GAP, bounded_style, styled_brows, styled_lips
from emohead.style.files import read_style, write_style
from emohead.style.reference import amplitudes_of, style_from_landmarks
from emohead.video import VideoWriter

Array = np.ndarray[Any, np.dtype[np.float64]]
LIVELY = Style(lips=1.5, brows=1.6, head=3.0, blinks=2.0)
FPS = 8


def _grown(moved: Array) -> Array:
    return np.stack([moved[:, low, 1] - moved[:, up, 1] for up, low in LIP_PAIRS], axis=1)


@settings(max_examples=60, deadline=None)
@given(
    moved=hnp.arrays(np.float64, (2, 68, 3), elements=st.floats(-0.1, 0.1)),
    factor=st.floats(*BOUNDS["lips"]),
)
def test_lips_close_exactly_where_they_did(moved: Array, factor: float) -> None:
    before, after = _grown(moved), _grown(styled_lips(moved, factor))
    closed = before <= CLOSED_GAP
    np.testing.assert_allclose(after[closed], before[closed], atol=1e-12)
    wider = CLOSED_GAP + factor * (before - CLOSED_GAP)
    np.testing.assert_allclose(after[~closed], wider[~closed], atol=1e-12)


def test_a_mouth_at_rest_stays_at_rest() -> None:
    assert not styled_lips(np.zeros((3, 68, 3)), 1.8).any()


def test_brows_alone_go_further_from_rest() -> None:
    rng = np.random.default_rng(0)
    anchor, faces = rng.normal(size=(68, 3)), rng.normal(size=(4, 68, 3))
    styled = styled_brows(anchor, faces, 1.5)
    brows = list(BROWS)
    others = [i for i in range(68) if i not in BROWS]
    np.testing.assert_allclose(styled[:, brows] - anchor[brows], 1.5 * (faces - anchor)[:, brows])
    np.testing.assert_array_equal(styled[:, others], faces[:, others])
    np.testing.assert_allclose(styled_brows(anchor, anchor[None], 1.8)[0], anchor)


def test_life_is_styled_within_what_a_face_can_do() -> None:
    assert LIVELY.life(Life()).blink_rate == 2 * BLINK_RATE
    assert LIVELY.life(Life(head_motion=3, blink_rate=30)) == Life(
        head_motion=MAX_HEAD_MOTION, blink_rate=MAX_BLINK_RATE
    )


def test_a_style_can_be_kept_in_part() -> None:
    assert LIVELY.scaled(0) == Style()
    assert LIVELY.scaled(1) == LIVELY
    assert Style(blinks=0).scaled(0.25).blinks == 0.75
    assert LIVELY.scaled(0.5).lips == pytest.approx(1.5**0.5)
    with pytest.raises(InputError, match="strength"):
        LIVELY.scaled(2)


@pytest.mark.parametrize("name", BOUNDS)
def test_factors_out_of_bounds_are_refused_or_cut(name: str) -> None:
    for value in (-1.0, 9.0, float("nan")):
        with pytest.raises(InputError, match=f"style's {name}"):
            Style(**{name: value})
    cut = bounded_style({name: 9.0})
    assert getattr(cut, name) == BOUNDS[name][1]
    assert name in cut.notes[0]


def test_styles_come_back_from_their_files(tmp_path: Path) -> None:
    style = Style(lips=1.2345, head=0.5, notes=("a note",))
    assert read_style(write_style(style, tmp_path / "a.json")) == style


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"format": "emohead-emotion-track", "version": 1}', "at format"),
        ('{"format": "emohead-style", "version": 1, "ears": 1}', "at ears"),
        ('{"format": "emohead-style", "version": 1, "lips": 7}', "from 0.5 to 1.8"),
        ("lips", "JSON"),
    ],
)
def test_files_that_are_no_style_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError) as refusal:
        read_style(tmp_path / "a.json")
    assert message in str(refusal.value)


@pytest.fixture(scope="module")
def toy(tiny_bundle: Path) -> TalkingHead:
    """Head of toy networks."""
    return TalkingHead.load(tiny_bundle, backend="cpu", threads=1)


def _voice(seconds: float) -> Audio:
    return Audio(read_audio(SAMPLE_SPEECH).samples[: round(16_000 * seconds)])


def test_no_style_changes_nothing(toy: TalkingHead) -> None:
    face = toy.portrait(SAMPLE_FACE)
    plain, styled = (
        toy.animate(face, _voice(1.5), emotion="angry", style=s).landmarks
        for s in (None, LIVELY.scaled(0))
    )
    np.testing.assert_array_equal(plain, styled)


def test_a_styled_stream_gives_the_frames_of_a_styled_clip(
    toy: TalkingHead, tmp_path: Path
) -> None:
    face, voice = toy.portrait(SAMPLE_FACE), _voice(1.0)
    path = write_style(LIVELY, tmp_path / "a.json")
    clip = toy.animate(face, voice, emotion="happy", style=path, fps=10)
    with toy.stream(face, emotion="happy", style=LIVELY, fps=10) as live:
        images = []
        for start in range(0, len(voice.samples), 3001):
            live.push_audio(voice.samples[start : start + 3001])
            images += [f.image for f in live if hasattr(f, "image")]
        live.flush()
        images += [f.image for f in live if hasattr(f, "image")]
    np.testing.assert_array_equal(images, list(clip))


@pytest.fixture(scope="module")
def head() -> TalkingHead:
    """Head of the embedded networks."""
    return TalkingHead.load(backend="cpu", threads=1)


def test_what_a_style_does_is_measured_as_that_style(head: TalkingHead) -> None:
    face, voice = head.portrait(SAMPLE_FACE), _voice(4)
    plain, styled = (
        head.animate(face, voice, emotion="neutral", seed=5, gaze=0, style=s).landmark_track
        for s in (None, Style(lips=1.5, head=3.0))
    )
    seen, own, spoken_s = amplitudes_of(plain, voice, head._runners)
    more, same, _ = amplitudes_of(styled, voice, head._runners)
    assert spoken_s > 2
    assert more["lips"] / seen["lips"] == pytest.approx(1.5, abs=0.2)
    # The largest angle is bounded, so three times the push is less than three times the way.
    assert 1.8 < more["head"] / seen["head"] < 3.1
    assert own["lips"] == pytest.approx(same["lips"], rel=0.1)
    assert seen["lips"] == pytest.approx(own["lips"], rel=0.25)
    assert style_from_landmarks(styled, voice, head._runners).lips > 1.15
    with pytest.raises(InputError, match=r"lasts 1\.0 s"):
        style_from_landmarks(styled, _voice(1), head._runners)


def _film(path: Path, pictures: list[Any], voice: Audio | None) -> Path:
    with VideoWriter(path, fps=FPS, audio=voice) as writer:
        for picture in pictures:
            writer.write(picture)
    return path


def _photo() -> Any:
    return np.ascontiguousarray(read_image(SAMPLE_FACE)[:256, :256])


WALL = np.repeat(np.linspace(60, 90, 96, dtype=np.uint8)[None, :, None], 96, 0).repeat(3, axis=2)
FILMS: dict[str, tuple[Callable[[], tuple[list[Any], Audio | None]], str]] = {
    "no sound": (lambda: ([WALL] * 4 * FPS, None), "no audio stream"),
    "too short": (lambda: ([WALL] * FPS, _voice(1)), "lasts 1.0 s"),
    "no face": (lambda: ([WALL] * 25, _voice(3.1)), "found one in 0 of"),
    "several faces": (
        lambda: ([np.concatenate([_photo(), _photo()], axis=1)] * 25, _voice(3.1)),
        "2 faces",
    ),
    "nobody speaks": (
        lambda: ([_photo()] * 25, Audio(np.zeros(50_000, np.float32))),
        "of speech at least",
    ),
}


@pytest.mark.parametrize(("film", "message"), FILMS.values(), ids=FILMS)
def test_unusable_films_are_refused(
    head: TalkingHead,
    film: Callable[[], tuple[list[Any], Audio | None]],
    message: str,
    tmp_path: Path,
) -> None:
    with pytest.raises(InputError) as refusal:
        head.style(_film(tmp_path / "a.mp4", *film()))
    assert message in str(refusal.value)


def test_a_film_gives_a_style_and_a_file(tmp_path: Path) -> None:
    still = _film(tmp_path / "a.mp4", [_photo()] * 25, _voice(3.1))
    given = ["style", str(still), "-o", str(tmp_path / "a.json"), "--json"]
    result = CliRunner().invoke(app, [*given, "--backend", "cpu"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    found = read_style(tmp_path / "a.json")
    assert told["lips"] == found.lips < 0.8
    assert told["head"] == found.head < 0.8
    assert found.brows < 0.8
    for bad in ("none.mp4", str(SAMPLE_SPEECH)):
        result = CliRunner().invoke(app, ["style", bad])
        assert result.exit_code == 2
