"""Tracks share steps and nothing else: frames, fairness, latency, errors, shutdown."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emohead.errors import BackendError, InputError
from emohead.executor import Executor, Track
from emohead.render import held_inputs

from .toy import POISON, SPEC, ToyRunner, features, foretold, points


def first_bytes(track: Track, count: int | None = None) -> list[int]:
    taken = []
    if count == 0:
        track.cancel()
        return taken
    for frame in track.frames():
        taken.append(int(frame[0, 0, 0]))
        if len(taken) == count:
            break
    return taken


def live(executor: Executor, face: float, values: list[int]) -> Track:
    track = executor.open(features(face))
    track.push(points(values))
    track.finish()
    return track


TRACKS = st.lists(
    st.tuples(
        st.integers(0, 3),  # face
        st.lists(st.integers(0, 5), min_size=1, max_size=12),  # landmarks
        st.one_of(st.none(), st.integers(0, 6)),  # cancelled after so many frames
    ),
    min_size=1,
    max_size=24,
)


@settings(max_examples=40, deadline=None)
@given(
    tracks=TRACKS,
    max_batch=st.integers(1, 16),
    lanes=st.integers(1, 3),
    buffer_frames=st.integers(1, 8),
)
def test_any_company_gives_every_track_its_own_frames(
    tracks: list[tuple[int, list[int], int | None]], max_batch: int, lanes: int, buffer_frames: int
) -> None:
    numbers = {"max_batch": max_batch, "lanes": lanes, "buffer_frames": buffer_frames}
    with (
        Executor(ToyRunner(), max_wait_ms=1, **numbers) as executor,
        ThreadPoolExecutor(len(tracks)) as callers,
    ):
        opened = [live(executor, face, values) for face, values, _ in tracks]
        taken = list(callers.map(first_bytes, opened, [t[2] for t in tracks]))
        stats = executor.stats()
    for (face, values, count), got in zip(tracks, taken, strict=True):
        assert got == foretold(face, values)[:count]
    assert stats.num_tracks == 0
    assert not [t for t in threading.enumerate() if t.name.startswith("emohead-lane")]


def test_nobody_starves_and_nobody_is_favoured() -> None:
    runner = ToyRunner()
    runner.gate.clear()
    with Executor(runner, max_batch=4) as executor:
        tracks = [live(executor, face, [1] * 9) for face in range(10)]
        runner.gate.set()
        with ThreadPoolExecutor(10) as callers:
            list(callers.map(first_bytes, tracks))
    served = np.zeros(10, int)
    for batch in runner.batches[2:]:  # the first was taken before all were there
        served[np.asarray(batch, int)] += 1
        assert served.max() - served.min() <= 2
    assert max(map(len, runner.batches)) == 4
    # The same tracks meet again, so that what they hold stays where it is.
    assert len({tuple(batch) for batch in runner.batches[9:-6]}) == 3


def test_a_slow_caller_holds_up_nobody_and_bounds_memory() -> None:
    with Executor(ToyRunner(), buffer_frames=3) as executor:
        slow, quick = live(executor, 0, [1] * 50), live(executor, 0, [1] * 50)
        assert first_bytes(quick) == foretold(0, [1] * 50)
        assert len(slow._frames) == 3
        assert first_bytes(slow) == foretold(0, [1] * 50)


def test_a_ready_track_waits_for_company_but_not_long() -> None:
    with Executor(ToyRunner(), max_wait_ms=400) as executor:
        one, other = executor.open(features(0)), executor.open(features(0))
        frames, others = one.frames(), other.frames()
        one.push(points([1]))
        time.sleep(0.02)
        other.push(points([2]))
        assert [next(frames)[0, 0, 0], next(others)[0, 0, 0]] == [1, 2]
        assert executor.stats().num_batches == 1
        began = time.monotonic()
        one.push(points([1])[0])
        assert next(frames)[0, 0, 0] == 2
        assert 0.3 < time.monotonic() - began < 3


def test_an_error_stays_with_its_track() -> None:
    with Executor(ToyRunner()) as executor:
        tracks = [live(executor, face, [1] * 6) for face in (1, POISON, 2)]
        with pytest.raises(BackendError, match=r"RuntimeError: poison.*submit the track again"):
            first_bytes(tracks[1])
        assert first_bytes(tracks[0]) == foretold(1, [1] * 6)
        assert first_bytes(tracks[2]) == foretold(2, [1] * 6)


def test_landmarks_that_cannot_be_drawn_are_refused_at_once() -> None:
    with Executor(ToyRunner()) as executor:
        track = executor.open(features(0))
        with pytest.raises(InputError, match=r"got shape \(67, 2\)"):
            track.push(np.zeros((67, 2)))
        with pytest.raises(InputError, match="finite"):
            track.push(np.full((68, 2), np.nan))
        track.finish()
        with pytest.raises(InputError, match="finished"):
            track.push(np.zeros((68, 2)))
        assert first_bytes(track) == []


def test_closing_releases_whoever_waits() -> None:
    executor = Executor(ToyRunner())
    track = executor.open(features(0))
    with ThreadPoolExecutor(1) as callers:
        waiting = callers.submit(first_bytes, track)
        time.sleep(0.05)
        executor.close()
        with pytest.raises(BackendError, match="closed before the track was done"):
            waiting.result(5)
    with pytest.raises(BackendError, match="executor is closed"):
        executor.open(features(0))


def test_closing_before_a_clip_begins_is_no_surprise() -> None:
    executor = Executor(ToyRunner())
    track = executor._open()
    executor.close()
    track._begin({"face": features(0)[0]}, _clip(0, [1]))
    with pytest.raises(BackendError, match="closed before the track was done"):
        first_bytes(track)


def test_a_live_track_has_no_clip_to_wait_for(tmp_path: Path) -> None:
    with Executor(ToyRunner()) as executor:
        track = live(executor, 0, [1])
        with pytest.raises(InputError, match="a live one has no clip"):
            track.clip.result(5)
        with pytest.raises(InputError, match="a live one has no clip"):
            track.save(tmp_path / "a.mp4")
        assert first_bytes(track) == foretold(0, [1])


def test_a_dead_lane_gets_no_tracks(monkeypatch: pytest.MonkeyPatch) -> None:
    with Executor(ToyRunner(), lanes=2) as executor:
        dead, alive = executor._lanes
        monkeypatch.setattr(dead, "_take", lambda ready: 1 / 0)
        with pytest.raises(BackendError, match="ZeroDivisionError"):
            first_bytes(live(executor, 0, [1]))
        executor._threads[0].join(5)
        later = [live(executor, face, [1, 2]) for face in range(4)]
        for face, track in enumerate(later):
            assert first_bytes(track) == foretold(face, [1, 2])
        monkeypatch.setattr(alive, "_take", lambda ready: 1 / 0)
        with pytest.raises(BackendError, match="ZeroDivisionError"):
            first_bytes(live(executor, 0, [1]))
        executor._threads[1].join(5)
        with pytest.raises(BackendError, match="no lane is left"):
            executor.open(features(0))


def test_cancelling_from_outside_ends_the_frames_and_frees_the_track() -> None:
    with Executor(ToyRunner(), buffer_frames=2) as executor:
        track = live(executor, 0, [1] * 100)
        frames = track.frames()
        next(frames)
        track.cancel()
        assert list(frames) == []
        for _ in range(100):
            if track._held is None:
                break
            time.sleep(0.02)
        assert track._held is None


def test_lanes_share_tracks_and_their_states_move_with_them() -> None:
    runner = ToyRunner()
    with Executor(runner, lanes=2, buffer_frames=400) as executor:
        tracks = [live(executor, f, [1] * n) for f, n in ((0, 2), (1, 150), (0, 2), (2, 150))]
        for track, (face, n) in zip(tracks, ((0, 2), (1, 150), (0, 2), (2, 150)), strict=True):
            assert first_bytes(track) == foretold(face, [1] * n)
        lanes = [lane.num_frames for lane in executor._lanes]
    assert min(lanes) > 20


def _clip(face: float, values: list[int]) -> SimpleNamespace:
    return SimpleNamespace(points=points(values), features=features(face), full_frame=False)


def test_what_is_submitted_is_prepared_and_rendered() -> None:
    def prepare(face: float, speech: list[int], **how: int) -> SimpleNamespace:
        if not speech:
            raise InputError("the speech is empty: give at least one spoken word")
        return _clip(face, [v + how["seed"] for v in speech])

    with Executor(ToyRunner(), prepare=prepare) as executor:
        good, bad = (executor.submit(2, speech, seed=3) for speech in ([1, 2], []))
        assert first_bytes(good) == foretold(2, [4, 5])
        assert good.clip.result().features == features(2)
        with pytest.raises(InputError, match="speech is empty"):
            first_bytes(bad)
        with pytest.raises(InputError, match="speech is empty"):
            bad.clip.result()
        assert first_bytes(executor.render(_clip(1, [1, 1]))) == foretold(1, [1, 1])


def test_an_executor_without_networks_says_how_to_make_one() -> None:
    with Executor(ToyRunner()) as executor, pytest.raises(BackendError, match="TalkingHead.exec"):
        executor.submit(None, None)


@pytest.mark.parametrize(
    "numbers", [{"max_batch": 17}, {"max_batch": 0}, {"max_wait_ms": -1}, {"lanes": 0}]
)
def test_numbers_out_of_range_are_refused(numbers: dict[str, int]) -> None:
    with pytest.raises(InputError, match="expected a"):
        Executor(ToyRunner(), **numbers)


def test_held_inputs_follow_the_spec() -> None:
    assert held_inputs(SPEC, features(4)).keys() == {"face"}
