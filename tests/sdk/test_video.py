from __future__ import annotations

import os
import threading
from pathlib import Path

import av
import numpy as np
import pytest

from emohead import video
from emohead.audio import Audio, read_audio
from emohead.errors import EmoheadError, InputError
from emohead.video import VideoWriter, check_output


def _speech(seconds: float, seed: int = 0) -> Audio:
    """Noise bursts: their correlation has one sharp peak."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(round(16_000 * seconds)).astype(np.float32)
    smooth = np.convolve(noise, np.hanning(12) / 6, mode="same")
    gate = np.sin(np.arange(len(noise)) / 1500) > 0.3
    return Audio((0.2 * smooth * gate).astype(np.float32))


def _frames(count: int, height: int = 64, width: int = 64) -> list[np.ndarray]:
    """Frame `i` is a flat colour that tells its number."""
    return [np.full((height, width, 3), 20 + i % 200, np.uint8) for i in range(count)]


def _write(path: Path, frames: list[np.ndarray], fps: int = 30, audio: Audio | None = None) -> None:
    with VideoWriter(path, fps=fps, audio=audio) as writer:
        for frame in frames:
            writer.write(frame)


def _read(path: Path) -> tuple[list[np.ndarray], list[float]]:
    with av.open(str(path)) as container:
        decoded = list(container.decode(video=0))
    return [f.to_ndarray(format="rgb24") for f in decoded], [f.time for f in decoded]


@pytest.mark.parametrize(("fps", "count"), [(30, 1), (30, 91), (25, 50), (60, 61)])
def test_every_frame_arrives_once_in_order_and_on_time(tmp_path, fps, count):
    _write(tmp_path / "a.mp4", _frames(count), fps, _speech(count / fps))
    frames, times = _read(tmp_path / "a.mp4")
    assert [round(float(f.mean())) for f in frames] == pytest.approx(
        [20 + i for i in range(count)], abs=1.5
    )
    np.testing.assert_allclose(times, np.arange(count) / fps, atol=1e-4)


@pytest.mark.parametrize("seconds", [0.5, 3.0, 7.31])
def test_sound_stays_in_step_with_the_picture(tmp_path, seconds):
    speech = _speech(seconds)
    _write(tmp_path / "a.mp4", _frames(speech.num_frames(30)), 30, speech)
    heard = read_audio(tmp_path / "a.mp4").samples
    size = 1 << (len(heard) + len(speech.samples)).bit_length()
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(speech.samples, size))
    peak = int(np.argmax(np.fft.irfft(spectrum)))
    lag_samples = peak - size if peak > size // 2 else peak
    assert abs(lag_samples) <= 16  # a millisecond; a frame lasts 533 samples
    assert abs(len(heard) - len(speech.samples)) <= 533


def test_priming_is_under_a_frame_even_where_it_is_played(tmp_path):
    _write(tmp_path / "a.mp4", _frames(30), 30, _speech(1))
    with av.open(str(tmp_path / "a.mp4")) as container:
        first = next(container.demux(audio=0))
        assert -1 / 30 < float(first.pts * first.time_base) <= 0


def test_streams_are_what_browsers_play(tmp_path):
    _write(tmp_path / "a.mp4", _frames(10), 30, _speech(1 / 3))
    with av.open(str(tmp_path / "a.mp4")) as container:
        picture, sound = container.streams.video[0], container.streams.audio[0]
        assert (picture.codec_context.name, sound.codec_context.name) == ("h264", "aac")
        assert picture.codec_context.pix_fmt == "yuv420p"
        tags = picture.codec_context
        assert (tags.colorspace, tags.color_primaries, tags.color_trc, tags.color_range) == (1,) * 4
        assert picture.start_time == 0
        assert "Synthetic" in container.metadata["comment"]
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_colours_survive_in_bt709(tmp_path):
    colour = np.array([200, 40, 90], np.uint8)
    _write(tmp_path / "a.mp4", [np.broadcast_to(colour, (64, 64, 3))] * 3)
    frames, _ = _read(tmp_path / "a.mp4")
    np.testing.assert_allclose(frames[1].reshape(-1, 3).mean(axis=0), colour, atol=3)
    with av.open(str(tmp_path / "a.mp4")) as container:
        luma = next(container.decode(video=0)).to_ndarray()[:64].mean()
    assert luma == pytest.approx(16 + 219 / 255 * colour @ [0.2126, 0.7152, 0.0722], abs=2)


@pytest.mark.parametrize(("height", "width"), [(65, 64), (64, 33), (47, 51)])
def test_odd_sizes_are_padded_with_the_edge(tmp_path, height, width):
    ramp = np.linspace(30, 220, width).astype(np.uint8)
    frame = np.broadcast_to(ramp[None, :, None], (height, width, 3))
    _write(tmp_path / "a.mp4", [frame] * 3)
    seen = _read(tmp_path / "a.mp4")[0][1]
    assert seen.shape == (height + height % 2, width + width % 2, 3)
    np.testing.assert_allclose(seen[:height, :width], frame, atol=8)
    np.testing.assert_allclose(seen[-1, -1], frame[-1, -1], atol=8)


def test_sound_is_cut_where_the_picture_ends(tmp_path):
    _write(tmp_path / "a.mp4", _frames(30), 30, _speech(4))
    assert read_audio(tmp_path / "a.mp4").duration_s == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_video_leaves_nothing(tmp_path, error):
    with pytest.raises(error), VideoWriter(tmp_path / "a.mp4") as writer:
        for frame in _frames(20):
            writer.write(frame)
        raise error
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_video_keeps_the_older_one(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"older")
    with pytest.raises(RuntimeError), VideoWriter(tmp_path / "a.mp4") as writer:
        writer.write(_frames(1)[0])
        raise RuntimeError
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"older"]


def test_nothing_is_visible_before_the_end(tmp_path):
    with VideoWriter(tmp_path / "a.mp4") as writer:
        writer.write(_frames(1)[0])
        assert not (tmp_path / "a.mp4").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_permissions_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        _write(tmp_path / "a.mp4", _frames(2))
    finally:
        os.umask(before)
    assert (tmp_path / "a.mp4").stat().st_mode & 0o777 == 0o640


def test_encoder_failure_reaches_the_caller_and_removes_the_file(tmp_path, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(video._PictureTrack, "write", fail)
    with (
        pytest.raises(EmoheadError, match="No space left.*free space"),
        VideoWriter(tmp_path / "a.mp4") as writer,
    ):
        for frame in _frames(50):
            writer.write(frame)
    assert list(tmp_path.iterdir()) == []
    assert not any(t.name == "emohead-encoder" for t in threading.enumerate())


def test_a_description_that_fails_is_the_error_that_is_seen(tmp_path):
    def describe(streams):
        raise InputError("the manifest cannot be made")

    with (
        pytest.raises(InputError, match="the manifest cannot be made"),
        VideoWriter(tmp_path / "a.mp4", describe=describe) as writer,
    ):
        writer.write(np.zeros((64, 64, 3), np.uint8))
    assert not list(tmp_path.iterdir())


def test_large_frames_wait_in_a_short_queue(tmp_path, monkeypatch):
    frames = _frames(3)
    monkeypatch.setattr(video, "_QUEUE_BYTES", 2 * frames[0].nbytes)
    with VideoWriter(tmp_path / "a.mp4") as writer:
        for frame in frames:
            writer.write(frame)
        assert writer._queue.maxsize == 2


def test_no_frames_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no frame"), VideoWriter(tmp_path / "a.mp4"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "frame",
    [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8, 3), np.float32)],
)
def test_wrong_frames_are_refused(tmp_path, frame):
    with pytest.raises(InputError, match="uint8 RGB"), VideoWriter(tmp_path / "a.mp4") as writer:
        writer.write(frame)


def test_frames_of_another_size_are_refused(tmp_path):
    with pytest.raises(InputError, match="every frame"), VideoWriter(tmp_path / "a.mp4") as writer:
        writer.write(np.zeros((8, 8, 3), np.uint8))
        writer.write(np.zeros((8, 10, 3), np.uint8))


@pytest.mark.parametrize("fps", [0, -5, 1000])
def test_frame_rate_has_limits(tmp_path, fps):
    with pytest.raises(InputError, match="frame rate"):
        VideoWriter(tmp_path / "a.mp4", fps=fps)


def test_output_is_checked_before_any_work(tmp_path):
    with pytest.raises(InputError, match=r"missing does not exist: create it"):
        check_output(tmp_path / "missing" / "a.mp4")
    with pytest.raises(InputError, match=r"\.mp4"):
        check_output(tmp_path / "a.avi")
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        check_output(tmp_path / "folder.mp4")
    assert check_output(tmp_path / "a.mp4") == tmp_path / "a.mp4"
    assert [p.name for p in tmp_path.iterdir()] == ["folder.mp4"]


def test_read_only_places_are_refused(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_bytes(b"kept")
    monkeypatch.setattr(video.os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(InputError, match="is read-only"):
        check_output(tmp_path / "a.mp4")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder nobody can write to")
def test_read_only_folder_is_refused():
    with pytest.raises(InputError, match=r"cannot be written to \(.+\): choose another"):
        check_output("/proc/a.mp4")
