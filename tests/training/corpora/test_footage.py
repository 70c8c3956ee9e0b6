"""Time and sound of recordings: frames are chosen by time, sound keeps its place."""

from __future__ import annotations

import numpy as np
import pytest

from emohead_training.corpora.finding import FoundFace
from emohead_training.corpora.footage import Span, nearest_frames, read_footage, sound_of
from emohead_training.corpora.protocol import Skip


class _Fixed:
    """A finder for whom the face is always at the same place of the crop, or lost."""

    def __init__(self, lost: int = 0) -> None:
        self.lost = lost
        self.calls = 0
        self.points = np.random.default_rng(0).uniform(80, 180, (68, 3))

    def locate(self, frame):
        return self.points

    def follow(self, frame, before):
        self.calls += 1
        return None if self.calls <= self.lost else FoundFace(landmarks=before)


@pytest.mark.parametrize(("fps", "seconds"), [(24, 2), (25, 2), (29.97, 2), (50, 1), (60, 1)])
def test_frames_are_chosen_by_time(fps, seconds):
    times = 0.4 + np.arange(round(fps * seconds)) / fps
    chosen = nearest_frames(times)
    assert len(chosen) == pytest.approx(30 * seconds, abs=1)
    wanted = 0.4 + np.arange(len(chosen)) / 30
    within = wanted <= times[-1]
    assert np.abs(times[chosen] - wanted)[within].max() <= 0.5 / fps + 1e-9


def test_a_gap_in_time_is_filled_with_its_neighbours():
    times = np.concatenate([np.arange(10) / 30, 1 + np.arange(10) / 30])
    chosen = nearest_frames(times)
    assert len(chosen) == pytest.approx(30 * 1.3, abs=3)
    assert chosen[15] == 9
    assert chosen[30] == 10


def _bright(count: int) -> list[np.ndarray]:
    """Frames whose brightness tells their number."""
    return [np.full((240, 320, 3), 20 + 4 * i, np.uint8) for i in range(count)]


def test_a_stretch_begins_at_its_time(tmp_path, studio):
    studio.write_video(tmp_path / "a.mp4", _bright(50), sound=studio.tone(2.0, silent_s=1.5))
    footage = read_footage(tmp_path / "a.mp4", _Fixed(), Span(start_s=1.0, length_s=1.0))
    assert len(footage.frames) == 30
    level = footage.frames[:, 128, 128, 0].astype(float)
    assert level[0] == pytest.approx(20 + 4 * 25, abs=3)
    assert level[-1] == pytest.approx(20 + 4 * 49, abs=5)
    assert len(footage.audio) == pytest.approx(16_000, abs=400)
    begin = np.flatnonzero(np.abs(footage.audio) > 0.05)[0]
    assert begin / 16_000 == pytest.approx(0.5, abs=0.01)


def test_sound_that_begins_late_is_preceded_by_silence(tmp_path, studio):
    studio.write_sound(tmp_path / "a.wav", studio.tone(1.0))
    early = sound_of(tmp_path / "a.wav", start_s=-0.25)
    assert len(early) == 20_000
    assert not early[:4_000].any()
    assert sound_of(tmp_path / "a.wav", start_s=2.0) is None


def test_lost_frames_are_marked_and_a_lost_face_is_skipped(tmp_path, studio):
    studio.write_video(tmp_path / "a.mp4", _bright(30), fps=30)
    footage = read_footage(tmp_path / "a.mp4", _Fixed(lost=10))
    assert footage.valid.tolist() == [False] * 10 + [True] * 20
    assert footage.audio is None
    assert read_footage(tmp_path / "a.mp4", _Fixed(lost=20)) == Skip(
        reason="the face is lost in most frames"
    )


def test_very_short_footage_is_skipped(tmp_path, studio):
    studio.write_video(tmp_path / "a.mp4", _bright(12))
    assert isinstance(read_footage(tmp_path / "a.mp4", _Fixed()), Skip)
