from __future__ import annotations

import gc
import subprocess
import sys
import warnings
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from emohead import audio
from emohead.audio import Audio, audio_from_array, num_frames_of, read_audio
from emohead.errors import InputError


def _tone(rate: int, seconds: float = 1.0, hz: float = 440.0) -> np.ndarray:
    time_s = np.arange(round(rate * seconds)) / rate
    return (0.5 * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)


def _encode(path: Path, codec: str, samples: np.ndarray, rate: int, video: bool = False) -> None:
    with av.open(str(path), "w") as container:
        picture = container.add_stream("libx264", rate=25) if video else None
        sound = container.add_stream(codec, rate=rate, layout="mono")
        if picture is not None:
            picture.width, picture.height, picture.pix_fmt = 32, 32, "yuv420p"
            for _ in range(25):
                frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
                container.mux(picture.encode(frame))
            container.mux(picture.encode(None))
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))


def _error_against_tone(audio: Audio) -> float:
    """Largest difference from the tone, away from the ends."""
    want = _tone(16_000)
    return float(np.abs(audio.samples[800:15200] - want[800:15200]).max())


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_wav_of_any_rate_and_depth_keeps_length_and_signal(tmp_path, rate, subtype):
    soundfile.write(tmp_path / "a.wav", _tone(rate), rate, subtype=subtype)
    audio = read_audio(tmp_path / "a.wav")
    assert len(audio.samples) == 16_000
    assert audio.samples.dtype == np.float32
    assert _error_against_tone(audio) < 1e-3


def test_length_is_rounded_up_exactly(tmp_path):
    soundfile.write(tmp_path / "a.wav", _tone(44_100)[:10_001], 44_100)
    assert len(read_audio(tmp_path / "a.wav").samples) == 3629  # 10001 * 16000 / 44100 = 3628.5


def test_stereo_is_averaged_not_summed(tmp_path):
    tone = _tone(16_000)
    soundfile.write(tmp_path / "a.wav", np.stack([tone, 0.5 * tone], 1), 16_000, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav").samples, 0.75 * tone, atol=2e-3)


@pytest.mark.parametrize(
    ("name", "codec", "rate", "tolerance"),
    [
        ("a.ogg", "libopus", 48_000, 0.02),
        ("a.mp3", "libmp3lame", 44_100, 0.05),
        ("a.flac", "flac", 44_100, 1e-3),
        ("a.m4a", "aac", 44_100, 0.05),
    ],
)
def test_compressed_sound_is_decoded_in_place(tmp_path, name, codec, rate, tolerance):
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV has no {codec}")
    samples = _tone(rate)
    if codec == "flac":
        soundfile.write(tmp_path / name, samples, rate)
    else:
        _encode(tmp_path / name, codec, samples, rate)
    audio = read_audio(tmp_path / name)
    assert abs(len(audio.samples) - 16_000) <= 1100  # lossy codecs may round up to a packet
    assert _error_against_tone(audio) < tolerance


def test_sound_of_a_video_is_read(tmp_path):
    _encode(tmp_path / "a.mp4", "aac", _tone(44_100), 44_100, video=True)
    assert _error_against_tone(read_audio(tmp_path / "a.mp4")) < 0.05


def test_array_and_file_agree(tmp_path):
    tone = _tone(22_050)
    soundfile.write(tmp_path / "a.wav", tone, 22_050, subtype="FLOAT")
    from_file = read_audio(tmp_path / "a.wav").samples
    np.testing.assert_array_equal(audio_from_array(tone, 22_050).samples, from_file)


@pytest.mark.parametrize(("dtype", "offset"), [(np.int16, 0), (np.int32, 0), (np.uint8, 128)])
def test_integer_arrays_are_scaled_by_their_range(dtype, offset):
    full = np.iinfo(dtype).max + 1 - offset
    samples = (_tone(16_000) * full + offset).astype(dtype)
    assert (
        np.abs(audio_from_array(samples, 16_000).samples - _tone(16_000)).max() < 1.1 / full + 1e-6
    )


def test_overshoot_is_clipped():
    loud = np.tile(np.float32([1.2, -1.2]), 800)
    audio = audio_from_array(loud, 16_000)
    assert audio.samples.max() == 1.0
    assert audio.samples.min() == -1.0


@pytest.mark.parametrize(
    ("num_samples", "fps", "want"),
    [(16_000, 30, 30), (16_001, 30, 31), (1, 30, 1), (0, 30, 0), (1_600, 25, 3), (533, 30, 1)],
)
def test_frame_count_is_exact(num_samples, fps, want):
    assert num_frames_of(num_samples, fps) == want


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.wav does not exist"):
        read_audio(tmp_path / "nothing.wav")
    with pytest.raises(InputError, match="is a folder"):
        read_audio(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no sound here\n" * 50, b"RIFF\x24\0\0\0WAVEfmt "])
def test_unreadable_file_says_what_to_do(tmp_path, content):
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.wav cannot be read.*convert it"):
        read_audio(tmp_path / "a.wav")


def test_file_without_samples_is_empty(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0, np.float32), 16_000)
    with pytest.raises(InputError, match="is empty"):
        read_audio(tmp_path / "a.wav")


def test_video_without_sound_is_refused(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(InputError, match="no audio stream"):
        read_audio(tmp_path / "a.mp4")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_finite_are_refused(tmp_path, bad):
    tone = _tone(16_000)
    tone[9_000] = bad
    soundfile.write(tmp_path / "a.wav", tone, 16_000, subtype="FLOAT")
    with pytest.raises(InputError, match="NaN or infinite"):
        read_audio(tmp_path / "a.wav")
    with pytest.raises(InputError, match="NaN or infinite"):
        audio_from_array(tone, 16_000)


def test_absurd_length_is_refused_before_it_is_held():
    with pytest.raises(InputError, match="longer than 7,200 seconds"):
        audio_from_array(np.zeros(7_201_000, np.float32), 1_000)


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros((2, 3, 4)), 16_000, r"must be \(n,\)"),
        (np.zeros((10, 0)), 16_000, r"must be \(n,\)"),
        (np.zeros(10, np.complex64), 16_000, "numbers"),
        (np.array(["a"]), 16_000, "numbers"),
        (np.zeros(0), 16_000, "empty"),
        (np.zeros(10), 7, "samples a second"),
        (np.full(100, 30_000.0), 16_000, "peaks at 30000"),
    ],
)
def test_unusable_arrays_are_refused(samples, rate, message):
    with pytest.raises(InputError, match=message):
        audio_from_array(samples, rate)


def test_audio_checks_itself():
    with pytest.raises(InputError, match="float32"):
        Audio(np.zeros(3))
    with pytest.raises(InputError, match="16000 Hz"):
        Audio(np.zeros(3, np.float32), 8_000)


def test_module_loads_no_decoder():
    code = "import sys, emohead.audio; print(sorted({'av', 'soxr', 'librosa'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_sound_that_is_refused_late_leaves_no_file_open():
    speech = np.zeros(20 * 16_000, np.float32)
    speech[-1] = np.nan
    blocks = iter([(speech[:-8], 16_000), (speech[-8:], 16_000)])
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with pytest.raises(InputError, match="NaN"):
            audio._finish(blocks, "the speech")
        gc.collect()
    assert [str(w.message) for w in seen] == []
