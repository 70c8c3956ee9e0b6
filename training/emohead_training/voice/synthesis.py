"""Voices that anybody can make: espeak-ng and flite speak random text with phoneme times.

Both run on this machine, offline. Not here: the text (``texts.py``) and features of the sound.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import random
import re
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emohead.audio import SAMPLE_RATE_HZ
from emohead.errors import InputError
from emohead_training.voice.phonemes import (
    phoneme_from_espeak,
    phoneme_from_flite,
    spelled_frames,
)
from emohead_training.voice.texts import random_sentence

__all__ = ["Utterance", "speak_with_espeak", "speak_with_flite", "synthesise"]


_ACCENTS: Final = (
    "en-us en-us en en-gb-scotland en-gb-x-rp en-gb-x-gbcwmd en-gb-x-gbclan en-us-nyc "
)
_VARIANTS: Final = (
    "f1 f2 f3 f4 f5 m1 m2 m3 m4 m5 m6 m7 m8 klatt klatt2 klatt3 klatt4 adam anika belinda "
    "benjamin boris caleb david ed edward gene grandma grandpa iven john linda max michael "
    "paul quincy rob robert steph travis victor zac Alex Andy Annie Denis Diogo Hugo Lee "
    "Marco Mario Mike Storm "
)
_FLITE: Final = {"awb": 130, "rms": 95, "slt": 170, "kal16": 105}
"""Voices of flite and the pitch, in Hz, that each was recorded around."""


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """One synthesised sentence and when each of its sounds begins."""

    samples: NDArray[np.float32]
    """(n,) mono, [-1, 1], 16 kHz."""
    starts_s: NDArray[np.float32]
    """(P,) ascending start times in seconds."""
    phonemes: NDArray[np.int64]
    """(P,) classes, indices into ``PHONEMES``."""
    voice: str
    """Name that is the same for all utterances of one voice."""
    text: str
    """What is said."""

    def labels(self, num_frames: int, frame_seconds: float) -> NDArray[np.int64]:
        """Class at each frame's centre, (num_frames,)."""
        return spelled_frames(self.phonemes, self.starts_s, num_frames, frame_seconds)


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_CALLBACK: Final = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)
_RETRIEVAL, _PHONEME_EVENTS, _UTF8 = 2, 1, 1
_EVENT_END, _EVENT_PHONEME = 0, 7
_RATE, _PITCH, _PITCH_RANGE = 1, 3, 4


class _Espeak:
    """libespeak-ng, which keeps its voice and its callback in globals of its own."""

    def __init__(self) -> None:
        name = ctypes.util.find_library("espeak-ng")
        if name is None:
            raise InputError(
                "expected the library espeak-ng, found none; install Debian's espeak-ng"
            )
        self._library = ctypes.CDLL(name)
        self.rate_hz: int = self._library.espeak_Initialize(_RETRIEVAL, 0, None, _PHONEME_EVENTS)
        self._sound: list[NDArray[np.int16]] = []
        self._marks: list[tuple[int, str]] = []
        self._callback = _CALLBACK(self._receive)
        self._library.espeak_SetSynthCallback(self._callback)

    def _receive(self, wave_pointer: Any, num_samples: int, events: Any) -> int:
        if wave_pointer and num_samples > 0:
            self._sound.append(np.ctypeslib.as_array(wave_pointer, (num_samples,)).copy())
        i = 0
        while events[i].type != _EVENT_END:
            if events[i].type == _EVENT_PHONEME:
                self._marks.append((events[i].sample, events[i].id.string.decode()))
            i += 1
        return 0

    def speak(
        self, text: str, voice: str, rate: int, pitch: int, spread: int
    ) -> tuple[NDArray[np.int16], list[tuple[int, str]]]:
        """Sound at ``rate_hz`` and (sample, mnemonic) pairs."""
        self._sound, self._marks = [], []
        if self._library.espeak_SetVoiceByName(voice.encode()):
            raise InputError(
                f"expected a voice of espeak-ng, got {voice!r}; see espeak-ng --voices"
            )
        for parameter, value in ((_RATE, rate), (_PITCH, pitch), (_PITCH_RANGE, spread)):
            self._library.espeak_SetParameter(parameter, value, 0)
        encoded = text.encode()
        self._library.espeak_Synth(encoded, len(encoded) + 1, 0, 1, 0, _UTF8, None, None)
        return np.concatenate(self._sound), self._marks


@cache
def _espeak() -> _Espeak:
    return _Espeak()


def _resampled(samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    from scipy.signal import resample_poly

    divisor = int(np.gcd(rate_hz, SAMPLE_RATE_HZ))
    up, down = SAMPLE_RATE_HZ // divisor, rate_hz // divisor
    return np.asarray(resample_poly(samples, up, down), np.float32)


def speak_with_espeak(
    text: str, voice: str, *, rate: int = 170, pitch: int = 50, spread: int = 50
) -> Utterance:
    """Speak through espeak-ng.

    Parameters
    ----------
    text : str
        English.
    voice : str
        Voice and variant, for example ``en-us+f3``.
    rate : int, words a minute
    pitch, spread : int, [0, 99]
        Height and liveliness of the voice.

    Returns
    -------
    Utterance
    """
    engine = _espeak()
    sound, marks = engine.speak(text, voice, rate, pitch, spread)
    known = [(s, c) for s, name in marks if (c := phoneme_from_espeak(name)) is not None]
    return Utterance(
        samples=_resampled(sound.astype(np.float32) / np.float32(32768), engine.rate_hz),
        starts_s=np.array([s / engine.rate_hz for s, _ in known], np.float32),
        phonemes=np.array([c for _, c in known], np.int64),
        voice=f"espeak {voice} {pitch // 25}",
        text=text,
    )


def speak_with_flite(
    text: str, voice: str, *, stretch: float = 1.0, pitch_hz: float = 120.0, size: float = 1.0
) -> Utterance:
    """Speak through flite.

    Parameters
    ----------
    text : str
        English.
    voice : str
        Name that ``flite -lv`` lists.
    stretch : float
        Duration relative to the recorded voice's.
    pitch_hz : float
        Mean of the fundamental frequency.
    size : float
        Length of the vocal tract, relative; other sizes play the sound slower or faster.

    Returns
    -------
    Utterance
    """
    if shutil.which("flite") is None:
        raise InputError("expected the program flite, found none; install Debian's flite")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        settings = [f"duration_stretch={stretch:.3f}", f"int_f0_target_mean={pitch_hz:.1f}"]
        options = [word for s in settings for word in ("--setf", s)]
        command = ["flite", "-voice", voice, *options, "-psdur", "-t", text, "-o", str(path)]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        with wave.open(str(path)) as file:
            rate_hz = file.getframerate()
            sound = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    ends = [(name, float(end)) for name, end in re.findall(r"([a-z]+):([\d.]+)", printed)]
    heard_hz = round(rate_hz / size / 100) * 100
    return Utterance(
        samples=_resampled(sound.astype(np.float32) / np.float32(32768), heard_hz),
        starts_s=np.array([0.0, *(e for _, e in ends[:-1])], np.float32) * (rate_hz / heard_hz),
        phonemes=np.array([phoneme_from_flite(n) for n, _ in ends], np.int64),
        voice=f"flite {voice} {size:.1f}",
        text=text,
    )


def synthesise(seconds: float, seed: int = 0) -> Iterator[Utterance]:
    """Speak random sentences in random voices.

    Parameters
    ----------
    seconds : float
        Length of speech after which to stop.
    seed : int
        Equal seeds give equal utterances.

    Yields
    ------
    Utterance
        Half of them by each synthesizer.
    """
    rng = random.Random(seed)
    spoken = 0.0
    while spoken < seconds:
        text = random_sentence(rng)
        if rng.random() < 0.5:
            voice = f"{rng.choice(_ACCENTS.split())}+{rng.choice(_VARIANTS.split())}"
            pitch, spread = rng.randint(15, 85), rng.randint(20, 80)
            utterance = speak_with_espeak(
                text, voice, rate=rng.randint(120, 230), pitch=pitch, spread=spread
            )
        else:
            voice = rng.choice(sorted(_FLITE))
            size = rng.choice((0.8, 0.9, 1.0, 1.0, 1.1, 1.2))
            pitch_hz = _FLITE[voice] * rng.uniform(0.8, 1.3)
            utterance = speak_with_flite(
                text, voice, stretch=rng.uniform(0.8, 1.35) / size, pitch_hz=pitch_hz, size=size
            )
        spoken += len(utterance.samples) / SAMPLE_RATE_HZ
        yield utterance
